// Slurm's way of writing many names as one: "node[001-018,020],login1" is nineteen nodes and one
// login. Topograph's models write nodes the same way. Several brackets in a name multiply, as in
// "rack[0-3]n[1-9]". Pure; callable from any thread.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "lib/base/result.h"

namespace unirack {

inline constexpr size_t kHostlistNamesMax = 100'000;
inline constexpr size_t kHostlistBytesMax = size_t{32} << 20;  // of all names together

// In the order of the text. An error says what was expected and has no line: the caller knows it.
Result<std::vector<std::string>> expand_hostlist(std::string_view text);

// The shortest such text that has one range a pattern, in natural order; "" for no names. Names
// that hold a bracket or a comma cannot be written so.
Result<std::string> compress_hostlist(std::span<const std::string> names);

}  // namespace unirack
