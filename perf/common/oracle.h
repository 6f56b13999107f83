// The data of a checked call and its exact result, computed in plain C++ without the library.
//
// Inputs are chosen so that any order of reduction gives the same bits: integers modulo 2^n, floats
// whose partial results are all representable (small whole numbers times one power of two; for
// products powers of two and one odd factor; for averages numbers that cancel around the mean).
// Data that is only moved is random bits. Everything is a function of (seed, source rank, block id,
// element), and repeats after kPeriod elements, a prime, so that checking runs at memcmp's speed.
// Immutable; any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "perf/common/types.h"

namespace unirack::perf {

inline constexpr size_t kPeriod = 65521;

class Oracle {
 public:
  // No operator: data that is only moved.
  Oracle(unirackDataType_t type, std::optional<Op> op, int rank_count, uint64_t seed);

  // The first `count` (at most kPeriod) elements of block `id` that rank `source` sends.
  std::vector<std::byte> input(int source, int id, size_t count) const;
  // The same of the block's reduction over all ranks.
  std::vector<std::byte> reduced(int id, size_t count) const;

 private:
  uint64_t hash(uint64_t a, uint64_t b, uint64_t c) const;
  double float_value(int source, int id, size_t i) const;
  uint64_t integer_value(int source, int id, size_t i) const;
  double reduced_float(int id, size_t i) const;
  uint64_t reduced_integer(int id, size_t i) const;

  unirackDataType_t type_;
  std::optional<Op> op_;
  int rank_count_;
  uint64_t seed_;
};

// The scalar of Op::premul in the form that unirackRedOpCreatePreMulSum reads: 0.5 or 3.
std::vector<std::byte> premul_scalar(unirackDataType_t type);

}  // namespace unirack::perf
