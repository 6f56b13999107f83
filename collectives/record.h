// What two ranks tell each other when they meet, and where it is written.
//
// The j-th time two ranks meet in an operation, each writes a Record to the other, at ring place
// j mod 2K of its inbox. Every lane of the peer has a counter word beside it. Nothing here is ever
// reset: meeting numbers only grow (DESIGN.md, "Meetings").
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <string>

#include "collectives/layout.h"
#include "kernels/program.h"

namespace unirack {

// K: operations of a communicator in progress at once.
inline constexpr uint32_t kInFlightMax = 4;
inline constexpr uint32_t kRingPlaces = 2 * kInFlightMax;

// Region 0 is none: the peer has no such buffer, or the plan does not touch it from outside.
struct Record {
  uint64_t meeting = 0;       // also the signal that publishes the rest
  uint64_t request = 0;       // pack_request()
  uint64_t count = 0;         // elements a block; all_to_all_v: bytes I send you
  uint64_t expected = 0;      // all_to_all_v: bytes I expect of you; premul_sum: the scalar
  uint64_t input_offset = 0;  // into the regions below
  uint64_t output_offset = 0;
  uint32_t input_region = 0;
  uint32_t output_region = 0;
  uint32_t schedule = 0;  // low half of the schedule's hash
  uint32_t finished = 0;  // collectives finished, low half
};
static_assert(sizeof(Record) == 64 && std::endian::native == std::endian::little,
              "records travel as they lie in memory");

// The inbox of a rank: for every writer, kRingPlaces of one record line and the counters.
struct Inbox {
  static constexpr uint64_t kLineBytes = 64;
  static constexpr uint64_t kPlaceBytes = kLineBytes + kLanesMax * sizeof(uint64_t);

  static constexpr uint64_t bytes(int ranks) {
    return static_cast<uint64_t>(ranks) * kRingPlaces * kPlaceBytes;
  }
  static constexpr uint64_t record(Rank writer, uint64_t meeting) {
    return (static_cast<uint64_t>(writer) * kRingPlaces + meeting % kRingPlaces) * kPlaceBytes;
  }
  static constexpr uint64_t counter(Rank writer, uint64_t meeting, uint32_t lane) {
    return record(writer, meeting) + kLineBytes + lane * sizeof(uint64_t);
  }
};
static_assert(kLanesMax * sizeof(uint64_t) % Inbox::kLineBytes == 0);

constexpr uint64_t counter_value(uint64_t meeting, uint64_t value) {
  return (meeting << kCounterBits) + value;
}

constexpr uint64_t pack_request(const Request& request) {
  return static_cast<uint64_t>(request.collective) | static_cast<uint64_t>(request.type) << 8 |
         static_cast<uint64_t>(request.op) << 16 | uint64_t{request.symmetric} << 24 |
         uint64_t{request.in_place} << 25 |
         static_cast<uint64_t>(static_cast<uint32_t>(request.root)) << 32;
}

// "all_reduce float sum x 1024": what a packed request means, for error texts. Any bits are legal.
std::string describe_request(uint64_t packed, uint64_t count);

}  // namespace unirack
