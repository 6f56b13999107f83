#include "collectives/algorithms/slot_map.h"

#include <algorithm>
#include <numeric>

#include "collectives/algorithms/algorithms.h"

namespace unirack {

namespace {

// Blocks are cut into at most so many chunks: more would make messages small for little balance.
constexpr uint32_t kBlockChunksMax = 16;

// Where share `i` of `size` begins on a line of `length` chunks.
uint32_t share_begin(uint64_t length, uint64_t i, uint64_t size) {
  return static_cast<uint32_t>(length * i / size);
}

uint32_t exact_chunks(const std::vector<uint32_t>& sizes, uint32_t unit) {
  uint64_t multiple = unit;
  for (const uint32_t size : sizes) {
    multiple = std::lcm(multiple, uint64_t{size} * unit);
    if (multiple > kChunksMax) return kChunksMax + 1;
  }
  return static_cast<uint32_t>(multiple);
}

uint32_t choose_chunks(const std::vector<uint32_t>& sizes, uint32_t unit) {
  const uint32_t exact = exact_chunks(sizes, unit);
  if (exact <= kChunksMax) return exact;
  const uint32_t smallest = *std::min_element(sizes.begin(), sizes.end());
  return kChunksMax / smallest * smallest;
}

// The part of the vector, in `kScale`ths of a share, that a domain may finish at a cost of at most
// `bound` per member.
struct Interval {
  uint64_t low = 0;
  uint64_t high = 0;
};

// Two lines bound what crosses the rails of a domain that finishes f of the vector: out go the
// partial sums of the rest and k - 1 times f; in come the rest and k - 1 partial sums of f.
class Waterline {
 public:
  Waterline(const std::vector<uint32_t>& sizes, uint32_t partial_factor)
      : sizes_(sizes),
        whole_(kScale * sizes.size()),
        out_slope_(static_cast<int64_t>(sizes.size()) - 1 - partial_factor),
        in_slope_(static_cast<int64_t>(partial_factor * (sizes.size() - 1)) - 1),
        partial_factor_(partial_factor) {}

  uint64_t whole() const { return whole_; }

  bool holds(uint64_t bound, std::vector<Interval>& intervals) const {
    uint64_t low = 0;
    uint64_t high = 0;
    intervals.clear();
    for (const uint32_t size : sizes_) {
      Interval interval{0, whole_};
      const uint64_t budget = bound * size / kFine;
      if (!narrow(budget, partial_factor_ * whole_, out_slope_, interval)) return false;
      if (!narrow(budget, whole_, in_slope_, interval)) return false;
      intervals.push_back(interval);
      low += interval.low;
      high += interval.high;
    }
    return low <= whole_ && whole_ <= high;
  }

  // Every domain at its least, and of the rest as much as it has room for.
  std::vector<uint32_t> solve() const {
    uint64_t low = 0;
    uint64_t high = uint64_t{1} << 50;
    std::vector<Interval> intervals;
    while (low + 1 < high) {
      const uint64_t middle = (low + high) / 2;
      (holds(middle, intervals) ? high : low) = middle;
    }
    holds(high, intervals);
    uint64_t rest = whole_;
    uint64_t room = 0;
    for (const Interval& each : intervals) {
      rest -= each.low;
      room += each.high - each.low;
    }
    std::vector<uint32_t> weights;
    for (const Interval& each : intervals) {
      const uint64_t own = each.high - each.low;
      const uint64_t given = room == 0 ? 0 : rest * own / room;
      weights.push_back(static_cast<uint32_t>(each.low + given));
      rest -= given;
      room -= own;
    }
    return weights;
  }

 private:
  static constexpr uint64_t kScale = 1024;
  static constexpr uint64_t kFine = 1024;  // of the bound, so that sizes differ in it

  // Leaves of the interval what base + slope * f <= budget allows.
  static bool narrow(uint64_t budget, uint64_t base, int64_t slope, Interval& interval) {
    if (slope >= 0) {
      if (budget < base) return false;
      if (slope > 0) {
        interval.high = std::min(interval.high, (budget - base) / static_cast<uint64_t>(slope));
      }
    } else if (budget < base) {
      const auto fall = static_cast<uint64_t>(-slope);
      interval.low = std::max(interval.low, (base - budget + fall - 1) / fall);
    }
    return interval.low <= interval.high;
  }

