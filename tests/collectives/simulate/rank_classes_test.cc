#include "collectives/simulate/rank_classes.h"

#include <gtest/gtest.h>

#include "collectives/algorithms/algorithms.h"
#include "collectives/planner.h"
#include "collectives/simulate/simulate.h"
#include "tests/support/fabric_pools.h"

namespace unirack {
namespace {

Schedule two_level(const Topology& topology) {
  Request request;
  request.collective = Collective::all_reduce;
  auto schedule = find_algorithm(request.collective, "two_level")->generate(topology, request, 1);
  EXPECT_TRUE(schedule);
  return std::move(schedule).value();
}

// A lost NIC makes every rank another one, to the exact; roughly, most do as they did.
TEST(RankClasses, RoughOnesAreFarFewerAndCloseInTime) {
  const Topology topology = testing::pool_of(testing::fabric("nvl72:racks=16,gpus=16", "nic:5"));
  const auto network = network_of(topology, assumed_costs());
  ASSERT_TRUE(network);
  const Schedule schedule = two_level(topology);
  SimulateOptions options;
  options.classes_max = 40;
  auto exact = Simulator::make(schedule, *network);
  auto rough = Simulator::make(schedule, *network, options);
  ASSERT_TRUE(exact);
  ASSERT_TRUE(rough);
  EXPECT_FALSE(exact->is_rough());
  EXPECT_TRUE(rough->is_rough());
  EXPECT_LE(rough->class_count() * 4, exact->class_count());
  for (const uint64_t count : {uint64_t{64}, uint64_t{1} << 18}) {
    const SimulatedCall call{count, DataType::float32, ReduceOp::sum, uint64_t{64} << 20};
    const auto exactly = exact->run(call);
    const auto roughly = rough->run(call);
    ASSERT_TRUE(exactly);
    ASSERT_TRUE(roughly);
    const auto exact_ps = static_cast<double>(exactly->time_ps);
    EXPECT_NEAR(static_cast<double>(roughly->time_ps), exact_ps, exact_ps * 0.05) << count;
  }
}

TEST(RankClasses, WhatIsAlikeIsNeverTakenRoughly) {
  const Topology topology = testing::pool_of(testing::fabric("nvl72:racks=4,gpus=16"));
  const auto network = network_of(topology, assumed_costs());
  ASSERT_TRUE(network);
  const Schedule schedule = two_level(topology);
  SimulateOptions options;
  options.classes_max = 8;
  const auto simulator = Simulator::make(schedule, *network, options);
  ASSERT_TRUE(simulator);
  EXPECT_FALSE(simulator->is_rough());
  EXPECT_EQ(simulator->class_count(), 1u);
}

}  // namespace
}  // namespace unirack
