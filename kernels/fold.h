// What reduce() hands to a vector kernel: one pass over memory that folds up to eight sources.
//
// A kernel is chosen per element type, operator and number of sources, for the best instruction set
// of this CPU. It runs in the default floating-point mode, on whole vectors only, and knows nothing
// of blocks, tails or trees of more than kFoldSourcesMax sources: reduce.cc owns those.
#pragma once

#include <cstddef>
#include <cstdint>

#include "lib/base/types.h"

namespace unirack {

inline constexpr size_t kFoldSourcesMax = 8;

// The numbers of sources there are kernels for; reduce() builds every other tree of these.
constexpr bool is_fold_width(size_t source_count) {
  return (source_count >= 1 && source_count <= 4) || source_count == 8;
}

struct FoldPass {
  const std::byte* sources[kFoldSourcesMax];
  Form forms[kFoldSourcesMax];
  uint64_t factors[kFoldSourcesMax];  // premul_sum only: accumulator bits, one for a partial source
  std::byte* target;
  Form target_form;
  int divisor;     // of a floating average in user form; else 1
  uint64_t count;  // elements, a multiple of the kernel's lanes
};

struct FoldKernel {
  void (*run)(const FoldPass&);
  size_t lanes;  // elements a step; a power of two
};

FoldKernel select_integer_fold(DataType type, ReduceOp op, size_t source_count);
FoldKernel select_wide_fold(DataType type, ReduceOp op, size_t source_count);
FoldKernel select_half_fold(DataType type, ReduceOp op, size_t source_count);
FoldKernel select_fp8_fold(DataType type, ReduceOp op, size_t source_count);

}  // namespace unirack
