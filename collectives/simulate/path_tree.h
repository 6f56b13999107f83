// Shortest ways from one node of a graph over some of its links, all of them: for every node that
// is reached the links by which shortest ways arrive. Spreads a message over them in proportion to
// their bandwidth. A plain value.
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
    uint32_t first_way = 0;
    uint32_t way_count = 0;
  };
  const std::vector<Reached>& reached() const { return reached_; }
  // How `share` of a message from the source to `target`, which is reached, lies on links; appended
  // in any order, links may occur twice. What does not divide is rounded up.
  void spread(NodeIndex target, uint64_t share, std::vector<LinkShare>& shares) const;

 private:
  // Shortest ways arrive by this link.
  struct LastLink {
    LinkIndex link = 0;
    uint32_t from = 0;  // index into reached_
    uint64_t bandwidth = 0;
  };
  static constexpr uint32_t kNowhere = UINT32_MAX;

  uint32_t index_of(NodeIndex node) const;
  void spread_over(uint32_t index, uint64_t share, std::vector<LinkShare>& shares) const;

  std::vector<Reached> reached_;
  std::vector<uint32_t> by_node_;  // indices into reached_, ascending by node
  std::vector<LastLink> ways_;
};

}  // namespace unirack