  const std::vector<uint32_t>& sizes_;
  uint64_t whole_;
  int64_t out_slope_;
  int64_t in_slope_;
  uint64_t partial_factor_;
};

// Chunks a block has to be cut into, so that the busiest rank of all has least to carry.
uint32_t choose_block_chunks(const std::vector<uint32_t>& sizes) {
  uint32_t best = 1;
  uint64_t best_load = 0;  // in chunks of 1 / best
  for (uint32_t chunks = 1; chunks <= kBlockChunksMax; ++chunks) {
    uint64_t load = 0;
    for (const uint32_t holders : sizes) {
      uint64_t sum = 0;
      for (const uint32_t owners : sizes) {
        sum += (uint64_t{owners} * chunks + holders - 1) / holders;
      }
      load = std::max(load, sum);
    }
    if (chunks > 1 && load * best >= best_load * chunks) continue;
    best = chunks;
    best_load = load;
  }
  return best;
}

}  // namespace

ColumnMap::ColumnMap(const std::vector<uint32_t>& sizes, const std::vector<uint32_t>& weights,
                     uint32_t unit)
    : chunks_(choose_chunks(sizes, unit)) {
  for (const uint32_t size : sizes) {
    auto& shares = shares_.emplace_back();
    for (uint32_t i = 0; i < size; ++i) {
      shares.push_back({share_begin(chunks_, i, size), share_begin(chunks_, i + 1, size)});
    }
  }
  cut();
  deal_finishing(weights);
}

bool ColumnMap::is_exact(const std::vector<uint32_t>& sizes, uint32_t unit) {
  return exact_chunks(sizes, unit) <= kChunksMax;
}

// A column ends where any domain's share does.
void ColumnMap::cut() {
  std::vector<uint32_t> owners(shares_.size(), 0);
  std::vector<uint32_t> columns_of(shares_.size(), 0);  // of the owner that is under way
  for (uint32_t begin = 0; begin < chunks_;) {
    uint32_t end = chunks_;
    for (size_t domain = 0; domain < owners.size(); ++domain) {
      end = std::min(end, shares_[domain][owners[domain]].end);
    }
    columns_.push_back({.parts = {begin, end}, .owners = owners});
    for (size_t domain = 0; domain < owners.size(); ++domain) {
      turns_ = std::max(turns_, ++columns_of[domain]);
      if (shares_[domain][owners[domain]].end > end) continue;
      ++owners[domain];
      columns_of[domain] = 0;
    }
    begin = end;
  }
  // An owner's columns follow each other.
  for (size_t i = 0; i < columns_.size(); ++i) {
    columns_[i].turn = static_cast<uint32_t>(i % turns_);
  }
}

// Weighted round robin over the chunks: smooth, so every owner gets its part of the finishing too.
void ColumnMap::deal_finishing(const std::vector<uint32_t>& weights) {
  const int64_t sum = std::accumulate(weights.begin(), weights.end(), int64_t{0});
  std::vector<int64_t> credit(weights.size(), 0);
  for (Column& column : columns_) {
    column.finished.assign(weights.size(), 0);
    for (uint32_t chunk = column.parts.begin; chunk < column.parts.end; ++chunk) {
      size_t richest = 0;
      for (size_t domain = 0; domain < weights.size(); ++domain) {
        credit[domain] += weights[domain];
        if (credit[domain] > credit[richest]) richest = domain;
      }
      credit[richest] -= sum;
      ++column.finished[richest];
    }
  }
}

std::vector<uint32_t> finishing_weights(const std::vector<uint32_t>& sizes,
                                        uint32_t partial_factor) {
  return Waterline(sizes, partial_factor).solve();
}

BlockMap::BlockMap(const Topology& topology)
    : domains_(topology.domains().size()),
      chunks_(choose_block_chunks(domain_sizes(topology))),
      places_(static_cast<size_t>(topology.rank_count())),
      held_(places_.size()),
      pieces_(places_.size() * domains_) {
  for (const auto& domain : topology.domains()) {
    for (size_t i = 0; i < domain.size(); ++i) {
      places_[static_cast<size_t>(domain[i])] = static_cast<uint32_t>(i);
    }
  }
  for (size_t holders = 0; holders < domains_; ++holders) {
    for (size_t step = 0; step < domains_; ++step) {
      deal(topology, (holders + step) % domains_, holders);
    }
  }
}

// The blocks of one domain's ranks to the members of another.
void BlockMap::deal(const Topology& topology, size_t from, size_t to) {
  const auto& owners = topology.domains()[from];
  const auto& holders = topology.domains()[to];
  const uint64_t length = uint64_t{chunks_} * owners.size();
  for (size_t i = 0; i < holders.size(); ++i) {
    const uint32_t end = share_begin(length, i + 1, holders.size());
    for (uint32_t at = share_begin(length, i, holders.size()); at < end;) {
      const uint32_t first = at / chunks_ * chunks_;
      const uint32_t stop = std::min(end, first + chunks_);
      auto& held = held_[static_cast<size_t>(holders[i])];
      const Piece piece{holders[i],
                        owners[at / chunks_],
                        {at - first, stop - first},
                        static_cast<uint32_t>(held.size())};
      held.push_back(piece);
      pieces_[static_cast<size_t>(piece.owner) * domains_ + to].push_back(piece);
      if (lengths_.size() < held.size()) lengths_.push_back(0);
      lengths_[piece.index] = std::max(lengths_[piece.index], stop - at);
      at = stop;
    }
  }
}

std::vector<uint32_t> domain_sizes(const Topology& topology) {
  std::vector<uint32_t> sizes;
  for (const auto& domain : topology.domains()) {
    sizes.push_back(static_cast<uint32_t>(domain.size()));
  }
  return sizes;
}

}  // namespace unirack
