#include <algorithm>
#include <queue>

#include "lib/topology/bound/bound_groups.h"
#include "lib/topology/bound/cut_search.h"
#include "lib/topology/bound/cut_words.h"
#include "lib/topology/bound/distance.h"

namespace unirack {

namespace {

// A cut under test: how many members are behind it, and what passes.
class AllToAllCuts {
 public:
  AllToAllCuts(const Graph& graph, const CutNetwork& network) : graph_(graph), network_(network) {}

  // `members` exchange a block with each of the others, both ways.
  bool is_slower(Wide members, Wide capacity) const {
    return capacity != kFree && rate(members, capacity) < slowest_.algbw;
  }
  void take(Wide members, Wide capacity, Cut cut) {
    slowest_ = {rate(members, capacity), std::move(cut)};
  }
  void try_cut(const std::vector<uint32_t>& places, Wide capacity, bool entering) {
    Wide members = 0;
    for (const uint32_t place : places) members += network_.members_in[place];
    if (!places.empty() && is_slower(members, capacity)) {
      take(members, capacity, describe_cut(graph_, network_, places, entering));
    }
  }
  void try_grouping(const Grouping& grouping) {
    for (size_t i = 0; i < grouping.groups.size(); ++i) {
      for (const bool entering : {true, false}) {
        const Wide capacity = (entering ? grouping.into : grouping.out_of)[i];
        if (!is_slower(grouping.member_counts[i], capacity)) continue;
        const SmallestCut cut = find_isolating_cut(network_, !entering, grouping.groups[i]);
        try_cut(cut.cut_off, cut.capacity, entering);
      }
    }
  }
  const Bound& slowest() const { return slowest_; }

 private:
  // N blocks a member, members * (N - members) of which cross.
  Rational rate(Wide members, Wide capacity) const {
    const Wide all = network_.member_count;
    return ratio(capacity * network_.unit * all, members * (all - members));
  }

  const Graph& graph_;
  const CutNetwork& network_;
  Bound slowest_;
};

}  // namespace

AllToAllBound Bounds::all_to_all() const {
  AllToAllBound bound;
  if (network_.member_places.size() >= 2) {
    AllToAllCuts cuts(graph_, network_);
    for (const Grouping& grouping : groupings_of(graph_, network_)) cuts.try_grouping(grouping);
    for (const bool reversed : {false, true}) {
      const SlowestCut slowest = find_slowest_cut(network_, reversed);
      if (slowest.members == 0) continue;
      cuts.try_cut(slowest.cut_off, capacity_into(network_, reversed, slowest.cut_off), !reversed);
      if (network_.symmetric) break;
    }
    bound.cut = cuts.slowest();
    bound.distance = hop_bound(network_);
  }
  bound.algbw = bound.distance ? smaller(bound.cut.algbw, *bound.distance) : bound.cut.algbw;
  return bound;
}

}  // namespace unirack
