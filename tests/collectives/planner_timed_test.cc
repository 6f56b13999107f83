// How long planning may take, from the topology to the schedule that runs.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <ctime>
#include <string>

#include "collectives/planner.h"
#include "tests/support/fabric_pools.h"
#include "tests/support/watchdog.h"

namespace unirack {
namespace {

// Of the processor, so that other work does not count.
double now_ms() { return static_cast<double>(std::clock()) * 1000 / CLOCKS_PER_SEC; }

// The best of some; each begins with a planner that knows nothing.
double plan_ms(const Topology& topology, Result<Network> (*network_for)(const Topology&),
               const Request& request, int runs, const std::string& what) {
  double best = 1e9;
  for (int i = 0; i < runs; ++i) {
    auto network = network_for(topology);
    EXPECT_TRUE(network);
    const double begin = now_ms();
    auto planner =
        Planner::make(topology, std::move(network).value(), default_policy(topology.graph()));
    EXPECT_TRUE(planner);
    const auto schedule = planner->plan(request);
    best = std::min(best, now_ms() - begin);
    EXPECT_TRUE(schedule) << schedule.error().detail;
    if (!schedule) return best;
    if (i > 0) continue;
    std::printf("%s %s x %llu: %s\n", what.c_str(),
                std::string(collective_name(request.collective)).c_str(),
                static_cast<unsigned long long>(request.count),
                (*schedule)->header().algorithm.c_str());
  }
  std::printf("%s: planned in %.2f ms\n", what.c_str(), best);
  return best;
}

Result<Network> host_network(const Topology& topology) {
  return Network::of_topology(topology, assumed_host_costs());
}

Result<Network> fabric_network(const Topology& topology) {
  return network_of(topology, assumed_costs());
}

TEST(PlannerProcessorTimed, EightRanks) {
  const Topology topology = Topology::of_domains({8});
  for (const Collective collective : {Collective::all_reduce, Collective::all_gather,
                                      Collective::reduce_scatter, Collective::all_to_all}) {
    for (const uint64_t count : {uint64_t{64}, uint64_t{100'000}, uint64_t{10'000'000}}) {
      Request request;
      request.collective = collective;
      request.type = DataType::float32;
      request.count = count;
      EXPECT_LT(plan_ms(topology, host_network, request, 3, "8 ranks"), 20);
    }
  }
}

TEST(PlannerProcessorTimed, Racks1152RanksAndOneNicLess) {
  testing::extend_watchdog(4);
  for (const std::string fault : {"", "nic:5"}) {
    const Topology topology = testing::pool_of(testing::fabric("nvl72:racks=16", fault));
    for (const uint64_t count : {uint64_t{256}, uint64_t{1} << 24}) {
      Request request;
      request.collective = Collective::all_reduce;
      request.type = DataType::float32;
      request.count = count;
      EXPECT_LT(plan_ms(topology, fabric_network, request, 1, "1152 ranks " + fault), 10'000);
    }
  }
}

}  // namespace
}  // namespace unirack
