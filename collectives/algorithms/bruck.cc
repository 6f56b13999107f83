// Bruck's algorithms: log_r n steps for any rank count, at step j with the ranks i r^j away, i from
// 1 to r - 1. For small messages, where steps cost more than bytes; a higher radix has fewer steps
// of more messages.
#include <algorithm>
#include <string>
#include <vector>

#include "collectives/algorithms/algorithms.h"
#include "collectives/algorithms/draft.h"

namespace unirack {

namespace {

uint32_t block_of(Rank rank) { return static_cast<uint32_t>(rank); }

std::string name_of(int radix) { return radix == 2 ? "bruck" : "bruck_" + std::to_string(radix); }

// Writes an all-to-all: a block with `way` ranks to go travels the digits of `way`, the last first.
class Travels {
 public:
  Travels(Draft& draft, int radix) : draft_(draft), radix_(radix), ranks_(draft.ranks()) {}

  void write() {
    int distance = 1;
    for (; distance < ranks_; distance *= radix_) {
      blocks_.emplace_back(static_cast<size_t>(ranks_), 0);
      write_step(distance);
    }
    for (Rank rank = 0; rank < ranks_; ++rank) {
      for (int way = 0; way < ranks_; ++way) {
        const Rank source = (rank - way + ranks_) % ranks_;
        draft_.copy(rank, data_of(source, way), draft_.output(rank, block_of(source)),
                    held(source, way, distance));
      }
    }
  }

 private:
  void write_step(int distance) {
    for (int way = distance; way < ranks_; ++way) {
      if (digit(way, distance) > 0) blocks_.back()[static_cast<size_t>(way)] = draft_.scratch(1);
    }
    std::vector<std::vector<Mark>> marks(static_cast<size_t>(ranks_));  // by reader
    for (Rank rank = 0; rank < ranks_; ++rank) {
      for (int turn = 1; turn < radix_ && turn * distance < ranks_; ++turn) {
        const Rank peer = (rank + turn * distance) % ranks_;
        for (int way = turn * distance; way < ranks_; ++way) {
          if (digit(way, distance) != turn) continue;
          const Rank source = (rank - way % distance + ranks_) % ranks_;
          draft_.copy(
              rank, data_of(source, way),
              Draft::at(peer, blocks_.back()[static_cast<size_t>(way)], data_of(source, way)),
              held(source, way, distance));
        }
        marks[static_cast<size_t>(peer)].push_back(draft_.signal(rank, peer));
      }
    }
    for (Rank rank = 0; rank < ranks_; ++rank) {
      draft_.wait_each(rank, marks[static_cast<size_t>(rank)]);
    }
  }

  int digit(int way, int distance) const { return way / distance % radix_; }

  Parts data_of(Rank source, int way) const {
    return draft_.whole(block_of(source) * block_of(ranks_) + block_of((source + way) % ranks_));
  }

  // Where the block of `source` for source + way lies before the step at `distance`.
  Slice held(Rank source, int way, int distance) const {
    const int gone = way % distance;
    if (gone == 0) return draft_.input(source, block_of((source + way) % ranks_));
    size_t last = 0;
    for (int rest = gone / radix_; rest > 0; rest /= radix_) ++last;
    return Draft::at((source + gone) % ranks_, blocks_[last][static_cast<size_t>(way)],
                     data_of(source, way));
  }

  Draft& draft_;
  const int radix_;
  const int ranks_;
  std::vector<std::vector<uint32_t>> blocks_;  // by step and way: where it arrives
};

}  // namespace

// Steps ceil(log_r n), written (n - 1) B. Before the step at distance d a rank holds the blocks of
// the d ranks from itself upwards; they go straight into the outputs of the ranks i d below.
Result<Schedule> all_gather_bruck(const Topology& topology, const Request& request, int lanes,
                                  int radix) {
  Draft draft(topology, request, name_of(radix), 1);
  const int n = draft.ranks();
  for (Rank rank = 0; rank < n; ++rank) {
    const uint32_t own = block_of(rank);
    draft.copy(rank, draft.whole(own), draft.output(rank, own), draft.input(rank));
  }
  for (int distance = 1; distance < n; distance *= radix) {
    std::vector<std::vector<Mark>> marks(static_cast<size_t>(n));  // by reader
    for (Rank rank = 0; rank < n; ++rank) {
      for (int far = distance; far < std::min(n, distance * radix); far += distance) {
        const Rank peer = (rank - far + n) % n;
        draft.wait_record(rank, peer);
        for (int i = 0; i < std::min(distance, n - far); ++i) {
          const uint32_t data = block_of((rank + i) % n);
          draft.copy(rank, draft.whole(data), draft.output(peer, data), draft.output(rank, data));
        }
        marks[static_cast<size_t>(peer)].push_back(draft.signal(rank, peer));
      }
    }
    for (Rank rank = 0; rank < n; ++rank) {
      draft.wait_each(rank, marks[static_cast<size_t>(rank)]);
    }
  }
  return std::move(draft).finish(lanes);
}

// Steps ceil(log_r n), written about n (1 - 1 / r) log_r n B, through scratch: in place. Two
// stages: to end a tile a rank needs everyone's start.
Result<Schedule> all_to_all_bruck(const Topology& topology, const Request& request, int lanes,
                                  int radix) {
  Draft draft(topology, request, name_of(radix), 1);
  draft.header().stages = 2;
  Travels(draft, radix).write();
  return std::move(draft).finish(lanes);
}

}  // namespace unirack
