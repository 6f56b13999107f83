// What generators write on: a Builder that knows the layout of the request, folds along the sum
// shape, and in the end repeats the one lane it was given on as many lanes as wanted. Lives for one
// call of a generator.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "collectives/algorithms/sum_tree.h"
#include "collectives/schedule.h"
#include "lib/topology/topology.h"

namespace unirack {

class Draft {
 public:
  // `chunks` parts a tile; the sum shape is the topology's.
  Draft(const Topology& topology, const Request& request, std::string_view name, uint32_t chunks);
  explicit Draft(ScheduleHeader header);

  ScheduleHeader& header() { return builder_.header(); }
  const ScheduleHeader& header() const { return builder_.header(); }
  int ranks() const { return header().rank_count; }
  // Ranks other than `rank`, starting after it: spreads first contacts over peers.
  std::vector<Rank> peers(Rank rank) const;
  // Index of `peer` among the ranks other than `self`.
  static uint32_t slot(Rank self, Rank peer) {
    return static_cast<uint32_t>(peer < self ? peer : peer - 1);
  }

  Slice input(Rank rank, uint32_t block = 0) const { return place(rank, BufferId::input, block); }
  Slice output(Rank rank, uint32_t block = 0) const { return place(rank, BufferId::output, block); }
  static Slice at(Rank rank, uint32_t scratch_block, Parts parts) {
    return {rank, BufferId::scratch, scratch_block, parts.begin};
  }
  Parts whole(uint32_t data = 0) const {
    return {data * header().chunks, (data + 1) * header().chunks};
  }
  static Parts chunk(uint32_t index) { return {index, index + 1}; }

  uint32_t scratch(uint32_t parts, Form form = Form::user) { return builder_.scratch(parts, form); }
  // The first of `count` new scratch blocks.
  uint32_t scratches(size_t count, uint32_t parts, Form form = Form::user);

  void copy(Rank rank, Parts parts, Slice target, Slice source) {
    if (!(target == source)) builder_.copy(rank, 0, parts, target, source);
  }
  void reduce(Rank rank, Parts parts, Slice target, std::span<const Slice> sources) {
    builder_.reduce(rank, 0, parts, target, sources);
  }
  // Folds one source a rank, listed by rank, along the sum shape; partial sums of groups go
  // through scratch where the shape is not the flat tree.
  void fold(Rank rank, Parts parts, Slice target, std::span<const Slice> by_rank);
  Mark signal(Rank rank, Rank peer) { return builder_.signal(rank, 0, peer); }
  void wait(Rank rank, Mark mark, uint32_t tiles_back = 0) {
    builder_.wait(rank, 0, mark, tiles_back);
  }
  // For all of them, from the rank after it on: what ranks do alike they do in the same order,
  // which keeps plans as symmetric as pools are.
  void wait_each(Rank rank, std::vector<Mark> marks);
  void wait_record(Rank rank, Rank peer) { builder_.wait_record(rank, 0, peer); }

  Schedule finish(int lanes) &&;

 private:
  Slice place(Rank rank, BufferId buffer, uint32_t block) const;

  Builder builder_;
  Layout layout_;
  bool is_flat_ = true;
  std::map<Rank, uint32_t> folds_;                                 // how often a rank has folded
  std::map<std::pair<uint32_t, uint32_t>, uint32_t> fold_blocks_;  // (turn, parts) -> first block
};

}  // namespace unirack
