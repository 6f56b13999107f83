// Two sources of randomness with different promises. fill_random is the kernel's generator, for
// keys and nonces; any thread may call it. Random is a small seeded generator (xoshiro256**, seeded
// through SplitMix64) for tests, simulations and back-off: the same seed gives the same sequence
// for ever, and nothing secret may come from it. A Random has one owner and is not thread-safe.
#pragma once

#include <array>
#include <cstdint>
#include <limits>

#include "lib/base/bytes.h"

namespace unirack {

Status fill_random(Bytes target);

class Random {
 public:
  using result_type = uint64_t;  // NOLINT: a UniformRandomBitGenerator needs this name

  explicit Random(uint64_t seed);

  uint64_t next();
  // Uniform in [0, bound), without bias; bound must not be 0.
  uint64_t below(uint64_t bound);
  // Uniform in [0, 1), 53 bits.
  double unit();
  void fill(Bytes target);

  static constexpr uint64_t min() { return 0; }
  static constexpr uint64_t max() { return std::numeric_limits<uint64_t>::max(); }
  uint64_t operator()() { return next(); }

 private:
  std::array<uint64_t, 4> state_{};
};

}  // namespace unirack
