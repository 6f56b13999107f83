#include "perf/common/types.h"

#include <charconv>
#include <iterator>

namespace unirack::perf {
namespace {

struct TypeRow {
  unirackDataType_t type;
  std::string_view name;
  size_t bytes;
};
// In the order of their numbers.
constexpr TypeRow kTypes[] = {
    {unirackInt8, "int8", 1},         {unirackUint8, "uint8", 1},
    {unirackInt32, "int32", 4},       {unirackUint32, "uint32", 4},
    {unirackInt64, "int64", 8},       {unirackUint64, "uint64", 8},
    {unirackFloat16, "half", 2},      {unirackFloat32, "float", 4},
    {unirackFloat64, "double", 8},    {unirackBfloat16, "bfloat16", 2},
    {unirackFloat8e4m3, "f8e4m3", 1}, {unirackFloat8e5m2, "f8e5m2", 1},
};
static_assert(std::size(kTypes) == unirackNumTypes);

constexpr std::string_view kOps[] = {"sum", "prod", "max", "min", "avg", "mulsum"};

}  // namespace

size_t size_of(unirackDataType_t type) { return kTypes[type].bytes; }
bool is_float(unirackDataType_t type) { return type >= unirackFloat16; }
std::string_view name_of(unirackDataType_t type) { return kTypes[type].name; }
std::string_view name_of(Op op) { return kOps[static_cast<size_t>(op)]; }

std::vector<unirackDataType_t> parse_types(std::string_view text) {
  std::vector<unirackDataType_t> types;
  for (const TypeRow& row : kTypes) {
    if (text == "all" || text == row.name) types.push_back(row.type);
  }
  return types;
}

std::vector<Op> parse_ops(std::string_view text) {
  std::vector<Op> ops;
  for (size_t i = 0; i < std::size(kOps); ++i) {
    if (text == "all" || text == kOps[i]) ops.push_back(static_cast<Op>(i));
  }
  return ops;
}

std::string all_type_names() {
  std::string text;
  for (const TypeRow& row : kTypes) text.append(row.name).append(" ");
  return text + "all";
}

std::string all_op_names() {
  std::string text;
  for (std::string_view name : kOps) text.append(name).append(" ");
  return text + "all";
}

std::optional<size_t> parse_bytes(std::string_view text) {
  size_t unit = 1;
  if (!text.empty()) {
    constexpr std::string_view kSuffixes = "KMGT";
    const size_t power = kSuffixes.find(static_cast<char>(text.back() & ~0x20));
    if (power != std::string_view::npos) {
      text.remove_suffix(1);
      unit <<= 10 * (power + 1);
    }
  }
  size_t count = 0;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, count);
  constexpr size_t kBytesMax = size_t{1} << 46;
  if (error != std::errc() || stop != end || count > kBytesMax / unit) return std::nullopt;
  return count * unit;
}

}  // namespace unirack::perf
