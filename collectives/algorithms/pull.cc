// Reads the peers' symmetric buffers where they lie: no staging at all. Every read ends with a
// signal to the owner, who waits for it before its program ends.
#include "collectives/algorithms/algorithms.h"
#include "collectives/algorithms/draft.h"
#include "collectives/algorithms/shares.h"

namespace unirack {

namespace {

Draft start(const Topology& topology, const Request& request, std::string_view name,
            uint32_t chunks) {
  Draft draft(topology, request, name, chunks);
  draft.header().symmetric = true;
  return draft;
}

void wait_records(Draft& draft, Rank rank) {
  for (const Rank peer : draft.peers(rank)) draft.wait_record(rank, peer);
}

std::vector<Slice> inputs(const Draft& draft, uint32_t block) {
  std::vector<Slice> by_rank;
  for (Rank rank = 0; rank < draft.ranks(); ++rank) by_rank.push_back(draft.input(rank, block));
  return by_rank;
}

}  // namespace

// Steps 3 of signals alone; each rank reads 2 B (n - 1) / n of its peers.
Result<Schedule> all_reduce_two_shot_pull(const Topology& topology, const Request& request,
                                          int lanes) {
  const auto n = static_cast<uint32_t>(topology.rank_count());
  Draft draft = start(topology, request, "two_shot_pull", n);
  sum_shares_pull(draft, chunk_shares(draft.ranks()));
  for (Rank rank = 0; rank < draft.ranks(); ++rank) {
    for (const Rank peer : draft.peers(rank)) {
      const Parts parts = Draft::chunk(static_cast<uint32_t>(peer));
      draft.copy(rank, parts, draft.output(rank), draft.output(peer));
    }
  }
  meet(draft);
  return std::move(draft).finish(lanes);
}

// Steps 2 of signals alone; the root reads (n - 1) B.
Result<Schedule> reduce_direct_pull(const Topology& topology, const Request& request, int lanes) {
  Draft draft = start(topology, request, "direct_pull", 1);
  const Rank root = request.root;
  wait_records(draft, root);
  draft.fold(root, draft.whole(), draft.output(root), inputs(draft, 0));
  for (const Rank peer : draft.peers(root)) draft.wait(peer, draft.signal(root, peer));
  return std::move(draft).finish(lanes);
}

// Steps 2 of signals alone; each rank reads (n - 1) B.
Result<Schedule> reduce_scatter_direct_pull(const Topology& topology, const Request& request,
                                            int lanes) {
  Draft draft = start(topology, request, "direct_pull", 1);
  for (Rank rank = 0; rank < draft.ranks(); ++rank) {
    const auto block = static_cast<uint32_t>(rank);
    wait_records(draft, rank);
    draft.fold(rank, draft.whole(block), draft.output(rank), inputs(draft, block));
  }
  meet(draft);
  return std::move(draft).finish(lanes);
}

}  // namespace unirack
