// All-to-all where every block goes straight to its reader, peers taken in rotated order so that no
// rank is everyone's first target.
#include <algorithm>

#include "collectives/algorithms/algorithms.h"
#include "collectives/algorithms/draft.h"

namespace unirack {

namespace {

uint32_t block_of(Rank rank) { return static_cast<uint32_t>(rank); }

// The data block that `writer` has for `reader`.
Parts parts_of(const Draft& draft, Rank writer, Rank reader) {
  return draft.whole(block_of(writer) * static_cast<uint32_t>(draft.ranks()) + block_of(reader));
}

}  // namespace

// Steps 1, written (n - 1) B. Not in place: an output block may still be somebody's input.
Result<Schedule> all_to_all_pairwise(const Topology& topology, const Request& request, int lanes) {
  Draft draft(topology, request, "pairwise", 1);
  draft.header().in_place = false;
  std::vector<std::vector<Mark>> marks(static_cast<size_t>(draft.ranks()));
  for (Rank rank = 0; rank < draft.ranks(); ++rank) {
    draft.copy(rank, parts_of(draft, rank, rank), draft.output(rank, block_of(rank)),
               draft.input(rank, block_of(rank)));
    for (const Rank peer : draft.peers(rank)) {
      draft.wait_record(rank, peer);
      draft.copy(rank, parts_of(draft, rank, peer), draft.output(peer, block_of(rank)),
                 draft.input(rank, block_of(peer)));
      marks[static_cast<size_t>(peer)].push_back(draft.signal(rank, peer));
    }
  }
  for (Rank rank = 0; rank < draft.ranks(); ++rank) {
    for (const Mark& mark : marks[static_cast<size_t>(rank)]) draft.wait(rank, mark);
  }
  return std::move(draft).finish(lanes);
}

// Steps 1, written (n - 1) B, and as much copied out of scratch: in place.
Result<Schedule> all_to_all_pairwise_staged(const Topology& topology, const Request& request,
                                            int lanes) {
  Draft draft(topology, request, "pairwise_staged", 1);
  draft.header().stages = 2;
  const auto ranks = static_cast<size_t>(draft.ranks());
  const uint32_t first = draft.scratches(ranks - 1, 1);
  std::vector<std::vector<Mark>> marks(ranks);
  for (Rank rank = 0; rank < draft.ranks(); ++rank) {
    for (const Rank peer : draft.peers(rank)) {
      const Parts parts = parts_of(draft, rank, peer);
      draft.copy(rank, parts, Draft::at(peer, first + Draft::slot(peer, rank), parts),
                 draft.input(rank, block_of(peer)));
      marks[static_cast<size_t>(peer)].push_back(draft.signal(rank, peer));
    }
  }
  for (Rank rank = 0; rank < draft.ranks(); ++rank) {
    draft.copy(rank, parts_of(draft, rank, rank), draft.output(rank, block_of(rank)),
               draft.input(rank, block_of(rank)));
    for (const Mark& mark : marks[static_cast<size_t>(rank)]) {
      const Parts parts = parts_of(draft, mark.writer, rank);
      draft.wait(rank, mark);
      draft.copy(rank, parts, draft.output(rank, block_of(mark.writer)),
                 Draft::at(rank, first + Draft::slot(rank, mark.writer), parts));
    }
  }
  return std::move(draft).finish(lanes);
}

// Steps 1, written what this rank has for others. Sizes are known only at run time, so a block is
// one part and peers, not chunks, are spread over the lanes.
Result<Schedule> all_to_all_v_pairwise(const Topology& topology, const Request& request,
                                       int lanes) {
  Draft draft(topology, request, "pairwise", 1);
  draft.header().in_place = false;
  Builder builder(draft.header());
  std::vector<std::vector<Mark>> marks(static_cast<size_t>(draft.ranks()));
  for (Rank rank = 0; rank < draft.ranks(); ++rank) {
    builder.copy(rank, 0, parts_of(draft, rank, rank), draft.output(rank, block_of(rank)),
                 draft.input(rank, block_of(rank)));
    int turn = 0;
    for (const Rank peer : draft.peers(rank)) {
      const int lane = turn++ % std::max(lanes, 1);
      builder.wait_record(rank, lane, peer);
      builder.copy(rank, lane, parts_of(draft, rank, peer), draft.output(peer, block_of(rank)),
                   draft.input(rank, block_of(peer)));
      marks[static_cast<size_t>(peer)].push_back(builder.signal(rank, lane, peer));
    }
  }
  for (Rank rank = 0; rank < draft.ranks(); ++rank) {
    for (const Mark& mark : marks[static_cast<size_t>(rank)]) builder.wait(rank, mark.lane, mark);
  }
  return std::move(builder).build();
}

}  // namespace unirack
