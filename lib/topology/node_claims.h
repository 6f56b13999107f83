// What several views say of one node, field by field and attribute by attribute, and what is kept:
// the best known value, of equally well known ones the lesser (of healths the worse). A value with
// one owner; belongs to merge.h.
#pragma once

#include <array>
#include <functional>
#include <string>
#include <vector>

#include "lib/topology/graph.h"
#include "lib/topology/node_fields.h"

namespace unirack {

class NodeClaims {
 public:
  explicit NodeClaims(const Node& node);

  // The order of additions does not matter.
  void add(const Node& node);
  // After all additions: says where `node` knows something as well as what is kept, but
  // differently.
  void compare(const Node& node, const std::function<void(std::string)>& report) const;
  const std::string& name() const { return node_.name; }
  // With Node::known_by for what is known otherwise than the node's best.
  Node take() &&;

 private:
  size_t place_of(const std::string& key) const;
  void add_attribute(const Node& node, const std::string& key, const std::string& value);

  Node node_;
  std::array<Provenance, kNodeFieldCount> by_{};
  std::vector<Provenance> attributes_by_;  // as node_.attributes
};

}  // namespace unirack
