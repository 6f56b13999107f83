#include "lib/base/types.h"

#include <array>

namespace unirack {

std::string_view type_name(DataType type) {
  static constexpr std::array<std::string_view, kDataTypeCount> kNames = {
      "int8", "uint8", "int32",  "uint32",   "int64",  "uint64",
      "half", "float", "double", "bfloat16", "f8e4m3", "f8e5m2"};
  return kNames[static_cast<size_t>(type)];
}

std::string_view op_name(ReduceOp op) {
  static constexpr std::array<std::string_view, kReduceOpCount> kNames = {"sum", "prod", "max",
                                                                          "min", "avg",  "mulsum"};
  return kNames[static_cast<size_t>(op)];
}

}  // namespace unirack
