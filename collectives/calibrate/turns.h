// Who measures what, and when: a pure function of the pool, so all ranks know it without a word.
//
// One kind of link after the other, so that nothing measured disturbs another measurement; of each
// kind a few pairs at once on machines that have no other. Pairs across machines go first, since
// what joins machines is what their kind is about.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "lib/topology/topology.h"

namespace unirack {

inline constexpr size_t kMeasuredPairsMax = 3;

// The leader takes the time, the follower answers.
struct MeasuredPair {
  Rank leader = 0;
  Rank follower = 0;

  friend bool operator==(const MeasuredPair&, const MeasuredPair&) = default;
};

struct MeasureTurn {
  LinkKind kind = LinkKind::ethernet;
  std::vector<MeasuredPair> pairs;  // one or more
};

// `hosts` by rank tells machines apart.
std::vector<MeasureTurn> measure_turns(const Topology& topology,
                                       const std::vector<std::string>& hosts);
// Ranks that measure copies and reductions, each the first of its machine.
std::vector<Rank> measuring_ranks(const std::vector<std::string>& hosts);

}  // namespace unirack
