// Every rank sends to every other at once: fewest steps, most messages. Contributions go to the
// peers' scratch, which needs no record; the first message leaves at once.
#include "collectives/algorithms/algorithms.h"
#include "collectives/algorithms/draft.h"
#include "collectives/algorithms/shares.h"

namespace unirack {

namespace {

using Marks = std::vector<std::vector<Mark>>;  // [writer][reader]

Marks no_marks(int ranks) {
  return Marks(static_cast<size_t>(ranks), std::vector<Mark>(static_cast<size_t>(ranks)));
}

Mark& at(Marks& marks, Rank writer, Rank reader) {
  return marks[static_cast<size_t>(writer)][static_cast<size_t>(reader)];
}

void wait_for_all(Draft& draft, Rank rank, Marks& marks) {
  for (const Rank peer : draft.peers(rank)) draft.wait(rank, at(marks, peer, rank));
}

}  // namespace

// Steps 1, written (n - 1) B. Two stages: a peer's message of tile t - 1 says that it is done with
// tile t - 2.
Result<Schedule> all_reduce_one_shot(const Topology& topology, const Request& request, int lanes) {
  Draft draft(topology, request, "one_shot", 1);
  draft.header().stages = 2;
  const Parts whole = draft.whole();
  const uint32_t first = draft.scratches(static_cast<size_t>(draft.ranks()) - 1, 1);
  Marks sent = no_marks(draft.ranks());
  for (Rank rank = 0; rank < draft.ranks(); ++rank) {
    for (const Rank peer : draft.peers(rank)) {
      draft.copy(rank, whole, Draft::at(peer, first + Draft::slot(peer, rank), whole),
                 draft.input(rank));
      at(sent, rank, peer) = draft.signal(rank, peer);
    }
  }
  for (Rank rank = 0; rank < draft.ranks(); ++rank) {
    wait_for_all(draft, rank, sent);
    draft.fold(rank, whole, draft.output(rank),
               contributions(draft, rank, draft.input(rank), first, whole));
  }
  return std::move(draft).finish(lanes);
}

// Steps 2, written 2 B (n - 1) / n. One stage: a rank ends a tile when all have reduced theirs.
Result<Schedule> all_reduce_two_shot(const Topology& topology, const Request& request, int lanes) {
  Draft draft(topology, request, "two_shot", static_cast<uint32_t>(topology.rank_count()));
  const Shares shares = chunk_shares(draft.ranks());
  sum_shares(draft, shares);
  gather_shares(draft, shares, false);
  return std::move(draft).finish(lanes);
}

// Steps 1, written B; the root reads n B.
Result<Schedule> reduce_direct(const Topology& topology, const Request& request, int lanes) {
  Draft draft(topology, request, "direct", 1);
  draft.header().stages = 2;
  const Rank root = request.root;
  const Parts whole = draft.whole();
  const uint32_t first = draft.scratches(static_cast<size_t>(draft.ranks()) - 1, 1);
  Marks sent = no_marks(draft.ranks());
  for (const Rank peer : draft.peers(root)) {
    draft.copy(peer, whole, Draft::at(root, first + Draft::slot(root, peer), whole),
               draft.input(peer));
    at(sent, peer, root) = draft.signal(peer, root);
  }
  wait_for_all(draft, root, sent);
  draft.fold(root, whole, draft.output(root),
             contributions(draft, root, draft.input(root), first, whole));
  // The stage may be written again.
  for (const Rank peer : draft.peers(root)) draft.wait(peer, draft.signal(root, peer), 1);
  return std::move(draft).finish(lanes);
}

// Steps 2, written B (n - 1) / n and a partial sum of B / n: each rank sums a chunk, the root
// finishes them. Only the root has an output, so unfinished sums travel.
Result<Schedule> reduce_two_shot(const Topology& topology, const Request& request, int lanes) {
  Draft draft(topology, request, "two_shot", static_cast<uint32_t>(topology.rank_count()));
  draft.header().stages = 2;
  sum_shares_for(draft, chunk_shares(draft.ranks()), request.root);
  return std::move(draft).finish(lanes);
}

// Steps 1, written (n - 1) B.
Result<Schedule> reduce_scatter_direct(const Topology& topology, const Request& request,
                                       int lanes) {
  Draft draft(topology, request, "direct", 1);
  draft.header().stages = 2;
  const uint32_t first = draft.scratches(static_cast<size_t>(draft.ranks()) - 1, 1);
  Marks sent = no_marks(draft.ranks());
  for (Rank rank = 0; rank < draft.ranks(); ++rank) {
    for (const Rank peer : draft.peers(rank)) {
      const auto block = static_cast<uint32_t>(peer);
      const Parts parts = draft.whole(block);
      draft.copy(rank, parts, Draft::at(peer, first + Draft::slot(peer, rank), parts),
                 draft.input(rank, block));
      at(sent, rank, peer) = draft.signal(rank, peer);
    }
  }
  for (Rank rank = 0; rank < draft.ranks(); ++rank) {
    const auto block = static_cast<uint32_t>(rank);
    const Parts parts = draft.whole(block);
    wait_for_all(draft, rank, sent);
    draft.fold(rank, parts, draft.output(rank),
               contributions(draft, rank, draft.input(rank, block), first, parts));
  }
  return std::move(draft).finish(lanes);
}

}  // namespace unirack
