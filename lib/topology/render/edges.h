// The lines of a drawing: everything between two nodes, both directions, as one edge. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "lib/topology/graph.h"

namespace unirack {

struct Edge {
  NodeIndex a = 0;  // below b
  NodeIndex b = 0;
  std::vector<LinkIndex> links;  // ascending
  LinkKind kind = LinkKind::pcie;
  // Of all parallel links, in the faster direction, down or not; 0: not known.
  uint64_t bandwidth = 0;
  Health health = Health::ok;
  bool below_capability = false;  // trained slower than it could be
  int32_t rail = -1;              // of the NIC or leaf at its end

  bool is_faulty() const { return health != Health::ok || below_capability; }
};

// By (a, b).
std::vector<Edge> edges_of(const Graph& graph);

// Edge indices by node, and the node at the other end.
class Neighbours {
 public:
  struct One {
    NodeIndex node;
    size_t edge;
  };
  Neighbours(const Graph& graph, const std::vector<Edge>& edges);
  const std::vector<One>& of(NodeIndex node) const { return by_node_[node]; }

 private:
  std::vector<std::vector<One>> by_node_;
};

bool is_switch(NodeKind kind);  // of a network

// How far a network switch is from what it connects: 1 for what NICs, GPUs or ranks are plugged
// into, 2 for what joins those, and so on; 0 for all other nodes.
std::vector<int> switch_tiers(const Graph& graph);

}  // namespace unirack
