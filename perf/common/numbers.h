// Exact conversion of small numbers to the bits of an element type: the perf tests' own, so that
// the library's converters are checked against something that is not themselves.
#pragma once

#include <cstdint>

#include "unirack/unirack.h"

namespace unirack::perf {

// The bits of `value`, which must be exactly representable and normal (or zero) in the float type.
uint64_t float_bits(unirackDataType_t type, double value);

// Whole numbers up to this magnitude, and their multiples by small powers of two, are exact.
int64_t exact_limit(unirackDataType_t type);

}  // namespace unirack::perf
