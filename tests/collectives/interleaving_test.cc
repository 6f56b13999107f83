// Every generated schedule gives the right bits however its ranks interleave.
#include <gtest/gtest.h>

#include "tests/support/interleaver.h"
#include "tests/support/plans.h"

namespace unirack {
namespace {

using testing::Interleaving;
using testing::Plan;

class EveryPlan : public ::testing::TestWithParam<const Algorithm*> {};

// Types of one, two and four bytes more in partial form than in the caller's.
DataType type_for(const Schedule& schedule, uint64_t seed) {
  if (schedule.header().reassociates) return seed % 2 == 0 ? DataType::int32 : DataType::uint64;
  constexpr DataType kTypes[] = {DataType::float32, DataType::bfloat16, DataType::float64,
                                 DataType::float8_e5m2};
  return kTypes[seed % 4];
}

void run_plan(const Plan& plan, uint64_t seeds) {
  const ScheduleHeader& header = plan.schedule.header();
  const uint32_t stages = header.stages;
  const bool is_tiled = header.collective != Collective::all_to_all_v;
  for (uint64_t seed = 1; seed <= seeds; ++seed) {
    const uint32_t tile_counts[] = {1, stages, stages + 1, 2 * stages + 1};
    Interleaving how;
    how.seed = seed;
    how.type = type_for(plan.schedule, seed);
    how.in_place = header.in_place && seed % 3 != 0;
    const auto cut =
        testing::with_tile_count(plan.schedule, is_tiled ? tile_counts[seed % 4] : 1, how);
    ASSERT_EQ(testing::interleave(cut, how), "") << plan.name << " seed " << seed;
  }
}

TEST_P(EveryPlan, GivesRightBitsHoweverRanksInterleave) {
  const auto plans = testing::plans_of(
      *GetParam(), {{1}, {2}, {3}, {4}, {5}, {7}, {2, 2}, {3, 2}, {1, 4}, {1, 1, 1}, {3, 5}},
      {1, 2});
  for (const Plan& plan : plans) {
    run_plan(plan, 12);
    if (HasFatalFailure()) return;
  }
}

std::vector<const Algorithm*> all_of_them() {
  std::vector<const Algorithm*> all;
  for (const Algorithm& algorithm : algorithms()) all.push_back(&algorithm);
  return all;
}

INSTANTIATE_TEST_SUITE_P(All, EveryPlan, ::testing::ValuesIn(all_of_them()), [](const auto& test) {
  return std::string(collective_name(test.param->collective)) + "_" + std::string(test.param->name);
});

}  // namespace
}  // namespace unirack
