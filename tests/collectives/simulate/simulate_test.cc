// What a simulation says beside its time: loads, faults, stragglers, the critical path,
// determinism.
#include "collectives/simulate/simulate.h"

#include <gtest/gtest.h>

#include <numeric>
#include <string>
#include <vector>

#include "collectives/algorithms/algorithms.h"
#include "collectives/simulate/trace.h"

namespace unirack {
namespace {

constexpr uint64_t kLatency = 1'000'000;
constexpr uint64_t kBandwidth = 1'000'000'000;

Network flat_network(int ranks, uint32_t rails = 1) {
  Costs costs;
  costs.of(LinkKind::ethernet) = {kLatency, 0, kBandwidth};
  PoolShape shape;
  shape.domain_of.resize(static_cast<size_t>(ranks));
  std::iota(shape.domain_of.begin(), shape.domain_of.end(), 0u);
  shape.rail_count = rails;
  auto network = Network::of_shape(shape, costs);
  EXPECT_TRUE(network);
  return std::move(network).value();
}

Schedule make(Collective collective, const std::string& name, uint32_t ranks, int lanes = 1) {
  Request request;
  request.collective = collective;
  const Topology topology = Topology::of_domains(std::vector<uint32_t>(ranks, 1));
  auto schedule = find_algorithm(collective, name)->generate(topology, request, lanes);
  EXPECT_TRUE(schedule);
  return std::move(schedule).value();
}

constexpr SimulatedCall kCall{1'000'000, DataType::uint8};

TEST(Simulate, LoadsAreWhatTheResourcesCarry) {
  const Network network = flat_network(4);
  const auto simulation = simulate(make(Collective::all_gather, "ring", 4), network, kCall, {});
  ASSERT_TRUE(simulation);
  EXPECT_EQ(simulation->class_count, 1u);
  ASSERT_EQ(simulation->loads.size(), 8u);
  for (const ResourceLoad& load : simulation->loads) {
    EXPECT_EQ(load.bytes, 3'000'000u);
    EXPECT_EQ(load.busy_ps, 3 * transfer_ps(1'000'000, kBandwidth));
  }
  EXPECT_NEAR(
      algorithm_bandwidth(make(Collective::all_gather, "ring", 4), kCall, simulation->time_ps),
      4e6 / simulation->seconds(), 1);
}

TEST(Simulate, LanesTakeTheirOwnRail) {
  const Schedule one = make(Collective::all_gather, "ring", 4, 1);
  const Schedule two = make(Collective::all_gather, "ring", 4, 2);
  const auto narrow = simulate(one, flat_network(4, 2), kCall, {});
  const auto wide = simulate(two, flat_network(4, 2), kCall, {});
  ASSERT_TRUE(narrow);
  ASSERT_TRUE(wide);
  const uint64_t x = transfer_ps(1'000'000, kBandwidth);
  EXPECT_EQ(narrow->time_ps, 4 * kLatency + 3 * x);
  EXPECT_EQ(wide->time_ps, 4 * kLatency + 3 * x / 2);
}

TEST(Simulate, ASlowResourceHoldsUpTheRing) {
  SimulateOptions options;
  options.slow_resources = {{"domain 2 rail 0 out", 25}};
  const auto simulation =
      simulate(make(Collective::all_gather, "ring", 4), flat_network(4), kCall, options);
  ASSERT_TRUE(simulation);
  EXPECT_GT(simulation->class_count, 1u);
  // Every share passes it but the one that ends before it.
  const uint64_t x = transfer_ps(1'000'000, kBandwidth);
  EXPECT_GE(simulation->time_ps, 3 * 4 * x);
  EXPECT_LE(simulation->time_ps, 3 * 4 * x + 2 * x + 6 * kLatency);
}

TEST(Simulate, ADeadResourceIsNamed) {
  SimulateOptions options;
  options.slow_resources = {{"domain 2 rail 0 out", 0}};
  for (const bool fold : {true, false}) {
    options.fold = fold;
    const auto simulation =
        simulate(make(Collective::all_gather, "ring", 4), flat_network(4), kCall, options);
    ASSERT_FALSE(simulation);
    EXPECT_EQ(simulation.code(), Code::unavailable);
    EXPECT_NE(simulation.error().detail.find("domain 2 rail 0 out is dead"), std::string::npos)
        << simulation.error().detail;
  }
  options.slow_resources = {{"domain 9 rail 0 out", 0}};
  EXPECT_EQ(
      simulate(make(Collective::all_gather, "ring", 4), flat_network(4), kCall, options).code(),
      Code::invalid_argument);
}

TEST(Simulate, ALateRankDelaysEverybody) {
  const Schedule schedule = make(Collective::all_reduce, "one_shot", 4);
  const auto whole = simulate(schedule, flat_network(4), kCall, {});
  SimulateOptions options;
  options.slow_ranks = {{3, 100, 7'000'000'000}};
  const auto late = simulate(schedule, flat_network(4), kCall, options);
  ASSERT_TRUE(whole);
  ASSERT_TRUE(late);
  // The others' contributions came meanwhile; those of rank 3 share its rail.
  EXPECT_EQ(late->time_ps, whole->time_ps + 7'000'000'000);
  EXPECT_GT(late->class_count, 1u);
  options.slow_ranks = {{3, 0, 0}};
  const auto dead = simulate(schedule, flat_network(4), kCall, options);
  ASSERT_FALSE(dead);
  EXPECT_EQ(dead.error().culprit, 3);
}

TEST(Simulate, ASlowRankComputesLonger) {
  Costs costs;
  costs.of(LinkKind::ethernet) = {kLatency, 0, kBandwidth};
  costs.reduce_bandwidth.fill(kBandwidth);
  const Topology topology = Topology::of_domains({1, 1});
  const auto network = Network::of_topology(topology, costs);
  ASSERT_TRUE(network);
  const Schedule schedule = make(Collective::all_reduce, "one_shot", 2);
  SimulateOptions options;
  options.slow_ranks = {{1, 50, 0}};
  const auto simulation = simulate(schedule, *network, kCall, options);
  ASSERT_TRUE(simulation);
  const uint64_t x = transfer_ps(1'000'000, kBandwidth);
  EXPECT_EQ(simulation->time_ps, x + kLatency + 2 * (2 * x));
}

TEST(Simulate, RanksWithoutAWayAreNamed) {
  GraphBuilder builder;
  for (const char* name : {"a", "b"}) {
    Node node;
    node.kind = NodeKind::gpu;
    node.name = name;
    ASSERT_TRUE(builder.add(node));
  }
  const auto graph = std::move(builder).build("test");
  ASSERT_TRUE(graph);
  const auto network = Network::of_graph(*graph, Costs());
  ASSERT_TRUE(network);
  const auto simulation = simulate(make(Collective::all_gather, "ring", 2), *network, kCall, {});
  ASSERT_FALSE(simulation);
  EXPECT_NE(simulation.error().detail.find("no way from"), std::string::npos);
  EXPECT_NE(simulation.error().detail.find("(a)"), std::string::npos);
}

TEST(Simulate, AWaitForNobodyIsAnError) {
  ScheduleHeader header;
  header.collective = Collective::barrier;
  header.rank_count = 2;
  header.algorithm = "stuck";
  Builder builder(header);
  builder.wait(0, 0, {1, 0, 1});
  const auto silent = simulate(std::move(builder).build(), flat_network(2), kCall, {});
  EXPECT_EQ(silent.code(), Code::invalid_argument);
  Builder cross(header);
  cross.wait(0, 0, {1, 0, 1});
  cross.signal(0, 0, 1);
  cross.wait(1, 0, {0, 0, 1});
  cross.signal(1, 0, 0);
  const auto stuck = simulate(std::move(cross).build(), flat_network(2), kCall, {});
  ASSERT_FALSE(stuck);
  EXPECT_NE(stuck.error().detail.find("waits for ever"), std::string::npos);
}

TEST(Simulate, WhatTakesHoursIsRefused) {
  const SimulatedCall call{uint64_t{1} << 45, DataType::uint8};
  const auto simulation =
      simulate(make(Collective::all_gather, "ring", 2), flat_network(2), call, {});
  EXPECT_EQ(simulation.code(), Code::resource_exhausted);
}

// What is found alike at one size is so at every size.
TEST(Simulate, OneSimulatorTakesManySizes) {
  for (const char* name : {"ring", "two_shot", "binomial"}) {
    const Schedule schedule = make(Collective::all_reduce, name, 6);
    const Network network = flat_network(6);
    auto simulator = Simulator::make(schedule, network);
    ASSERT_TRUE(simulator);
    for (uint64_t count = 0; count < 5'000'000; count = count * 7 + 1) {
      for (const uint64_t tile_bytes : {uint64_t{0}, uint64_t{4096}, uint64_t{100'000}}) {
        const SimulatedCall call{count, DataType::float32, ReduceOp::sum, tile_bytes};
        const auto folded = simulator->run(call);
        SimulateOptions plain;
        plain.fold = false;
        const Schedule tiled = schedule.with_tiles(tile_bytes);
        const auto one = simulate(tiled, network, {count, DataType::float32}, plain);
        ASSERT_TRUE(folded) << name;
        ASSERT_TRUE(one) << name;
        EXPECT_EQ(folded->time_ps, one->time_ps) << name << " " << count << " " << tile_bytes;
      }
    }
  }
}

TEST(Simulate, TheCriticalPathHasNoGaps) {
  for (const char* name : {"ring", "two_shot", "binomial", "recursive_doubling"}) {
    Costs costs = assumed_costs();
    const auto network = Network::of_topology(Topology::of_domains({1, 1, 1, 1, 1}), costs);
    ASSERT_TRUE(network);
    const Schedule schedule = make(Collective::all_reduce, name, 5);
    SimulateOptions options;
    options.record = true;
    const auto simulation = simulate(schedule, *network, kCall, options);
    ASSERT_TRUE(simulation);
    ASSERT_FALSE(simulation->critical_path.empty()) << name;
    uint64_t reached_ps = costs.call_ps;
    for (const uint32_t index : simulation->critical_path) {
      const auto& activity = simulation->activities[index];
      EXPECT_LE(activity.begin_ps, reached_ps) << name;
      EXPECT_GE(activity.end_ps, reached_ps) << name;
      reached_ps = activity.end_ps;
    }
    EXPECT_EQ(reached_ps, simulation->time_ps) << name;
  }
}

TEST(Simulate, TheSameTwice) {
  const Schedule schedule = make(Collective::all_to_all, "pairwise", 6);
  SimulateOptions options;
  options.record = true;
  options.slow_ranks = {{2, 70, 1'000'000}};
  const Network network = flat_network(6);
  const auto one = simulate(schedule, network, kCall, options);
  const auto two = simulate(schedule, network, kCall, options);
  ASSERT_TRUE(one);
  ASSERT_TRUE(two);
  EXPECT_EQ(one->time_ps, two->time_ps);
  EXPECT_EQ(trace_json(*one, schedule, network), trace_json(*two, schedule, network));
}

TEST(Simulate, StopsWhereTheRestIsOfNoInterest) {
  const Network network = flat_network(4);
  const Schedule schedule = make(Collective::all_reduce, "ring", 4);
  SimulatedCall call{1'000'000, DataType::float32, ReduceOp::sum, 0};
  const auto whole = simulate(schedule, network, call);
  ASSERT_TRUE(whole);
  EXPECT_FALSE(whole->is_stopped);
  call.stop_ps = whole->time_ps / 2;
  const auto half = simulate(schedule, network, call);
  ASSERT_TRUE(half);
  EXPECT_TRUE(half->is_stopped);
  EXPECT_GT(half->time_ps, call.stop_ps);
  EXPECT_LT(half->time_ps, whole->time_ps);
  call.stop_ps = whole->time_ps;
  const auto just = simulate(schedule, network, call);
  ASSERT_TRUE(just);
  EXPECT_FALSE(just->is_stopped);
  EXPECT_EQ(just->time_ps, whole->time_ps);
}

}  // namespace
}  // namespace unirack
