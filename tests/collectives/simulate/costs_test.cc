// Costs are compared and hashed by all they say.
#include "collectives/simulate/costs.h"

#include <gtest/gtest.h>

#include <functional>
#include <set>
#include <vector>

namespace unirack {
namespace {

TEST(Costs, TimesAreRoundedUp) {
  EXPECT_EQ(transfer_ps(0, 1000), 0u);
  EXPECT_EQ(transfer_ps(1, 1'000'000'000'000), 1u);
  EXPECT_EQ(transfer_ps(3, 2'000'000'000'000), 2u);
  EXPECT_EQ(transfer_ps(uint64_t{1} << 32, 12'500'000'000), 343'597'383'680u);
  EXPECT_EQ(transfer_ps(1000, 0), 0u);
}

TEST(Costs, EveryFieldCounts) {
  const std::vector<std::function<void(Costs&)>> changes = {
      [](Costs&) {},
      [](Costs& costs) { costs.of(LinkKind::smp).latency_ps += 1; },
      [](Costs& costs) { costs.of(LinkKind::smp).gap_ps += 1; },
      [](Costs& costs) { costs.of(LinkKind::smp).bandwidth += 1; },
      [](Costs& costs) { costs.of(LinkKind::smp).holds_lane = true; },
      [](Costs& costs) { costs.of(LinkKind::pcie).gap_ps += 1; },
      [](Costs& costs) { costs.copy_bandwidth += 1; },
      [](Costs& costs) { costs.reduce_bandwidth[3] += 1; },
      [](Costs& costs) { costs.step_ps += 1; },
      [](Costs& costs) { costs.call_ps += 1; },
      [](Costs& costs) { costs.of(LinkKind::smp).is_measured = true; },
  };
  std::set<uint64_t> hashes;
  for (size_t i = 0; i < changes.size(); ++i) {
    Costs costs = assumed_costs();
    changes[i](costs);
    EXPECT_EQ(costs == assumed_costs(), i == 0) << i;
    EXPECT_TRUE(hashes.insert(costs.hash()).second) << i;
  }
}

}  // namespace
}  // namespace unirack
