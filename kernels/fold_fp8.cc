// The vector kernels of the 8-bit floats.

#include "kernels/simd_targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/fold_fp8.cc"
// This file once more for every other instruction set.
#include <hwy/foreach_target.h>
// After foreach_target, which decides what it defines.
#include <hwy/highway.h>
#include "kernels/fold-inl.h"

HWY_BEFORE_NAMESPACE();
namespace unirack {
namespace HWY_NAMESPACE {

FoldKernel fp8_kernel(DataType type, ReduceOp op, size_t source_count) {
  return type == DataType::float8_e4m3 ? kernel_of<Float8E4m3Codec>(op, source_count)
                                       : kernel_of<Float8E5m2Codec>(op, source_count);
}

// NOLINTNEXTLINE(google-readability-namespace-comments)
}  // namespace HWY_NAMESPACE
}  // namespace unirack
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace unirack {

HWY_EXPORT(fp8_kernel);

FoldKernel select_fp8_fold(DataType type, ReduceOp op, size_t source_count) {
  return HWY_DYNAMIC_DISPATCH(fp8_kernel)(type, op, source_count);
}

}  // namespace unirack
#endif
