// A linear program as data, and the solver behind it (COIN-OR CLP, which is only here). Solving is
// in floating point: whoever needs to be exact checks the solution by other means. Pure functions,
// callable from any thread.
#pragma once

#include <cstdint>
#include <vector>

#include "lib/base/result.h"

namespace unirack {

struct LpEntry {
  uint32_t row = 0;
  uint32_t column = 0;
  double value = 0;
};

// Minimises cost * x over x >= 0 where lower <= A x <= upper.
struct LinearProgram {
  std::vector<double> cost;   // by column
  std::vector<double> lower;  // by row
  std::vector<double> upper;
  std::vector<LpEntry> entries;  // of A; none twice

  uint32_t add_column(double cost_of_one) {
    cost.push_back(cost_of_one);
    return static_cast<uint32_t>(cost.size() - 1);
  }
  uint32_t add_row(double at_least, double at_most) {
    lower.push_back(at_least);
    upper.push_back(at_most);
    return static_cast<uint32_t>(lower.size() - 1);
  }
};

struct LpSolution {
  double value = 0;
  std::vector<double> columns;
  std::vector<double> row_prices;  // dual values
};

Result<LpSolution> solve(const LinearProgram& program);

}  // namespace unirack
