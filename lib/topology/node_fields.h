// The fields of a Node by name, for code that treats them alike: merging and comparing. What a
// field holds when nothing is known is not a value. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "lib/topology/graph.h"

namespace unirack {

inline constexpr size_t kNodeFieldCount = 8;

// visit(number, name, member pointer); attributes are not among them.
template <class Visit>
void each_field(Visit visit) {
  visit(0, "kind", &Node::kind);
  visit(1, "host", &Node::host);
  visit(2, "rack", &Node::rack);
  visit(3, "domain", &Node::domain);
  visit(4, "rail", &Node::rail);
  visit(5, "rank", &Node::rank);
  visit(6, "health", &Node::health);
  visit(7, "reduces", &Node::reduces);
}

// A switch whose tier is not known says nothing of its kind.
inline bool is_known(const std::string& value) { return !value.empty(); }
inline bool is_known(int32_t value) { return value >= 0; }
inline bool is_known(bool value) { return value; }
inline bool is_known(NodeKind value) { return value != NodeKind::network_switch; }
inline bool is_known(Health) { return true; }

inline std::string field_text(const std::string& value) { return "'" + value + "'"; }
inline std::string field_text(int32_t value) { return std::to_string(value); }
inline std::string field_text(bool value) { return value ? "true" : "false"; }
inline std::string field_text(NodeKind value) { return std::string(to_text(value)); }
inline std::string field_text(Health value) { return std::string(to_text(value)); }

// As Node::known_by names it.
inline std::string attribute_field(const std::string& key) { return "attributes/" + key; }

}  // namespace unirack
