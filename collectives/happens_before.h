// The partial order in which verify() reasons: vector clocks over lanes, and accesses that last
// from the step that issues them until their bytes are known to have landed.
#pragma once

#include <algorithm>
#include <compare>
#include <cstdint>
#include <limits>
#include <vector>

#include "collectives/symbol.h"
#include "kernels/program.h"
#include "lib/base/result.h"

namespace unirack {

inline constexpr uint32_t kNever = std::numeric_limits<uint32_t>::max();

// What is known to have happened. Threads are (rank, lane) pairs.
struct VectorClock {
  std::vector<uint32_t> steps;  // by thread: its steps up to this one have been issued
  std::vector<uint32_t>
      delivered;              // by thread and rank: signals up to this step have arrived there
  std::vector<bool> entered;  // by rank: its program has begun

  void merge(const VectorClock& other) {
    for (size_t i = 0; i < steps.size(); ++i) steps[i] = std::max(steps[i], other.steps[i]);
    for (size_t i = 0; i < delivered.size(); ++i) {
      delivered[i] = std::max(delivered[i], other.delivered[i]);
    }
    for (size_t i = 0; i < entered.size(); ++i) entered[i] = entered[i] || other.entered[i];
  }
};

// An access lasts from the step that issues it until one of its ends is known to have happened.
struct MemoryAccess {
  uint32_t thread = 0;
  uint32_t issued = 0;
  bool writes = false;
  uint32_t ended_by_step = kNever;      // a later step of the same thread
  uint32_t ended_by_delivery = kNever;  // a later signal of the same thread, arrived at `peer`
  Rank peer = kNoRank;
  const VectorClock* clock = nullptr;  // at its begin

  // Whether the access is over wherever `at` is known.
  bool ended_before(const VectorClock& at, uint32_t ranks) const {
    if (ended_by_step != kNever && at.steps[thread] >= ended_by_step) return true;
    return ended_by_delivery != kNever &&
           at.delivered[thread * ranks + static_cast<uint32_t>(peer)] >= ended_by_delivery;
  }
};

// Which memory: tile counts for input and output, stage for scratch.
struct Cell {
  Rank rank = 0;
  BufferId buffer = BufferId::input;
  uint32_t block = 0;
  uint32_t position = 0;
  uint64_t tile = 0;
  friend auto operator<=>(const Cell&, const Cell&) = default;
};

struct CellState {
  SymbolId holds = kNothing;
  std::vector<MemoryAccess> accesses;
};

}  // namespace unirack
