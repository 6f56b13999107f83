// Bounds over natural cuts: around each member, machine, domain and rack. Parts of Bounds; pure
// functions, callable from any thread.
#pragma once

#include <vector>

#include "lib/topology/bound/bound.h"

namespace unirack {

// One way of dividing all members into groups, as places of the network.
struct Grouping {
  std::vector<std::vector<uint32_t>> groups;
  std::vector<Wide> member_counts;
  std::vector<Wide> into;  // kFree: no limit
  std::vector<Wide> out_of;
};

// By member, host, domain and rack; those that differ, and only where no place lies in two groups.
std::vector<Grouping> groupings_of(const Graph& graph, const CutNetwork& network);

// No all-reduce that sums only at members is faster: k groups exchange 2(k - 1) messages for each
// element, and all of them enter and leave a group.
Bound gossip_bound(const Graph& graph, const CutNetwork& network);

}  // namespace unirack
