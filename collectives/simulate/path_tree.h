// Shortest ways from one node of a graph over some of its links, all of them: for every node that
// is reached the links by which shortest ways arrive. Spreads a message over them in proportion to
// their bandwidth. A plain value; borrows the graph.
#pragma once

#include <cstdint>
#include <vector>

#include "lib/topology/graph.h"

namespace unirack {

// Local: within machines and load/store domains, where NVLink and its like count less than PCIe.
// Fabric: from switch to switch up to NICs, each link counts alike.
enum class PathScope : uint8_t { local, fabric };

// InfiniBand and Ethernet.
bool is_network(LinkKind kind);

struct LinkShare {
  LinkIndex link = 0;
  uint64_t share = 0;
};

class PathTree {
 public:
  PathTree(const Graph& graph, NodeIndex source, PathScope scope);

  static constexpr uint32_t kFar = UINT32_MAX;
  // kFar: it is not reached.
  uint32_t distance(NodeIndex node) const;
  // Ascending by distance, the source first.
  struct Reached {
    NodeIndex node = 0;
    uint32_t distance = 0;
    uint32_t first_link = 0;
    uint32_t link_count = 0;
  };
  const std::vector<Reached>& reached() const { return reached_; }
  // How `share` of a message from the source to `target`, which is reached, lies on links; appended
  // in any order, links may occur twice. What does not divide is rounded up.
  void spread(const Graph& graph, NodeIndex target, uint64_t share,
              std::vector<LinkShare>& shares) const;

 private:
  const Reached* at(NodeIndex node) const;

  std::vector<Reached> reached_;
  std::vector<uint32_t> by_node_;  // indices into reached_, ascending by node
  std::vector<LinkIndex> links_;   // that shortest ways arrive by
};

}  // namespace unirack
