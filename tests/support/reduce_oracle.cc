#include "tests/support/reduce_oracle.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <type_traits>
#include <vector>

namespace unirack::testing {
namespace {

struct Format {
  int exponent_bits;
  int mantissa_bits;
  bool has_infinity;
  uint32_t max_finite;
  uint32_t overflow;  // what a magnitude above the largest finite becomes
  uint32_t nan;

  int bias() const { return (1 << (exponent_bits - 1)) - 1; }
  uint32_t sign() const { return 1u << (exponent_bits + mantissa_bits); }
};

Format format_of(DataType type) {
  switch (type) {
    case DataType::float16:
      return {5, 10, true, 0x7bff, 0x7c00, 0x7e00};
    case DataType::bfloat16:
      return {8, 7, true, 0x7f7f, 0x7f80, 0x7fc0};
    case DataType::float8_e4m3:
      return {4, 3, false, 0x7e, 0x7e, 0x7f};
    default:
      return {5, 2, true, 0x7b, 0x7b, 0x7f};
  }
}

float decode_slowly(DataType type, uint32_t code) {
  const Format f = format_of(type);
  const uint32_t magnitude = code & (f.sign() - 1);
  const auto exponent = static_cast<int>(magnitude >> f.mantissa_bits);
  const uint32_t mantissa = magnitude & ((1u << f.mantissa_bits) - 1);
  double value;
  if (magnitude > f.max_finite) {
    const bool is_infinity = f.has_infinity && mantissa == 0;
    value = is_infinity ? std::numeric_limits<double>::infinity()
                        : std::numeric_limits<double>::quiet_NaN();
  } else if (exponent == 0) {
    value = std::ldexp(mantissa, 1 - f.bias() - f.mantissa_bits);
  } else {
    const uint32_t significand = mantissa | (1u << f.mantissa_bits);
    value = std::ldexp(significand, exponent - f.bias() - f.mantissa_bits);
  }
  return static_cast<float>((code & f.sign()) != 0 ? -value : value);
}

using Table = std::vector<float>;

Table decode_table(DataType type) {
  Table table(size_t{1} << (8 * size_of(type)));
  for (uint32_t code = 0; code < table.size(); ++code) table[code] = decode_slowly(type, code);
  return table;
}

template <class T>
T read(const std::byte* from) {
  T value;
  std::memcpy(&value, from, sizeof(T));
  return value;
}

template <class T>
void write(std::byte* to, T value) {
  std::memcpy(to, &value, sizeof(T));
}

// The exact sum or product of two float32 needs at most one rounding after float64's; float64's own
// 53 bits are enough that rounding twice equals rounding once (2 * 24 + 2 <= 53).
template <class A>
A add(A a, A b) {
  if constexpr (std::is_same_v<A, float>) {
    return static_cast<float>(double{a} + double{b});
  } else if constexpr (std::is_same_v<A, double>) {
    return a + b;
  } else {
    return static_cast<A>(static_cast<uint64_t>(a) + static_cast<uint64_t>(b));
  }
}

template <class A>
A multiply(A a, A b) {
  if constexpr (std::is_same_v<A, float>) {
    return static_cast<float>(double{a} * double{b});
  } else if constexpr (std::is_same_v<A, double>) {
    return a * b;
  } else {
    return static_cast<A>(static_cast<uint64_t>(a) * static_cast<uint64_t>(b));
  }
}

template <class A>
A extreme(A a, A b, bool minimum) {
  if constexpr (std::is_floating_point_v<A>) {
    if (std::isnan(a)) return a;
    if (std::isnan(b)) return b;
    if (a == b) return std::signbit(a) == minimum ? a : b;
  }
  return (a < b) == minimum ? a : b;
}

template <class A>
A combine(ReduceOp op, A a, A b) {
  if (op == ReduceOp::prod) return multiply(a, b);
  if (op == ReduceOp::min) return extreme(a, b, true);
  if (op == ReduceOp::max) return extreme(a, b, false);
  return add(a, b);
}

template <class A>
A tree(ReduceOp op, std::span<const A> items) {
  if (items.size() == 1) return items[0];
  const size_t middle = std::bit_floor(items.size() - 1);
  return combine(op, tree(op, items.first(middle)), tree(op, items.subspan(middle)));
}

template <class A>
A average(A value, int rank_count) {
  if constexpr (std::is_floating_point_v<A>) {
    return static_cast<A>(double{value} / rank_count);
  } else if constexpr (std::is_signed_v<A>) {
    return static_cast<A>(int64_t{value} / rank_count);
  } else {
    return static_cast<A>(uint64_t{value} / static_cast<uint64_t>(rank_count));
  }
}

template <class A>
A load(DataType type, const ReduceSource& source, uint64_t at) {
  const std::byte* from = source.data + at * size_of(type, source.form);
  if constexpr (std::is_same_v<A, float>) {
    if (source.form == Form::user && size_of(type) == 1) {
      return decode_small(type, read<uint8_t>(from));
    }
    if (source.form == Form::user && size_of(type) == 2) {
      return decode_small(type, read<uint16_t>(from));
    }
  }
  return read<A>(from);
}

template <class A>
void finish(DataType type, A value, std::byte* to) {
  if constexpr (std::is_same_v<A, float>) {
    if (size_of(type) == 1) return write(to, static_cast<uint8_t>(encode_small(type, value)));
    if (size_of(type) == 2) return write(to, static_cast<uint16_t>(encode_small(type, value)));
    if (std::isnan(value)) return write(to, uint32_t{0x7fc00000});
  }
  if constexpr (std::is_same_v<A, double>) {
    if (std::isnan(value)) return write(to, uint64_t{0x7ff8000000000000});
  }
  write(to, value);
}

template <class A>
void reduce_as(const Reduction& reduction, ReduceTarget target,
               std::span<const ReduceSource> sources, uint64_t count) {
  A scalar;
  std::memcpy(&scalar, &reduction.scalar_bits, sizeof(A));
  std::vector<A> items(sources.size());
  for (uint64_t at = 0; at < count; ++at) {
    for (size_t i = 0; i < sources.size(); ++i) {
      items[i] = load<A>(reduction.type, sources[i], at);
      if (reduction.op == ReduceOp::premul_sum && sources[i].form == Form::user) {
        items[i] = multiply(items[i], scalar);
      }
    }
    A value = tree(reduction.op, std::span<const A>(items));
    std::byte* const to = target.data + at * size_of(reduction.type, target.form);
    if (target.form == Form::partial) {
      write(to, value);
      continue;
    }
    if (reduction.op == ReduceOp::avg) value = average(value, reduction.rank_count);
    finish(reduction.type, value, to);
  }
}

}  // namespace

float decode_small(DataType type, uint32_t code) {
  static const std::array<Table, 4> kTables = {
      decode_table(DataType::float16), decode_table(DataType::bfloat16),
      decode_table(DataType::float8_e4m3), decode_table(DataType::float8_e5m2)};
  if (type == DataType::float16) return kTables[0][code];
  if (type == DataType::bfloat16) return kTables[1][code];
  return type == DataType::float8_e4m3 ? kTables[2][code] : kTables[3][code];
}

uint32_t encode_small(DataType type, float value) {
  const Format f = format_of(type);
  if (std::isnan(value)) return f.nan;
  const uint32_t sign = std::signbit(value) ? f.sign() : 0;
  if (value == 0) return sign;
  if (std::isinf(value)) return sign | f.overflow;
  const double magnitude = std::fabs(double{value});
  const int exponent = std::max(std::ilogb(magnitude), 1 - f.bias());
  const double units = std::ldexp(magnitude, f.mantissa_bits - exponent);
  const double below = std::floor(units);
  const double above = units - below;
  const bool is_up = above > 0.5 || (above == 0.5 && std::fmod(below, 2.0) != 0);
  const auto significand = static_cast<uint32_t>(below) + (is_up ? 1 : 0);
  // The implicit bit, where there is one, adds itself to the exponent; so does a carry.
  const auto binade = static_cast<uint32_t>(exponent - (1 - f.bias()));
  const uint32_t code = (binade << f.mantissa_bits) + significand;
  return sign | (code > f.max_finite ? f.overflow : code);
}

void oracle_reduce(const Reduction& reduction, ReduceTarget target,
                   std::span<const ReduceSource> sources, uint64_t count) {
  switch (accumulator_of(reduction.type)) {
    case DataType::int8:
      return reduce_as<int8_t>(reduction, target, sources, count);
    case DataType::uint8:
      return reduce_as<uint8_t>(reduction, target, sources, count);
    case DataType::int32:
      return reduce_as<int32_t>(reduction, target, sources, count);
    case DataType::uint32:
      return reduce_as<uint32_t>(reduction, target, sources, count);
    case DataType::int64:
      return reduce_as<int64_t>(reduction, target, sources, count);
    case DataType::uint64:
      return reduce_as<uint64_t>(reduction, target, sources, count);
    case DataType::float64:
      return reduce_as<double>(reduction, target, sources, count);
    default:
      return reduce_as<float>(reduction, target, sources, count);
  }
}

bool same_bits(DataType type, Form form, const std::byte* a, const std::byte* b) {
  if (form == Form::partial && is_float(type)) {
    if (type == DataType::float64) {
      if (std::isnan(read<double>(a)) && std::isnan(read<double>(b))) return true;
    } else if (std::isnan(read<float>(a)) && std::isnan(read<float>(b))) {
      return true;
    }
  }
  return std::memcmp(a, b, size_of(type, form)) == 0;
}

}  // namespace unirack::testing
