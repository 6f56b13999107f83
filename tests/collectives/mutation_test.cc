// The verifier is right, not merely good at samples: whatever step is deleted or doubled, either it
// refuses the mutant or the mutant still gives right bits however its ranks interleave.
// UNIRACK_TEST_SCOPE=full runs 100 interleavings of each mutant, not 6, and adds plans of two lanes
// for the smallest pools; `all` adds them for all pools; `brief`, for sanitizers, stays with the
// smallest pools.
#include <gtest/gtest.h>

#include <iterator>
#include <map>
#include <utility>

#include "collectives/verify.h"
#include "tests/support/interleaver.h"
#include "tests/support/mutants.h"
#include "tests/support/plans.h"
#include "tests/support/scope.h"
#include "tests/support/watchdog.h"

namespace unirack {
namespace {

using testing::has_scope;
using testing::Interleaving;
using testing::Plan;

struct Tally {
  int mutants = 0;
  int refused = 0;
};

// Empty, or how an interleaving went wrong.
std::string find_fault(const Schedule& schedule, uint64_t first_seed, uint64_t seeds) {
  const ScheduleHeader& header = schedule.header();
  const uint32_t tile_counts[] = {1, header.stages, header.stages + 1};
  std::map<uint32_t, std::pair<Schedule, uint64_t>> cut;  // by tiles: with what count
  for (uint64_t seed = first_seed; seed < first_seed + seeds; ++seed) {
    Interleaving how;
    how.seed = seed;
    how.type = header.reassociates ? DataType::int32 : DataType::float32;
    how.in_place = header.in_place && seed % 2 == 0;
    const bool is_tiled = header.collective != Collective::all_to_all_v;
    const uint32_t tiles = is_tiled ? tile_counts[seed / 2 % 3] : 1;
    auto at = cut.find(tiles);
    if (at == cut.end()) {
      Schedule with_tiles = testing::with_tile_count(schedule, tiles, how);
      at = cut.emplace(tiles, std::pair(std::move(with_tiles), how.count)).first;
    }
    how.count = at->second.second;
    const auto fault = testing::interleave(at->second.first, how);
    if (!fault.empty()) return "seed " + std::to_string(seed) + ": " + fault;
  }
  return "";
}

// Longer plans of several lanes have mutants for minutes.
constexpr uint32_t kStepsMax = 40;

class EveryMutant : public ::testing::TestWithParam<const Algorithm*> {
 protected:
  void check(const Plan& plan, uint64_t seeds) {
    uint64_t first_seed = 0;
    testing::for_each_mutant(plan.schedule, [&](const Schedule& mutant, const std::string& name) {
      ++tally_.mutants;
      if (!verify(mutant)) {
        ++tally_.refused;
        return;
      }
      EXPECT_EQ(find_fault(mutant, first_seed += 7, seeds), "")
          << plan.name << ", " << name << ": not refused";
    });
  }

  Tally tally_;
};

TEST_P(EveryMutant, IsRefusedOrGivesRightBits) {
  const bool is_full = has_scope("full") || has_scope("all");
  if (is_full) testing::extend_watchdog(40);
  using Shapes = std::vector<std::vector<uint32_t>>;
  const Shapes small = {{2}, {3}, {1, 2}, {2, 2}};
  const Shapes large = {{4}, {5}, {3, 2}, {1, 4}, {1, 1, 1}, {2, 1, 2}};
  std::vector<Plan> plans;
  const auto add_plans = [&](const Shapes& shapes, int lanes) {
    auto more = testing::plans_of(*GetParam(), shapes, {lanes});
    std::move(more.begin(), more.end(), std::back_inserter(plans));
  };
  add_plans(small, 1);
  if (!has_scope("brief")) add_plans(large, 1);
  if (is_full) add_plans(small, 2);
  if (has_scope("all")) add_plans(large, 2);
  // Some need three domains, or unequal ones.
  if (plans.empty()) add_plans({{1, 1, 2}}, 1);
  for (const Plan& plan : plans) {
    const bool is_long =
        plan.schedule.program_view(0).lanes.size() > 1 && plan.schedule.step_count() > kStepsMax;
    if (is_full || !is_long) check(plan, is_full ? 100 : 6);
  }
  if (is_full) printf("%d mutants, %d refused\n", tally_.mutants, tally_.refused);
  EXPECT_TRUE(tally_.mutants > 0 || GetParam()->collective == Collective::barrier);
}

std::vector<const Algorithm*> all_of_them() {
  std::vector<const Algorithm*> all;
  for (const Algorithm& algorithm : algorithms()) all.push_back(&algorithm);
  return all;
}

INSTANTIATE_TEST_SUITE_P(All, EveryMutant, ::testing::ValuesIn(all_of_them()),
                         [](const auto& test) {
                           return std::string(collective_name(test.param->collective)) + "_" +
                                  std::string(test.param->name);
                         });

}  // namespace
}  // namespace unirack
