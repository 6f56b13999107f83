// Bruck's algorithms: log2 n steps for any rank count, at step j with the ranks 2^j away. For small
// messages, where steps cost more than bytes.
#include <algorithm>
#include <map>
#include <tuple>

#include "collectives/algorithms/algorithms.h"
#include "collectives/algorithms/draft.h"

namespace unirack {

namespace {

uint32_t block_of(Rank rank) { return static_cast<uint32_t>(rank); }

}  // namespace

// Steps ceil(log2 n), written (n - 1) B. Before the step at distance d a rank holds the blocks of
// the d ranks from itself upwards; they go straight into the outputs of the rank d below.
Result<Schedule> all_gather_bruck(const Topology& topology, const Request& request, int lanes) {
  Draft draft(topology, request, "bruck", 1);
  const int n = draft.ranks();
  for (Rank rank = 0; rank < n; ++rank) {
    const uint32_t own = block_of(rank);
    draft.copy(rank, draft.whole(own), draft.output(rank, own), draft.input(rank));
  }
  for (int distance = 1; distance < n; distance *= 2) {
    std::vector<std::pair<Rank, Mark>> waits;
    for (Rank rank = 0; rank < n; ++rank) {
      const Rank peer = (rank - distance + n) % n;
      draft.wait_record(rank, peer);
      for (int i = 0; i < std::min(distance, n - distance); ++i) {
        const uint32_t data = block_of((rank + i) % n);
        draft.copy(rank, draft.whole(data), draft.output(peer, data), draft.output(rank, data));
      }
      waits.emplace_back(peer, draft.signal(rank, peer));
    }
    for (const auto& [peer, mark] : waits) draft.wait(peer, mark);
  }
  return std::move(draft).finish(lanes);
}

// Steps ceil(log2 n), written about n / 2 log2 n B. A block with k ranks to go travels the powers
// of two in k, through scratch: in place. Two stages: to end a tile a rank needs everyone's start.
Result<Schedule> all_to_all_bruck(const Topology& topology, const Request& request, int lanes) {
  Draft draft(topology, request, "bruck", 1);
  draft.header().stages = 2;
  const int n = draft.ranks();
  const auto data_of = [&](Rank source, int way) {
    return draft.whole(block_of(source) * block_of(n) + block_of((source + way) % n));
  };
  std::map<std::pair<int, int>, uint32_t> blocks;  // (distance, way)
  // Where the block of `source` for source + way lies before the step at `distance`.
  const auto held = [&](Rank source, int way, int distance) {
    const int gone = way & (distance - 1);
    if (gone == 0) return draft.input(source, block_of((source + way) % n));
    int last = 1;
    while (last * 2 <= gone) last *= 2;
    return Draft::at((source + gone) % n, blocks.at({last, way}), data_of(source, way));
  };
  int steps_end = 1;
  for (; steps_end < n; steps_end *= 2) {
    const int distance = steps_end;
    std::vector<std::pair<Rank, Mark>> waits;
    for (int way = distance; way < n; ++way) {
      if ((way & distance) != 0) blocks[{distance, way}] = draft.scratch(1);
    }
    for (Rank rank = 0; rank < n; ++rank) {
      const Rank peer = (rank + distance) % n;
      for (int way = distance; way < n; ++way) {
        if ((way & distance) == 0) continue;
        const Rank source = (rank - (way & (distance - 1)) + n) % n;
        draft.copy(rank, data_of(source, way),
                   Draft::at(peer, blocks.at({distance, way}), data_of(source, way)),
                   held(source, way, distance));
      }
      waits.emplace_back(peer, draft.signal(rank, peer));
    }
    for (const auto& [peer, mark] : waits) draft.wait(peer, mark);
  }
  for (Rank rank = 0; rank < n; ++rank) {
    for (int way = 0; way < n; ++way) {
      const Rank source = (rank - way + n) % n;
      draft.copy(rank, data_of(source, way), draft.output(rank, block_of(source)),
                 held(source, way, steps_end));
    }
  }
  return std::move(draft).finish(lanes);
}

}  // namespace unirack
