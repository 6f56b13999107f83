// The vector kernels of the integers. Averages are divided by reduce().

#include "kernels/simd_targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/fold_integer.cc"
// This file once more for every other instruction set.
#include <hwy/foreach_target.h>
// After foreach_target, which decides what it defines.
#include <hwy/highway.h>
#include "kernels/fold-inl.h"

HWY_BEFORE_NAMESPACE();
namespace unirack {
namespace HWY_NAMESPACE {

FoldKernel integer_kernel(DataType type, ReduceOp op, size_t source_count) {
  switch (type) {
    case DataType::int8:
      return kernel_of<NativeCodec<uint8_t>, NativeCodec<int8_t>>(op, source_count);
    case DataType::uint8:
      return kernel_of<NativeCodec<uint8_t>>(op, source_count);
    case DataType::int32:
      return kernel_of<NativeCodec<uint32_t>, NativeCodec<int32_t>>(op, source_count);
    case DataType::uint32:
      return kernel_of<NativeCodec<uint32_t>>(op, source_count);
    case DataType::int64:
      return kernel_of<NativeCodec<uint64_t>, NativeCodec<int64_t>>(op, source_count);
    default:
      return kernel_of<NativeCodec<uint64_t>>(op, source_count);
  }
}

// NOLINTNEXTLINE(google-readability-namespace-comments)
}  // namespace HWY_NAMESPACE
}  // namespace unirack
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace unirack {

HWY_EXPORT(integer_kernel);

FoldKernel select_integer_fold(DataType type, ReduceOp op, size_t source_count) {
  return HWY_DYNAMIC_DISPATCH(integer_kernel)(type, op, source_count);
}

}  // namespace unirack
#endif
