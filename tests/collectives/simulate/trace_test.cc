// Traces are JSON of the trace event format, and say who did what.
#include "collectives/simulate/trace.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "collectives/algorithms/algorithms.h"

namespace unirack {
namespace {

TEST(Trace, HasEveryRankAndItsMessages) {
  const Topology topology = Topology::of_domains({2, 2});
  Request request;
  request.collective = Collective::all_reduce;
  const auto schedule = all_reduce_two_level(topology, request, 1);
  const auto network = Network::of_topology(topology, assumed_costs());
  ASSERT_TRUE(schedule);
  ASSERT_TRUE(network);
  SimulateOptions options;
  options.record = true;
  options.fold = false;
  const SimulatedCall call{1 << 20, DataType::float32};
  const auto simulation = simulate(*schedule, *network, call, options);
  ASSERT_TRUE(simulation);
  const auto trace = nlohmann::json::parse(trace_json(*simulation, *schedule, *network));
  std::vector<int> flows(4, 0);
  double last_us = 0;
  for (const auto& event : trace["traceEvents"]) {
    if (event["ph"] != "X") continue;
    last_us = std::max(last_us, event["ts"].get<double>() + event["dur"].get<double>());
    if (event["name"].get<std::string>().starts_with("bytes of put")) {
      ++flows[event["pid"].get<size_t>()];
      EXPECT_TRUE(event["args"].contains("limited by"));
    }
  }
  for (const int count : flows) EXPECT_EQ(count, 4);  // one a peer, two over the rail
  EXPECT_NEAR(last_us, simulation->seconds() * 1e6, 0.001);
  const std::string path = critical_path_text(*simulation, *schedule, *network);
  EXPECT_NE(path.find("over domain"), std::string::npos) << path;
  EXPECT_NE(path.find("reduce"), std::string::npos) << path;
}

}  // namespace
}  // namespace unirack
