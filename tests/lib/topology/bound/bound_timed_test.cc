// How long a bound may take, with the graph's network; the benchmark is perf/topo/bound_bench.cc.
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <string>

#include "lib/topology/bound/bound.h"
#include "lib/topology/formats/formats.h"
#include "lib/topology/generate/generate.h"
#include "tests/support/test_data.h"

namespace unirack {
namespace {

// The best of three, since other work may come between.
double all_gather_ms(const Graph& graph) {
  double best = 1e9;
  for (int i = 0; i < 3; ++i) {
    const auto begin = std::chrono::steady_clock::now();
    const Bound bound = Bounds(graph).all_gather();
    const auto end = std::chrono::steady_clock::now();
    EXPECT_FALSE(bound.algbw.is_unlimited());
    best = std::min(best, std::chrono::duration<double, std::milli>(end - begin).count());
  }
  return best;
}

TEST(BoundTimed, LiveFabricOf476Gpus) {
  const auto file = testing::read_test_data("topologies/ibnetdiscover/gb200-8-racks.out");
  if (!file) GTEST_SKIP() << testing::kNoTestData;
  const Result<Graph> graph = read_graph(*file, "ibnetdiscover", {});
  ASSERT_TRUE(graph);
  EXPECT_LT(all_gather_ms(*graph), 50);
}

TEST(BoundTimed, SixteenRacksWholeAndBroken) {
  const Result<Graph> graph = generate("nvl72:racks=16");
  ASSERT_TRUE(graph);
  EXPECT_LT(all_gather_ms(*graph), 200);
  for (const char* fault : {"nic:100", "leaf:7"}) {
    EXPECT_LT(all_gather_ms(*with_fault(*graph, fault)), 200) << fault;
  }
}

TEST(BoundTimed, TenThousandGpusWholeAndBroken) {
  const Result<Graph> graph = generate("leaf-spine:gpus=10000");
  ASSERT_TRUE(graph);
  EXPECT_LT(all_gather_ms(*graph), 5000);
  for (const char* fault : {"nic:5000", "leaf:100"}) {
    EXPECT_LT(all_gather_ms(*with_fault(*graph, fault)), 5000) << fault;
  }
}

}  // namespace
}  // namespace unirack
