// How long forests of large pools may take, bounds and check not counted.
#include <gtest/gtest.h>

#include <chrono>
#include <string>

#include "collectives/forest/forest.h"
#include "lib/topology/bound/bound.h"
#include "lib/topology/formats/formats.h"
#include "lib/topology/generate/generate.h"
#include "tests/support/test_data.h"

namespace unirack {
namespace {

// Packs one tree a root and returns how long that took; at least this share of the optimum.
double pack_ms(const Graph& graph, Wide thousandths) {
  const auto begin = std::chrono::steady_clock::now();
  const CutNetwork network = cut_network_of(graph);
  const Result<Forest> forest = pack_all_gather(graph, network, 1);
  const auto end = std::chrono::steady_clock::now();
  EXPECT_TRUE(forest) << forest.error().detail;
  if (!forest) return 1e9;
  const Rational bound = Bounds(graph).all_gather().algbw;
  EXPECT_GE(forest_algbw(network, *forest),
            ratio(bound.numerator * thousandths, bound.denominator * 1000));
  return std::chrono::duration<double, std::milli>(end - begin).count();
}

TEST(ForestTimed, SixteenRacksWholeAndBroken) {
  const Result<Graph> graph = generate("nvl72:racks=16");
  ASSERT_TRUE(graph);
  EXPECT_LT(pack_ms(*graph, 999), 5000);
  for (const char* fault : {"nic:100", "leaf:7"}) {
    EXPECT_LT(pack_ms(*with_fault(*graph, fault), 990), 5000) << fault;
  }
}

TEST(ForestTimed, LiveFabricOf476Gpus) {
  const auto file = testing::read_test_data("topologies/ibnetdiscover/gb200-8-racks.out");
  if (!file) GTEST_SKIP() << testing::kNoTestData;
  const Result<Graph> graph = read_graph(*file, "ibnetdiscover", {});
  ASSERT_TRUE(graph);
  EXPECT_LT(pack_ms(*graph, 1000), 1000);
}

TEST(ForestTimed, ThousandGpusInBoxes) {
  const Result<Graph> graph = generate("dgx-a100:boxes=128");
  ASSERT_TRUE(graph);
  EXPECT_LT(pack_ms(*graph, 1000), 3000);
}

}  // namespace
}  // namespace unirack
