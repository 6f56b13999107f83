// Rings: each rank talks only to its neighbours, every link carries the same bytes. The ring runs
// through one domain after the other, so it crosses each border once. Sums are taken in ring order,
// a different one for every chunk: reassociates.
#include "collectives/algorithms/algorithms.h"
#include "collectives/algorithms/draft.h"

namespace unirack {

namespace {

class Ring {
 public:
  explicit Ring(const Topology& topology) : order_(joined(topology.domains())) {}

  int size() const { return static_cast<int>(order_.size()); }
  // Positions are modulo the size and may be negative.
  Rank at(int position) const {
    return order_[static_cast<size_t>((position % size() + size()) % size())];
  }

 private:
  std::vector<Rank> order_;
};

uint32_t block_of(Rank rank) { return static_cast<uint32_t>(rank); }

// The share that `rank` ends with: a chunk of the vector, or a data block.
struct Share {
  Parts parts;
  uint32_t input_block = 0;
};

Share share_of(const Draft& draft, Rank rank) {
  if (draft.header().collective == Collective::all_reduce) {
    return {Draft::chunk(block_of(rank)), 0};
  }
  return {draft.whole(block_of(rank)), block_of(rank)};
}

// The sum of each rank's share wanders once around and ends there. At step s the rank at position i
// sends on the share of the rank at i - 1 - s.
void reduce_scatter(Draft& draft, const Ring& ring) {
  const int n = ring.size();
  if (n == 1) {
    const Slice own = draft.input(0);
    return draft.reduce(0, draft.whole(), draft.output(0), std::span(&own, 1));
  }
  const uint32_t raw = draft.scratch(1);
  const uint32_t sums = draft.scratches(static_cast<size_t>(n) - 1, 1, Form::partial);
  for (int step = 0; step < n - 1; ++step) {
    const auto turn = static_cast<uint32_t>(step);
    std::vector<Mark> marks;
    for (int i = 0; i < n; ++i) {
      const Share share = share_of(draft, ring.at(i - 1 - step));
      const Rank rank = ring.at(i);
      const Rank next = ring.at(i + 1);
      const Slice own = step == 0 ? draft.input(rank, share.input_block)
                                  : Draft::at(rank, sums + turn - 1, share.parts);
      // Sums after the first step are taken where they arrived.
      const uint32_t target = step == 0 ? raw : sums + turn;
      draft.copy(rank, share.parts, Draft::at(next, target, share.parts), own);
      marks.push_back(draft.signal(rank, next));
    }
    for (int i = 0; i < n; ++i) {
      const Share share = share_of(draft, ring.at(i - 2 - step));
      const Rank rank = ring.at(i);
      draft.wait(rank, marks[static_cast<size_t>((i - 1 + n) % n)]);
      const Slice received = Draft::at(rank, step == 0 ? raw : sums + turn, share.parts);
      const Slice sources[] = {received, draft.input(rank, share.input_block)};
      const Slice target =
          step == n - 2 ? draft.output(rank) : Draft::at(rank, sums + turn, share.parts);
      draft.reduce(rank, share.parts, target, sources);
    }
  }
}

// Each rank's share wanders once around; `blocks`: shares are output blocks, not chunks.
void all_gather(Draft& draft, const Ring& ring, bool records) {
  const int n = ring.size();
  const bool blocks = draft.header().collective == Collective::all_gather;
  for (int step = 0; step < n - 1; ++step) {
    std::vector<Mark> marks;
    for (int i = 0; i < n; ++i) {
      const Rank owner = ring.at(i - step);
      const Rank rank = ring.at(i);
      const Rank next = ring.at(i + 1);
      const uint32_t block = blocks ? block_of(owner) : 0;
      if (records && step == 0) draft.wait_record(rank, next);
      draft.copy(rank, share_of(draft, owner).parts, draft.output(next, block),
                 draft.output(rank, block));
      marks.push_back(draft.signal(rank, next));
    }
    for (int i = 0; i < n; ++i) {
      draft.wait(ring.at(i), marks[static_cast<size_t>((i - 1 + n) % n)]);
    }
  }
}

}  // namespace

// Steps 2 (n - 1), written 2 B (n - 1) / n.
Result<Schedule> all_reduce_ring(const Topology& topology, const Request& request, int lanes) {
  Draft draft(topology, request, "ring", static_cast<uint32_t>(topology.rank_count()));
  draft.header().reassociates = true;
  draft.header().stages = 2;
  const Ring ring(topology);
  reduce_scatter(draft, ring);
  all_gather(draft, ring, true);
  return std::move(draft).finish(lanes);
}

// Steps n - 1, written (n - 1) B.
Result<Schedule> reduce_scatter_ring(const Topology& topology, const Request& request, int lanes) {
  Draft draft(topology, request, "ring", 1);
  draft.header().reassociates = true;
  draft.header().stages = 2;
  reduce_scatter(draft, Ring(topology));
  return std::move(draft).finish(lanes);
}

// Steps n - 1, written (n - 1) B.
Result<Schedule> all_gather_ring(const Topology& topology, const Request& request, int lanes) {
  Draft draft(topology, request, "ring", 1);
  for (Rank rank = 0; rank < draft.ranks(); ++rank) {
    const uint32_t own = block_of(rank);
    draft.copy(rank, draft.whole(own), draft.output(rank, own), draft.input(rank));
  }
  all_gather(draft, Ring(topology), true);
  return std::move(draft).finish(lanes);
}

}  // namespace unirack
