// The only place where time is read. The clock is steady; wall-clock time is used
// nowhere but for the age of files (collectives/calibrate/cache.h).
#pragma once

#include <chrono>
#include <cstdint>

namespace unirack {

using Clock = std::chrono::steady_clock;
using Duration = Clock::duration;
using TimePoint = Clock::time_point;
using Deadline = Clock::time_point;
using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::nanoseconds;

inline TimePoint now() { return Clock::now(); }
inline Deadline deadline_in(Duration duration) { return now() + duration; }
inline bool expired(Deadline deadline) { return now() >= deadline; }

inline constexpr Deadline kNoDeadline = TimePoint::max();

inline int64_t to_ms(Duration duration) {
  return std::chrono::duration_cast<milliseconds>(duration).count();
}

}  // namespace unirack
