// Costs as text, for people to read, to keep and to pin: a title, then a line for each kind of
// link, for copies, for reductions of each type and for the executor, each with all its fields as
// name=number (docs/calibration.md). Lines may come in any order; what no line speaks of is as
// in the costs that a reader is given. `#` begins a comment.
//
// What is written is read back to the same value. A reader never reads more than kCostsFileMax
// bytes, and its errors say the line, the field, and what was expected. Pure but for
// read_costs_file() and write_costs_file(); any thread.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "collectives/simulate/costs.h"
#include "lib/base/result.h"

namespace unirack {

inline constexpr size_t kCostsFileMax = size_t{16} << 10;
inline constexpr uint64_t kCostTimeMaxPs = 10'000'000'000'000;        // 10 s
inline constexpr uint64_t kCostBandwidthMax = 1'000'000'000'000'000;  // 1 PB/s

// Numbers beyond the limits become the limits.
std::string to_text(const Costs& costs);
Result<Costs> costs_from_text(std::string_view text, const Costs& base = assumed_costs());

// Errors name the file.
Result<Costs> read_costs_file(const std::string& path, const Costs& base = assumed_costs());
// Under another name first, so that readers see all of it or nothing.
Status write_costs_file(const std::string& path, const Costs& costs);

// One line for people: what was measured of links, and the host; "as assumed" if all of it is.
// "shared_memory 0.25 us + 0.05 us a message, 9.8 GB/s; copies 11.0 GB/s; float sums 8.1 GB/s"
std::string summary_of(const Costs& costs);

}  // namespace unirack
