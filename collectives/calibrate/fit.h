// From how long round trips took to what a link costs. Pure, in whole numbers.
//
// What disturbs a measurement (another process, an interrupt) only ever adds time, often much. So
// what was done several times stands for its lower eighth, and a line through such points is
// Theil and Sen's: the median of the slopes between all pairs, each weighted by its distance
// (Jaeckel 1972), so that the largest messages decide a rate. What makes no sense (no two sizes,
// time that does not grow) is refused with the reason.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "collectives/simulate/costs.h"
#include "lib/base/result.h"

namespace unirack {

// What is beyond these is no measurement.
inline constexpr uint64_t kTimedAmountMax = uint64_t{1} << 44;
inline constexpr uint64_t kTimedPsMax = uint64_t{3'600} * 1'000'000'000'000;
inline constexpr uint64_t kUnitsPerSecondMax = 1'000'000'000'000'000;

struct TimedSample {
  uint64_t amount = 0;  // bytes or messages
  uint64_t elapsed_ps = 0;
};

// elapsed = base + amount * rise / run
struct FittedLine {
  uint64_t base_ps = 0;  // from the smallest amount; never below 0
  uint64_t rise_ps = 0;  // above 0
  uint64_t run = 0;      // above 0

  uint64_t ps_per_unit() const;       // rounded to the nearest
  uint64_t units_per_second() const;  // rounded down, within 1 and the limit
};

Result<FittedLine> fit_line(std::span<const TimedSample> samples);

// `messages` of `bytes` each, and an empty answer to the last.
struct RoundTrip {
  uint32_t messages = 1;
  uint64_t bytes = 0;
  uint64_t elapsed_ps = 0;
};

// As the simulator charges for a round trip: 2 latencies, a gap for each message and for the
// answer, and the bytes at the bandwidth. Empty single ones, empty ones in bursts, and single ones
// of several sizes are needed. The result is marked measured.
Result<LinkCosts> fit_link(std::span<const RoundTrip> trips, bool holds_lane);

// Of a copy of the values; 0 of none. The lesser of two in the middle.
uint64_t lower_eighth(std::vector<uint64_t> values);
uint64_t lower_median(std::vector<uint64_t> values);

}  // namespace unirack
