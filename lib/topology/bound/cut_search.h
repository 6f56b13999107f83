// The searches behind bound.h: over the places of a CutNetwork, in its units, exact. Pure
// functions, callable from any thread. `reversed` searches the network with every pipe turned
// round.
//
// Each search tests one member after the other by a maximum flow into it. What has passed is
// settled: all cuts that leave it out hold for every later, weaker demand, so it may supply without
// limit, and later flows stay close to where they end.
#pragma once

#include <span>
#include <vector>

#include "lib/topology/bound/cut_network.h"

namespace unirack {

// Takes members / capacity at best: that many shares have to pass so much capacity.
struct SlowestCut {
  Wide members = 0;  // 0: nothing limits
  Wide capacity = 1;
  std::vector<uint32_t> cut_off;  // the places that the shares have to enter
};
// The largest ratio over all cuts that leave a member out.
SlowestCut find_slowest_cut(const CutNetwork& network, bool reversed);

struct SmallestCut {
  Wide capacity = kFree;
  std::vector<uint32_t> cut_off;
};
// Of those between a place and any member outside it.
SmallestCut find_smallest_cut(const CutNetwork& network, bool reversed, uint32_t root);

struct TreeScale {
  Rational scale;
  std::vector<uint32_t> cut_off;  // empty: the scale at the start is enough
};
// The smallest scale of at least `start` with which floor(scale * capacity) carries k trees from
// every member. `k` times the members, and each capacity, are at most kTreeTermMax.
TreeScale find_tree_scale(const CutNetwork& network, Wide k, Rational start);
inline constexpr Wide kTreeTermMax = Wide{1} << 60;

// For each group of member places the smallest capacity that enters it from all other members;
// kFree: no limit. Groups are disjoint and none has all members.
std::vector<Wide> isolating_capacities(const CutNetwork& network, bool reversed,
                                       std::span<const std::vector<uint32_t>> groups);
SmallestCut find_isolating_cut(const CutNetwork& network, bool reversed,
                               const std::vector<uint32_t>& group);

// From outside into the places; kFree: no limit.
Wide capacity_into(const CutNetwork& network, bool reversed, std::span<const uint32_t> places);

}  // namespace unirack
