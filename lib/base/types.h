// Element types and reduction operators, with the numbers of the C ABI (which are NCCL's).
//
// Every type has an accumulator: float32 for 8- and 16-bit floats, else the type itself. A value is
// in `user` form (the caller's type) or in `partial` form (an unfinished sum in the accumulator).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace unirack {

enum class DataType : uint8_t {
  int8 = 0,
  uint8 = 1,
  int32 = 2,
  uint32 = 3,
  int64 = 4,
  uint64 = 5,
  float16 = 6,
  float32 = 7,
  float64 = 8,
  bfloat16 = 9,
  float8_e4m3 = 10,
  float8_e5m2 = 11,
};
inline constexpr int kDataTypeCount = 12;

enum class ReduceOp : uint8_t { sum = 0, prod = 1, max = 2, min = 3, avg = 4, premul_sum = 5 };
inline constexpr int kReduceOpCount = 6;

enum class Form : uint8_t { user = 0, partial = 1 };

constexpr size_t size_of(DataType type) {
  constexpr size_t kSizes[kDataTypeCount] = {1, 1, 4, 4, 8, 8, 2, 4, 8, 2, 1, 1};
  return kSizes[static_cast<size_t>(type)];
}

constexpr bool is_float(DataType type) { return type >= DataType::float16; }

constexpr bool is_small_float(DataType type) {
  return is_float(type) && type != DataType::float32 && type != DataType::float64;
}

constexpr DataType accumulator_of(DataType type) {
  return is_small_float(type) ? DataType::float32 : type;
}

constexpr size_t size_of(DataType type, Form form) {
  return size_of(form == Form::partial ? accumulator_of(type) : type);
}

// Whether the order of a reduction can be seen in the bits of its result.
constexpr bool is_order_visible(DataType type, ReduceOp op) {
  return is_float(type) && op != ReduceOp::min && op != ReduceOp::max;
}

// "float", "bfloat16", "f8e4m3": the names nccl-tests prints and parses.
std::string_view type_name(DataType type);
std::string_view op_name(ReduceOp op);

}  // namespace unirack
