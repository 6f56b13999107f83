// What kernels/reduce.h promises, said again the slow way: one element at a time, conversions by
// ldexp and explicit rounding, float32 arithmetic carried out in float64 and rounded once. It
// shares no code with the kernels. Needs the default floating-point mode.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "kernels/reduce.h"

namespace unirack::testing {

// Small floats (8 and 16 bits) by their codes.
float decode_small(DataType type, uint32_t code);
uint32_t encode_small(DataType type, float value);

void oracle_reduce(const Reduction& reduction, ReduceTarget target,
                   std::span<const ReduceSource> sources, uint64_t count);

// True if the bits are equal. In partial form a NaN equals any NaN.
bool same_bits(DataType type, Form form, const std::byte* a, const std::byte* b);

}  // namespace unirack::testing
