#include "lib/topology/flow/fold.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <random>

namespace unirack {
namespace {

// Covers every row at least cost: always feasible, never unbounded.
LinearProgram random_cover(std::mt19937& random, uint32_t rows, uint32_t columns) {
  const auto below = [&](uint32_t limit) { return static_cast<uint32_t>(random() % limit); };
  LinearProgram program;
  for (uint32_t i = 0; i < columns; ++i) program.add_column(1 + below(3));
  for (uint32_t row = 0; row < rows; ++row) {
    program.add_row(1 + below(3), 1e30);
    program.entries.push_back({row, below(columns), 1});
    for (uint32_t column = 0; column < columns; ++column) {
      if (column != program.entries.back().column && below(3) == 0) {
        program.entries.insert(program.entries.end() - 1, {row, column, 1.0 + below(2)});
      }
    }
  }
  return program;
}

// So many copies that share nothing, shuffled.
LinearProgram copies(const LinearProgram& one, uint32_t count, std::mt19937& random) {
  LinearProgram program;
  const auto rows = static_cast<uint32_t>(one.lower.size());
  const auto columns = static_cast<uint32_t>(one.cost.size());
  std::vector<uint32_t> order(columns * count);
  std::iota(order.begin(), order.end(), 0u);
  std::shuffle(order.begin(), order.end(), random);
  program.cost.resize(order.size());
  for (uint32_t copy = 0; copy < count; ++copy) {
    for (uint32_t row = 0; row < rows; ++row) program.add_row(one.lower[row], one.upper[row]);
    for (uint32_t i = 0; i < columns; ++i) program.cost[order[copy * columns + i]] = one.cost[i];
    for (const LpEntry& entry : one.entries) {
      program.entries.push_back(
          {copy * rows + entry.row, order[copy * columns + entry.column], entry.value});
    }
  }
  std::shuffle(program.entries.begin(), program.entries.end(), random);
  return program;
}

void expect_optimal(const LinearProgram& program, const LpSolution& solution) {
  std::vector<double> rows(program.lower.size(), 0);
  std::vector<double> priced(program.cost.size(), 0);
  for (const LpEntry& entry : program.entries) {
    rows[entry.row] += entry.value * solution.columns[entry.column];
    priced[entry.column] += entry.value * solution.row_prices[entry.row];
  }
  double cost = 0;
  double worth = 0;
  for (size_t i = 0; i < rows.size(); ++i) {
    EXPECT_GE(rows[i], program.lower[i] - 1e-6);
    EXPECT_GE(solution.row_prices[i], -1e-9);
    worth += solution.row_prices[i] * program.lower[i];
  }
  for (size_t i = 0; i < priced.size(); ++i) {
    EXPECT_GE(solution.columns[i], -1e-9);
    EXPECT_LE(priced[i], program.cost[i] + 1e-6);
    cost += program.cost[i] * solution.columns[i];
  }
  EXPECT_NEAR(cost, solution.value, 1e-6);
  EXPECT_NEAR(worth, solution.value, 1e-6) << "prices prove the optimum";
}

TEST(Fold, CopiesFoldIntoOneAndUnfoldToAnOptimum) {
  std::mt19937 random(1);
  for (int i = 0; i < 100; ++i) {
    const LinearProgram one = random_cover(random, 2 + static_cast<uint32_t>(i % 4),
                                           2 + static_cast<uint32_t>(i / 4 % 4));
    const LinearProgram program = copies(one, 5, random);
    const FoldedProgram folded = fold(program);
    EXPECT_LE(folded.program.cost.size(), one.cost.size());
    EXPECT_LE(folded.program.lower.size(), one.lower.size());
    const Result<LpSolution> whole = solve(program);
    const Result<LpSolution> small = solve(folded.program);
    ASSERT_TRUE(whole && small);
    EXPECT_NEAR(whole->value, small->value, 1e-6);
    expect_optimal(program, *whole);
    expect_optimal(program, unfold(folded, *small));
  }
}

TEST(Fold, WhatDiffersStaysApart) {
  LinearProgram program;
  program.add_column(1);
  program.add_column(2);
  program.add_row(1, 1e30);
  program.add_row(1, 1e30);
  program.entries = {{0, 0, 1}, {1, 1, 1}};
  const FoldedProgram folded = fold(program);
  EXPECT_EQ(folded.program.cost.size(), 2u);
  EXPECT_EQ(folded.program.lower.size(), 2u);
  EXPECT_EQ(solve(folded.program)->value, 3.0);
}

TEST(LinearProgram, WhatHasNoSolutionIsAnError) {
  LinearProgram program;
  program.add_column(1);
  program.add_row(2, 2);
  program.add_row(1, 1);
  program.entries = {{0, 0, 1}, {1, 0, 1}};
  EXPECT_EQ(solve(program).code(), Code::internal);
}

}  // namespace
}  // namespace unirack
