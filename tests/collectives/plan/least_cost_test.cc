#include "collectives/plan/least_cost.h"

#include <gtest/gtest.h>

#include "collectives/algorithms/algorithms.h"
#include "collectives/simulate/simulate.h"
#include "lib/topology/generate/generate.h"
#include "lib/topology/reach.h"
#include "tests/support/plans.h"

namespace unirack {
namespace {

// Nothing that is simulated takes less than it must.
void expect_at_least(const Topology& topology, const Network& network, const std::string& where) {
  const LeastCost least = LeastCost::of(topology, network, 2);
  int bounded = 0;
  for (const Algorithm& algorithm : algorithms()) {
    for (const bool symmetric : {false, true}) {
      Request request;
      request.collective = algorithm.collective;
      request.type = DataType::float32;
      request.symmetric = symmetric;
      request.root = topology.rank_count() - 1;
      if (!algorithm.unfit(topology, request).empty()) continue;
      const auto schedule = algorithm.generate(topology, request, 2);
      if (!schedule) continue;
      auto simulator = Simulator::make(*schedule, network);
      ASSERT_TRUE(simulator) << simulator.error().detail;
      const PlanEffort effort = least.effort(algorithm.collective, algorithm.name);
      for (const uint64_t count : {uint64_t{1}, uint64_t{1000}, uint64_t{1} << 20}) {
        const auto simulation = simulator->run({count, DataType::float32, ReduceOp::sum, 0});
        ASSERT_TRUE(simulation) << simulation.error().detail;
        const uint64_t at_least = least.at_least_ps(effort, count * 4, DataType::float32);
        EXPECT_LE(at_least, simulation->time_ps)
            << where << " " << collective_name(algorithm.collective) << " " << algorithm.name
            << " x " << count;
        bounded += at_least > simulation->time_ps / 2 ? 1 : 0;
      }
    }
  }
  EXPECT_GT(bounded, 10) << where;
}

TEST(LeastCost, IsNeverMoreThanASimulationTakesOnShapes) {
  for (const auto& shape : std::vector<std::vector<uint32_t>>{
           {2}, {3}, {8}, {13}, {2, 2}, {4, 4}, {3, 5}, {1, 1, 1, 1, 1}, {1, 4}, {4, 4, 4, 4}}) {
    const Topology topology = testing::pool_of(shape);
    const auto network = Network::of_topology(topology, assumed_host_costs());
    ASSERT_TRUE(network);
    expect_at_least(topology, *network, testing::shape_text(shape));
  }
}

TEST(LeastCost, IsNeverMoreThanASimulationTakesOnFabrics) {
  for (const std::string spec : {"dgx-h100:boxes=2", "mi250", "ndv2", "torus:3x3", "pcie-box",
                                 "nvl72:racks=2,gpus=6+5", "leaf-spine:gpus=16"}) {
    const auto graph = generate(spec);
    ASSERT_TRUE(graph) << spec;
    std::vector<uint32_t> shape;
    for (const Domain& domain : find_domains(*graph)) {
      shape.push_back(static_cast<uint32_t>(domain.members.size()));
    }
    const auto network = Network::of_graph(*graph, assumed_costs());
    ASSERT_TRUE(network) << spec;
    expect_at_least(Topology::of_domains(shape), *network, spec);
  }
}

}  // namespace
}  // namespace unirack
