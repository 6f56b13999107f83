// Host reduction: folds any number of sources into one target by the tree of the one sum.
//
// S over k listed sources is the source itself when k is 1; otherwise m is the largest power of two
// below k and the result is S(first m) + S(the rest). Every element is folded by itself, so how a
// buffer is cut into calls never changes a bit of the result, nor does the vector width of the CPU.
// The caller's floating-point mode is saved, replaced by the default one (nearest even, subnormals
// kept) and restored. No state, no allocation: any thread may call it at any time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "lib/base/types.h"

namespace unirack {

struct Reduction {
  DataType type;
  ReduceOp op;
  int rank_count;        // what avg divides by
  uint64_t scalar_bits;  // what premul_sum multiplies by: the low bits hold an accumulator value
};

// A source in user form is converted exactly to the accumulator type when it is read, and
// premul_sum multiplies it there; one in partial form is taken as it is.
struct ReduceSource {
  const std::byte* data;
  Form form;
};

// A target in partial form receives the accumulator. One in user form is finished: avg divides,
// a NaN becomes the canonical NaN (f64 0x7ff8000000000000, f32 0x7fc00000, f16 0x7e00, bf16 0x7fc0,
// both fp8 0x7f), and the value is rounded once. f16 and bf16 overflow to infinity; fp8 saturates
// to the largest finite value, from infinity too. The payload of a NaN in partial form is
// unspecified.
struct ReduceTarget {
  std::byte* data;
  Form form;
};

inline constexpr size_t kReduceSourcesMax = 1024;

// The target is disjoint from every source, or has the address and element size of one. Any count
// and any alignment; one to kReduceSourcesMax sources.
void reduce(const Reduction& reduction, ReduceTarget target, std::span<const ReduceSource> sources,
            uint64_t count);

}  // namespace unirack
