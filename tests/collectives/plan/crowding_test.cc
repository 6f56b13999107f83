#include "collectives/plan/crowding.h"

#include <gtest/gtest.h>

#include "tests/support/graphs.h"
#include "tests/support/plans.h"

namespace unirack {
namespace {

using testing::add;
using testing::build;

Topology pool_of_machines(const std::vector<std::pair<int, std::string>>& machines) {
  GraphBuilder builder;
  TopologySpec spec;
  for (size_t i = 0; i < machines.size(); ++i) {
    const std::string host = "host" + std::to_string(i);
    const NodeIndex cpu = add(builder, NodeKind::cpu, host + "/cpu0", host);
    if (!machines[i].second.empty()) builder.node(cpu).set_attribute("cores", machines[i].second);
    for (int rank = 0; rank < machines[i].first; ++rank) {
      const NodeIndex node =
          add(builder, NodeKind::rank, host + "/rank" + std::to_string(rank), host);
      builder.node(node).rank = static_cast<int32_t>(spec.homes.size());
      builder.join({node, cpu, LinkKind::shared_memory});
      spec.homes.push_back(host);
    }
  }
  spec.rank_count = static_cast<int>(spec.homes.size());
  const auto pairs = static_cast<size_t>(spec.rank_count * spec.rank_count);
  spec.transports.assign(pairs, "tcp");
  spec.load_store.assign(pairs, 0);
  spec.graph = build(std::move(builder));
  return Topology::make(std::move(spec)).value();
}

TEST(Crowding, IsOfTheMachineWhereRanksAreMost) {
  EXPECT_EQ(crowding_percent(pool_of_machines({{2, "2"}})), 100u);
  EXPECT_EQ(crowding_percent(pool_of_machines({{1, "64"}})), 100u);
  EXPECT_EQ(crowding_percent(pool_of_machines({{2, "4"}, {3, "2"}, {8, "8"}})), 150u);
  EXPECT_EQ(crowding_percent(pool_of_machines({{8, ""}})), 100u);
  EXPECT_EQ(crowding_percent(pool_of_machines({{8, "many"}})), 100u);
  EXPECT_EQ(crowding_percent(Topology::of_domains({8})), 100u);
}

TEST(Crowding, WhatTakesACoreTakesLonger) {
  Costs costs;
  costs.of(LinkKind::shared_memory) = {200'000, 50'000, 10'000'000'000, true};
  costs.of(LinkKind::ethernet) = {10'000'000, 2'000'000, 1'000'000'000, false};
  costs.copy_bandwidth = 10'000'000'000;
  costs.reduce_bandwidth.fill(8'000'000'000);
  costs.reduce_bandwidth[0] = 0;
  costs.step_ps = 20'000;
  costs.call_ps = 1'000'000;
  EXPECT_EQ(crowded(costs, 100), costs);
  const Costs shared = crowded(costs, 400);
  EXPECT_EQ(shared.of(LinkKind::shared_memory),
            (LinkCosts{15'200'000, 200'000, 2'500'000'000, true}));
  EXPECT_EQ(shared.of(LinkKind::ethernet),
            (LinkCosts{25'000'000, 8'000'000, 1'000'000'000, false}));
  EXPECT_EQ(shared.copy_bandwidth, 2'500'000'000u);
  EXPECT_EQ(shared.reduce_bandwidth[0], 0u);
  EXPECT_EQ(shared.reduce_bandwidth[7], 2'000'000'000u);
  EXPECT_EQ(shared.step_ps, 80'000u);
  EXPECT_EQ(shared.call_ps, 4'000'000u);
}

}  // namespace
}  // namespace unirack
