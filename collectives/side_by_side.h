// Small programs of one lane that a rank runs side by side, as one program: what needs no message
// comes first, then what needs one, and so on, so that none of them waits for another's answers.
// For compositions; a value that lives for one of them.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "collectives/schedule.h"

namespace unirack {

class SideBySide {
 public:
  explicit SideBySide(int rank_count) : member_(static_cast<size_t>(rank_count), kNoRank) {}

  // One small schedule as its ranks in the large one know it: programs in the order of `ranks`.
  Status add(const std::vector<Rank>& ranks, std::vector<Program> programs);
  // One program for each rank that has any, ascending.
  std::vector<std::pair<Rank, Program>> finish() &&;

 private:
  struct Part {
    std::vector<Rank> ranks;
    std::vector<Program> programs;              // their waits name members, not ranks
    std::vector<std::vector<uint32_t>> depths;  // by member and step: messages before it
    std::vector<std::vector<uint32_t>> values;  // by member and signalled value: the joint one
  };
  struct Share {
    Rank rank = 0;
    size_t part = 0;
    size_t member = 0;
  };

  Status find_depths(Part& part) const;
  void append(const Share& share, uint32_t depth, size_t& next, Program& program);

  std::vector<Rank> member_;  // by rank of the large schedule: its place in the part being added
  std::vector<Part> parts_;
  std::vector<Share> shares_;
};

}  // namespace unirack
