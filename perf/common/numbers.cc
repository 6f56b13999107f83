#include "perf/common/numbers.h"

#include <cmath>

namespace unirack::perf {
namespace {

struct Layout {
  int mantissa_bits;
  int exponent_bits;
};

// OCP 8-bit formats: e4m3 has bias 7, e5m2 bias 15, like the IEEE rule 2^(e-1) - 1.
Layout layout_of(unirackDataType_t type) {
  switch (type) {
    case unirackFloat16:
      return {10, 5};
    case unirackBfloat16:
      return {7, 8};
    case unirackFloat8e4m3:
      return {3, 4};
    case unirackFloat8e5m2:
      return {2, 5};
    case unirackFloat32:
      return {23, 8};
    default:
      return {52, 11};
  }
}

}  // namespace

uint64_t float_bits(unirackDataType_t type, double value) {
  const Layout layout = layout_of(type);
  const uint64_t sign = std::signbit(value) ? 1 : 0;
  const uint64_t sign_bit = sign << (layout.mantissa_bits + layout.exponent_bits);
  if (value == 0) return sign_bit;
  int exponent = 0;
  const double fraction = std::frexp(std::fabs(value), &exponent);  // [0.5, 1)
  const int bias = (1 << (layout.exponent_bits - 1)) - 1;
  const int biased_exponent = exponent - 1 + bias;
  const auto biased = static_cast<uint64_t>(biased_exponent);
  const auto mantissa = static_cast<uint64_t>(std::ldexp(fraction * 2 - 1, layout.mantissa_bits));
  return sign_bit | biased << layout.mantissa_bits | mantissa;
}

int64_t exact_limit(unirackDataType_t type) {
  return int64_t{1} << (layout_of(type).mantissa_bits + 1);  // the leading one is not stored
}

}  // namespace unirack::perf
