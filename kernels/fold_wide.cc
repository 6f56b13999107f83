// The vector kernels of float32 and float64.

#include "kernels/simd_targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/fold_wide.cc"
// This file once more for every other instruction set.
#include <hwy/foreach_target.h>
// After foreach_target, which decides what it defines.
#include <hwy/highway.h>
#include "kernels/fold-inl.h"

HWY_BEFORE_NAMESPACE();
namespace unirack {
namespace HWY_NAMESPACE {

FoldKernel wide_kernel(DataType type, ReduceOp op, size_t source_count) {
  return type == DataType::float32 ? kernel_of<NativeCodec<float>>(op, source_count)
                                   : kernel_of<NativeCodec<double>>(op, source_count);
}

// NOLINTNEXTLINE(google-readability-namespace-comments)
}  // namespace HWY_NAMESPACE
}  // namespace unirack
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace unirack {

HWY_EXPORT(wide_kernel);

FoldKernel select_wide_fold(DataType type, ReduceOp op, size_t source_count) {
  return HWY_DYNAMIC_DISPATCH(wide_kernel)(type, op, source_count);
}

}  // namespace unirack
#endif
