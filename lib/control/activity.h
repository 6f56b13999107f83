// What ranks tell each other about themselves: Activity, in every heartbeat, and Verdict, the one
// failure that ends a pool. Plain values, free to cross threads.
#pragma once

#include <cstddef>
#include <cstdint>

#include "lib/base/result.h"

namespace unirack {

// What a rank is doing. `request` and `count` are opaque to the control plane except for equality;
// the describe function given at join turns them into words.
struct Activity {
  uint64_t sequence = 0;  // operations entered so far; 0 is none
  uint64_t request = 0;   // packed operation, type, reduction, root
  uint64_t count = 0;     // elements
  uint32_t step = 0;
  Rank waiting_for = kNoRank;
  bool busy = false;  // an operation is in progress

  friend bool operator==(const Activity&, const Activity&) = default;
};

// An operation that a rank has entered. The last kEnteredMax are remembered, so that a mismatch can
// be told after the pool has moved on; it is twice the number of operations that may be in
// progress.
struct Entered {
  uint64_t sequence = 0;
  uint64_t request = 0;
  uint64_t count = 0;

  friend bool operator==(const Entered&, const Entered&) = default;
};
inline constexpr size_t kEnteredMax = 16;

// The failure that ends the pool: the lowest (sequence, culprit) of all evidence.
struct Verdict {
  uint64_t sequence = 0;
  Error error;  // code and culprit are the same on every rank
};

}  // namespace unirack
