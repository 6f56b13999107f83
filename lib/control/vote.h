// Who called something else: ranks that entered the same operation grouped by what they called. The
// smaller groups are the culprits; when the two largest are equal there is no telling, and both are
// named. Pure; callable from any thread.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "lib/control/activity.h"

namespace unirack {

struct Ballot {
  Rank rank = 0;
  uint64_t request = 0;
  uint64_t count = 0;
};

struct VoteGroup {
  uint64_t request = 0;
  uint64_t count = 0;
  std::vector<Rank> ranks;  // rising
};

// Largest group first; of equal ones the one with the lowest rank.
std::vector<VoteGroup> count_votes(std::span<const Ballot> ballots);

// Whether `undecided_count` more ballots could not change who is in the majority.
bool is_decided(std::span<const VoteGroup> groups, size_t undecided_count);

// The lowest rank outside the first group; kNoRank if there is only one.
Rank minority_culprit(std::span<const VoteGroup> groups);

// "rank 2 called all_gather float x 4, ranks 0 and 1 called all_reduce float sum x 4"
std::string vote_text(std::span<const VoteGroup> groups,
                      const std::function<std::string(uint64_t request, uint64_t count)>& describe);

}  // namespace unirack
