// Element types and operators as the perf tests name them on the command line and in the tables.
// Pure lookups, safe from any thread.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "unirack/unirack.h"

namespace unirack::perf {

// premul stands for the operator that unirackRedOpCreatePreMulSum makes.
enum class Op { sum, prod, max, min, avg, premul };

size_t size_of(unirackDataType_t type);
bool is_float(unirackDataType_t type);
std::string_view name_of(unirackDataType_t type);
std::string_view name_of(Op op);

// One name, or "all". Empty result: no such name.
std::vector<unirackDataType_t> parse_types(std::string_view text);
std::vector<Op> parse_ops(std::string_view text);
std::string all_type_names();
std::string all_op_names();

// "8", "64K", "32M", "1G": powers of 1024.
std::optional<size_t> parse_bytes(std::string_view text);

}  // namespace unirack::perf
