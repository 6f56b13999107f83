#include "perf/common/oracle.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "perf/common/numbers.h"

namespace unirack::perf {
namespace {

constexpr double kFloatScalar = 0.5;
constexpr uint64_t kIntegerScalar = 3;

bool is_signed(unirackDataType_t type) {
  return type == unirackInt8 || type == unirackInt32 || type == unirackInt64;
}

// A value from [-limit, limit].
int64_t signed_value(uint64_t random, int64_t limit) {
  const uint64_t width = 2 * static_cast<uint64_t>(limit) + 1;
  return static_cast<int64_t>(random % width) - limit;
}

// The low bytes of `bits` as the type's value, widened with its sign.
int64_t sign_extended(uint64_t bits, size_t bytes) {
  const auto shift = static_cast<int>(64 - 8 * bytes);
  return static_cast<int64_t>(bits << shift) >> shift;
}

uint64_t truncated(uint64_t bits, size_t bytes) {
  return bytes == 8 ? bits : bits & ((uint64_t{1} << (8 * bytes)) - 1);
}

// What all ranks share at element i of block id, and what is one rank's own.
constexpr uint64_t kShared = UINT64_MAX;

// -0 < +0, as IEEE 754-2019 says.
double minimum(double a, double b) { return a < b || (a == b && std::signbit(a)) ? a : b; }
double maximum(double a, double b) { return a > b || (a == b && !std::signbit(a)) ? a : b; }

void store(std::vector<std::byte>& bytes, size_t i, size_t size, uint64_t bits) {
  std::memcpy(bytes.data() + i * size, &bits, size);  // little endian
}

}  // namespace

Oracle::Oracle(unirackDataType_t type, std::optional<Op> op, int rank_count, uint64_t seed)
    : type_(type), op_(op), rank_count_(rank_count), seed_(seed) {}

// splitmix64's finaliser over a mix of the coordinates.
uint64_t Oracle::hash(uint64_t a, uint64_t b, uint64_t c) const {
  uint64_t x = seed_ + a * 0x9e3779b97f4a7c15u + b * 0xc2b2ae3d27d4eb4fu + c * 0x165667b19e3779f9u;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
  return x ^ (x >> 31);
}

double Oracle::float_value(int source, int id, size_t i) const {
  const auto rank = static_cast<uint64_t>(source);
  const uint64_t shared = hash(kShared, static_cast<uint64_t>(id), i);
  const uint64_t own = hash(rank, static_cast<uint64_t>(id), i);
  const auto ranks = static_cast<uint64_t>(rank_count_);
  const int64_t limit = exact_limit(type_);
  const double scale = std::ldexp(1.0, static_cast<int>(shared % 5) - 2);
  switch (*op_) {
    case Op::sum:
    case Op::premul: {
      const int64_t each = limit / rank_count_;
      if (each > 0) return scale * static_cast<double>(signed_value(own, each));
      // More ranks than the type can count: `limit` of them, a different window each time.
      const bool chosen = (rank + shared) % ranks < static_cast<uint64_t>(limit);
      return chosen ? scale * static_cast<double>(signed_value(own, 1)) : 0.0;
    }
    case Op::prod: {
      const int exponent = static_cast<int>((rank + shared) % 3) - 1;
      const double sign = (own & 1) != 0 ? -1.0 : 1.0;
      const bool has_factor = shared % ranks == rank;
      const int64_t odd = static_cast<int64_t>(own >> 8) & (limit - 1);
      return sign * std::ldexp(has_factor ? static_cast<double>(odd | 1) : 1.0, exponent);
    }
    case Op::max:
    case Op::min:
      if (shared % 16 == 0) return (own & 1) != 0 ? -0.0 : 0.0;
      return scale * static_cast<double>(signed_value(own, limit - 1));
    case Op::avg:
      break;
  }
  // A mean that all ranks share, and differences that cancel between neighbours. Partial sums stay
  // exact in the accumulator: float32 or the type itself.
  const int64_t accumulator = type_ == unirackFloat64 ? exact_limit(type_) : int64_t{1} << 24;
  const int64_t bound = std::max<int64_t>(1, std::min(limit / 2, accumulator / (2 * rank_count_)));
  const int64_t mean = signed_value(shared, bound);
  const uint64_t partner = rank ^ 1;
  if (partner >= ranks) return scale * static_cast<double>(mean);
  const uint64_t pair = hash(std::min(rank, partner), static_cast<uint64_t>(id), i);
  const int64_t difference = signed_value(pair, bound);
  return scale * static_cast<double>(mean + (rank < partner ? difference : -difference));
}

uint64_t Oracle::integer_value(int source, int id, size_t i) const {
  const uint64_t own = hash(static_cast<uint64_t>(source), static_cast<uint64_t>(id), i);
  if (op_ == Op::prod) return own | 1;  // a zero or many twos would hide everything else
  if (op_ != Op::avg) return own;
  // The sum must not wrap, so that its quotient has one meaning.
  const uint64_t limit = (uint64_t{1} << (8 * size_of(type_) - 2)) - 1;
  const uint64_t each = limit / static_cast<uint64_t>(rank_count_);
  const uint64_t few = static_cast<uint64_t>(source) < limit ? 1 : 0;
  const uint64_t value = each > 0 ? own % (each + 1) : few;
  const uint64_t shared = hash(kShared, static_cast<uint64_t>(id), i);
  return is_signed(type_) && (shared & 1) != 0 ? 0 - value : value;
}

double Oracle::reduced_float(int id, size_t i) const {
  double result = float_value(0, id, i);
  for (int rank = 1; rank < rank_count_; ++rank) {
    const double value = float_value(rank, id, i);
    if (op_ == Op::prod) {
      result *= value;
    } else if (op_ == Op::min) {
      result = minimum(result, value);
    } else if (op_ == Op::max) {
      result = maximum(result, value);
    } else {
      result += value;
    }
  }
  if (op_ == Op::avg) return result / rank_count_;
  return op_ == Op::premul ? result * kFloatScalar : result;
}

uint64_t Oracle::reduced_integer(int id, size_t i) const {
  const size_t bytes = size_of(type_);
  const auto less = [&](uint64_t a, uint64_t b) {
    return is_signed(type_) ? sign_extended(a, bytes) < sign_extended(b, bytes)
                            : truncated(a, bytes) < truncated(b, bytes);
  };
  uint64_t result = integer_value(0, id, i);
  for (int rank = 1; rank < rank_count_; ++rank) {
    const uint64_t value = integer_value(rank, id, i);
    if (op_ == Op::prod) {
      result *= value;
    } else if (op_ == Op::min || op_ == Op::max) {
      if (less(value, result) == (op_ == Op::min)) result = value;
    } else {
      result += value;
    }
  }
  if (op_ == Op::avg) {
    return is_signed(type_) ? static_cast<uint64_t>(static_cast<int64_t>(result) / rank_count_)
                            : result / static_cast<uint64_t>(rank_count_);
  }
  return op_ == Op::premul ? result * kIntegerScalar : result;
}

std::vector<std::byte> Oracle::input(int source, int id, size_t count) const {
  const size_t size = size_of(type_);
  std::vector<std::byte> bytes(count * size);
  for (size_t i = 0; i < count; ++i) {
    if (!op_) {
      store(bytes, i, size, hash(static_cast<uint64_t>(source), static_cast<uint64_t>(id), i));
    } else if (is_float(type_)) {
      store(bytes, i, size, float_bits(type_, float_value(source, id, i)));
    } else {
      store(bytes, i, size, integer_value(source, id, i));
    }
  }
  return bytes;
}

std::vector<std::byte> Oracle::reduced(int id, size_t count) const {
  const size_t size = size_of(type_);
  std::vector<std::byte> bytes(count * size);
  for (size_t i = 0; i < count; ++i) {
    const uint64_t bits =
        is_float(type_) ? float_bits(type_, reduced_float(id, i)) : reduced_integer(id, i);
    store(bytes, i, size, bits);
  }
  return bytes;
}

std::vector<std::byte> premul_scalar(unirackDataType_t type) {
  std::vector<std::byte> bytes(size_of(type));
  const uint64_t bits = is_float(type) ? float_bits(type, kFloatScalar) : kIntegerScalar;
  std::memcpy(bytes.data(), &bits, bytes.size());
  return bytes;
}

}  // namespace unirack::perf
