// Direct algorithms that only move data: each block goes from its owner straight to where it
// belongs. Puts into outputs wait for the record of their owner.
#include "collectives/algorithms/algorithms.h"
#include "collectives/algorithms/draft.h"
#include "collectives/algorithms/shares.h"

namespace unirack {

namespace {

uint32_t block_of(Rank rank) { return static_cast<uint32_t>(rank); }

}  // namespace

// Steps 1, written (n - 1) B.
Result<Schedule> all_gather_direct(const Topology& topology, const Request& request, int lanes) {
  Draft draft(topology, request, "direct", 1);
  std::vector<std::vector<Mark>> marks(static_cast<size_t>(draft.ranks()));
  for (Rank rank = 0; rank < draft.ranks(); ++rank) {
    const uint32_t block = block_of(rank);
    draft.copy(rank, draft.whole(block), draft.output(rank, block), draft.input(rank));
    for (const Rank peer : draft.peers(rank)) {
      draft.wait_record(rank, peer);
      draft.copy(rank, draft.whole(block), draft.output(peer, block), draft.input(rank));
      marks[static_cast<size_t>(peer)].push_back(draft.signal(rank, peer));
    }
  }
  for (Rank rank = 0; rank < draft.ranks(); ++rank) {
    for (const Mark& mark : marks[static_cast<size_t>(rank)]) draft.wait(rank, mark);
  }
  return std::move(draft).finish(lanes);
}

// Steps 1, the root writes (n - 1) B.
Result<Schedule> broadcast_direct(const Topology& topology, const Request& request, int lanes) {
  Draft draft(topology, request, "direct", 1);
  const Rank root = request.root;
  for (const Rank peer : draft.peers(root)) {
    draft.wait_record(root, peer);
    draft.copy(root, draft.whole(), draft.output(peer), draft.input(root));
    draft.wait(peer, draft.signal(root, peer));
  }
  draft.copy(root, draft.whole(), draft.output(root), draft.input(root));
  return std::move(draft).finish(lanes);
}

// Steps 2, the root writes B, the others B (n - 2) / (n - 1): the root deals the chunks out, who
// then pass theirs to each other.
Result<Schedule> broadcast_scatter_all_gather(const Topology& topology, const Request& request,
                                              int lanes) {
  const auto n = static_cast<uint32_t>(topology.rank_count());
  Draft draft(topology, request, "scatter_all_gather", n > 1 ? n - 1 : 1);
  const Rank root = request.root;
  std::vector<uint32_t> lengths(n, 1);
  lengths[static_cast<size_t>(root)] = 0;
  const Shares shares = consecutive_shares(lengths);
  deal_shares(draft, shares, root);
  draft.copy(root, draft.whole(), draft.output(root), draft.input(root));
  gather_shares(draft, shares, true, root);
  return std::move(draft).finish(lanes);
}

// Steps 1, written B; the root receives (n - 1) B.
Result<Schedule> gather_direct(const Topology& topology, const Request& request, int lanes) {
  Draft draft(topology, request, "direct", 1);
  const Rank root = request.root;
  draft.copy(root, draft.whole(block_of(root)), draft.output(root, block_of(root)),
             draft.input(root));
  for (const Rank peer : draft.peers(root)) {
    draft.wait_record(peer, root);
    draft.copy(peer, draft.whole(block_of(peer)), draft.output(root, block_of(peer)),
               draft.input(peer));
    draft.wait(root, draft.signal(peer, root));
  }
  return std::move(draft).finish(lanes);
}

// Steps 1, the root writes (n - 1) B.
Result<Schedule> scatter_direct(const Topology& topology, const Request& request, int lanes) {
  Draft draft(topology, request, "direct", 1);
  const Rank root = request.root;
  for (const Rank peer : draft.peers(root)) {
    const uint32_t block = block_of(peer);
    draft.wait_record(root, peer);
    draft.copy(root, draft.whole(block), draft.output(peer), draft.input(root, block));
    draft.wait(peer, draft.signal(root, peer));
  }
  draft.copy(root, draft.whole(block_of(root)), draft.output(root),
             draft.input(root, block_of(root)));
  return std::move(draft).finish(lanes);
}

// Steps 1, the sender writes B.
Result<Schedule> send_recv_pair(const Topology& topology, const Request& request, int lanes) {
  Draft draft(topology, request, "pair", 1);
  draft.wait_record(0, 1);
  draft.copy(0, draft.whole(), draft.output(1), draft.input(0));
  draft.wait(1, draft.signal(0, 1));
  return std::move(draft).finish(lanes);
}

// No steps: no program ends before the rank has seen every peer's record.
Result<Schedule> barrier_records(const Topology& topology, const Request& request,
                                 [[maybe_unused]] int lanes) {
  return Draft(topology, request, "records", 1).finish(1);
}

}  // namespace unirack
