// Writes schedules in which data flows along trees, one tree for each part: down from the root to
// everybody, or up with a partial sum at every fork, or up and then down. Each depth of the trees
// has a lane of its own (as far as there are lanes), so that tile t is sent from one depth while
// tile t + 1 is sent from the depth above. Lives for one call of a generator.
#pragma once

#include <cstdint>
#include <map>
#include <vector>

#include "collectives/schedule.h"

namespace unirack {

// Trees over ranks, by tree * ranks + rank.
struct RankTrees {
  int rank_count = 0;
  std::vector<Rank> roots;      // by tree
  std::vector<uint32_t> parts;  // by tree: the part that it carries
  std::vector<Rank> parent;     // kNoRank at the root
  std::vector<uint32_t> depth;
  uint32_t depth_max = 0;

  size_t at(uint32_t tree, Rank rank) const {
    return size_t{tree} * static_cast<size_t>(rank_count) + static_cast<size_t>(rank);
  }
};

class TreeWriter {
 public:
  // `up`: sums towards the roots; `down`: copies from there.
  TreeWriter(const RankTrees& trees, ScheduleHeader header, bool up, bool down);

  Schedule write() &&;

 private:
  // The data of a tree moves from one rank to another, at a stage of the whole.
  struct Leg {
    Rank from = 0;
    Rank to = 0;
    uint32_t tree = 0;
  };
  struct Received {
    Mark mark;
    bool is_awaited = false;
  };
  using Arrivals = std::map<std::pair<Rank, Rank>, Received>;  // by (to, from)

  void find_legs();
  void find_slots();
  void write_stages(Builder& builder);
  void write_stage(Builder& builder, uint32_t stage);
  void write_rank(Builder& builder, uint32_t stage, Rank rank,
                  std::vector<Leg>::const_iterator begin, std::vector<Leg>::const_iterator end);
  void fold(Builder& builder, uint32_t stage, Rank rank, std::vector<Leg>::const_iterator begin,
            std::vector<Leg>::const_iterator end);
  void await(Builder& builder, uint32_t stage, Rank rank, Rank from);
  void await_rest(Builder& builder, uint32_t stage);
  void put(Builder& builder, uint32_t stage, const Leg& leg);
  bool is_up(uint32_t stage) const { return up_ && stage < trees_.depth_max; }
  int lane(uint32_t stage) const { return static_cast<int>(stage % lane_count_); }
  Parts parts_of(uint32_t tree) const { return {trees_.parts[tree], trees_.parts[tree] + 1}; }
  Slice buffer(Rank rank, BufferId buffer, uint32_t tree) const;
  Slice scratch(Rank rank, uint32_t block, uint32_t tree) const {
    return {rank, BufferId::scratch, block, trees_.parts[tree]};
  }
  Slice arrived(uint32_t tree, Rank child) const;

  const RankTrees& trees_;
  ScheduleHeader header_;
  Layout layout_;
  bool up_;
  bool down_;
  uint32_t stage_count_ = 0;  // in which something is sent
  uint32_t lane_count_ = 1;
  std::vector<std::vector<Leg>> legs_;       // by stage
  std::vector<std::vector<Rank>> children_;  // by at(); where sums go up
  std::vector<uint32_t> slot_of_;            // by at() of the child: where its parent has it
  std::vector<uint32_t> sum_of_;             // by at(): where a sum waits to go up
  uint32_t raw_slots_ = 0;
  uint32_t partial_slots_ = 0;
  uint32_t sum_slots_ = 0;
  std::vector<Arrivals> arrivals_;                             // by stage
  std::vector<std::map<std::pair<Rank, Rank>, Mark>> taken_;   // by stage: (child, parent), folded
  std::map<std::pair<Rank, int>, std::vector<bool>> entered_;  // peers by rank and lane
};

}  // namespace unirack
