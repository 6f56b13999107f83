// Writes schedules in which data flows along trees, one tree for each part: down from the root to
// everybody, or up with a partial sum at every fork, or up and then down. Each depth of the trees
// has a lane of its own (as far as there are lanes), so that tile t is sent from one depth while
// tile t + 1 is sent from the depth above; one more lane only waits. Roots do not run far ahead:
// what they send first would take the links from what others pass on, which is missed later.
// Lives for one call of a generator.
#pragma once

#include <cstdint>
#include <span>
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

  // What a tree sends from one rank to another gets a lane of its own, as far as nothing flows up
  // and there are lanes for all.
  void widen_stages();
  Schedule write() &&;

 private:
  // The data of a tree moves from one rank to another, at a stage of the whole.
  struct Leg {
    Rank from = 0;
    Rank to = 0;
    uint32_t tree = 0;
    uint32_t lane = 0;  // from the first of its stage
  };
  // What a lane sends to one rank at a stage, under one signal.
  struct Message {
    Mark mark;
    Rank to = kNoRank;
    uint64_t awaited_in = 0;  // lanes that wait for it; flags
    bool is_last = false;     // nobody waits for it in order to pass it on
  };

  void find_legs();
  void share_lanes();
  void sort_legs(std::vector<Leg>& legs) const;
  void find_slots();
  void write_stages(Builder& builder);
  void write_stage(Builder& builder, uint32_t stage);
  void hold_back(Builder& builder);
  void write_run(Builder& builder, uint32_t stage, std::span<const Leg> run);
  void fold(Builder& builder, uint32_t stage, std::span<const Leg> run);
  void await(Builder& builder, int lane, uint32_t message);
  void await_rest(Builder& builder, Message& message);
  // Legs of one lane.
  template <class Write>
  void each_run(std::span<const Leg> legs, Write write) const;
  void put_up(Builder& builder, int lane, const Leg& leg);
  void put_down(Builder& builder, int lane, const Leg& leg);
  bool is_up(uint32_t stage) const { return up_ && stage < trees_.depth_max; }
  int lane(uint32_t stage) const { return lane_of_[stage]; }
  Parts parts_of(uint32_t tree) const { return {trees_.parts[tree], trees_.parts[tree] + 1}; }
  Slice buffer(Rank rank, BufferId buffer, uint32_t tree) const;
  Slice scratch(Rank rank, uint32_t block, uint32_t tree) const {
    return {rank, BufferId::scratch, block, trees_.parts[tree]};
  }
  Slice sum(uint32_t tree, Rank rank) const;
  Slice arrived(uint32_t tree, Rank child) const;
  std::span<const Rank> children(uint32_t tree, Rank rank) const {
    const size_t at = trees_.at(tree, rank);
    return std::span(children_).subspan(first_child_[at], first_child_[at + 1] - first_child_[at]);
  }

  const RankTrees& trees_;
  ScheduleHeader header_;
  Layout layout_;
  bool up_;
  bool down_;
  uint32_t stage_count_ = 0;  // in which something is sent
  uint32_t lane_count_ = 2;
  std::vector<int> lane_of_;            // by stage: the first
  std::vector<uint32_t> root_lanes_;    // by tree: that in which its root has it; empty: the first
  uint32_t window_ = 0;                 // tiles that a root may be ahead; 0: does not matter
  std::vector<std::vector<Leg>> legs_;  // by stage
  // Where sums go up:
  std::vector<uint32_t> first_child_;  // by at(), and one past the end
  std::vector<Rank> children_;
  std::vector<uint32_t> slot_of_;  // by at() of the child: where its parent has it
  std::vector<uint32_t> sum_of_;   // by at(): where a sum waits to go up
  uint32_t raw_slots_ = 0;
  uint32_t partial_slots_ = 0;
  uint32_t sum_slots_ = 0;
  std::vector<Mark> taken_;  // by at() of the child: its parent has folded what it sent

  std::vector<Message> messages_;           // sent so far, by stage
  size_t first_of_stage_before_ = 0;        // in messages_
  std::vector<uint32_t> message_of_;        // by at() of the child: the last that carried the tree
  std::vector<std::vector<bool>> entered_;  // by rank and lane: peers
};

}  // namespace unirack
