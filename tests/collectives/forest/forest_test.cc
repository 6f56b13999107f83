// Forests on published fabrics, as fractions, and what broken ones still reach.
#include "collectives/forest/forest.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "lib/topology/bound/bound.h"
#include "lib/topology/bound/cut_search.h"
#include "lib/topology/formats/formats.h"
#include "tests/support/fabric_pools.h"
#include "tests/support/test_data.h"
#include "tests/support/watchdog.h"

namespace unirack {
namespace {

using testing::fabric;

constexpr Wide kGb = 1'000'000'000;

// The scale at which a forest's fullest pipe is just full.
Rational scale_of(const CutNetwork& network, const Forest& forest) {
  const Rational algbw = forest_algbw(network, forest);
  return ratio(static_cast<Wide>(forest.roots.size()) * network.unit * algbw.denominator,
               algbw.numerator);
}

void expect_right(const Graph& graph, const CutNetwork& network, const Forest& forest) {
  const Status status = check_forest(graph, network, forest, scale_of(network, forest));
  EXPECT_TRUE(status) << status.error().detail;
  EXPECT_EQ(refute(Bounds(graph).all_gather(), forest_algbw(network, forest)), "");
}

struct Row {
  const char* spec;
  const char* fault;
  uint32_t k;
  Wide gb_per_s;  // algbw is gb_per_s / divisor
  Wide divisor;
};

void PrintTo(const Row& row, std::ostream* out) {
  *out << row.spec << " " << row.fault << " k=" << row.k;
}

class ForestTable : public ::testing::TestWithParam<Row> {};

TEST_P(ForestTable, ReachesTheOptimumOfSoManyTrees) {
  const Row& row = GetParam();
  const Graph graph = fabric(row.spec, row.fault);
  const CutNetwork network = cut_network_of(graph);
  const Result<Forest> forest = pack_all_gather(graph, network, row.k);
  ASSERT_TRUE(forest) << forest.error().detail;
  EXPECT_EQ(forest->roots.size(), uint64_t{network.member_count} * row.k);
  expect_right(graph, network, *forest);
  const Rational algbw = forest_algbw(network, *forest);
  EXPECT_TRUE(algbw == ratio(row.gb_per_s * kGb, row.divisor)) << algbw.value() / 1e9;
}

INSTANTIATE_TEST_SUITE_P(Published, ForestTable,
                         ::testing::Values(Row{"dgx-a100", "", 1, 8 * 300, 7},           // 342.857
                                           Row{"dgx-a100:boxes=2", "", 1, 16 * 150, 7},  // 342.857
                                           Row{"dgx-a100:boxes=2", "", 13, 16 * 65, 3},  // 346.667
                                           Row{"dgx-a100:boxes=4", "", 1, 32 * 25, 3},   // 266.667
                                           Row{"dgx-a100:boxes=16", "", 1, 128 * 5, 3},  // 213.333
                                           Row{"dgx-h100:boxes=2", "", 2, 16 * 100, 3},  // 533.333
                                           Row{"dgx-h100:boxes=4", "", 10, 32 * 500,
                                               31},                                      // 516.129
                                           Row{"dgx-h100:boxes=8", "", 1, 64 * 50, 7},   // 457.143
                                           Row{"mi250", "", 3, 16 * 150, 7},             // 342.857
                                           Row{"mi250", "", 1, 16 * 50, 3},              // 266.667
                                           Row{"mi300x", "", 1, 8 * 64, 1},              // 512
                                           Row{"dgx1v", "", 6, 8 * 150, 7},              // 171.429
                                           Row{"dgx2:chassis=2", "", 10, 32 * 125, 31},  // 129.032
                                           Row{"ndv2:chassis=2", "", 1, 25, 1},          // 25.0
                                           Row{"ndv2:chassis=4", "", 1, 50, 3},          // 16.667
                                           Row{"torus:4x4,link=1", "", 4, 64, 15},       // 4.267
                                           Row{"torus:4x4,link=1", "", 1, 4, 1},
                                           Row{"hypercube:16,link=1", "", 4, 64, 15},
                                           Row{"hypercube:16,link=1", "", 1, 4, 1},
                                           Row{"nvl72", "", 1, 72 * 900, 71}));  // 912.676

TEST(Forest, Mi250BoxesReachTheirOptimumWith83Trees) {
  testing::extend_watchdog(3);
  const Graph graph = fabric("mi250:boxes=2");
  const CutNetwork network = cut_network_of(graph);
  const Result<Forest> forest = pack_all_gather(graph, network, 83);
  ASSERT_TRUE(forest) << forest.error().detail;
  expect_right(graph, network, *forest);
  EXPECT_TRUE(forest_algbw(network, *forest) == ratio(32 * 166 * kGb, 15));  // 354.133
}

// At least this share of the exact bound, with few trees.
struct ShareRow {
  const char* spec;
  const char* fault;
  Wide thousandths;
};

void PrintTo(const ShareRow& row, std::ostream* out) { *out << row.spec << " " << row.fault; }

void expect_share(const Graph& graph, Wide thousandths) {
  const CutNetwork network = cut_network_of(graph);
  const Result<uint32_t> k = smallest_tree_count(network, 16, {99, 100});
  ASSERT_TRUE(k) << k.error().detail;
  const Result<Forest> forest = pack_all_gather(graph, network, *k);
  ASSERT_TRUE(forest) << forest.error().detail;
  expect_right(graph, network, *forest);
  const Rational bound = Bounds(graph).all_gather().algbw;
  const Rational algbw = forest_algbw(network, *forest);
  EXPECT_GE(algbw, ratio(bound.numerator * thousandths, bound.denominator * 1000))
      << algbw.value() / 1e9 << " GB/s of " << bound.value() / 1e9 << " with " << *k << " trees";
}

class ForestShare : public ::testing::TestWithParam<ShareRow> {};

TEST_P(ForestShare, OfTheBoundIsReached) {
  expect_share(fabric(GetParam().spec, GetParam().fault), GetParam().thousandths);
}

INSTANTIATE_TEST_SUITE_P(Fabrics, ForestShare,
                         ::testing::Values(ShareRow{"mi250:boxes=2", "", 980},
                                           ShareRow{"ndv2:chassis=2", "", 1000},
                                           ShareRow{"nvl72:racks=2", "", 980},
                                           ShareRow{"nvl72:gpus=72+66", "", 980},
                                           ShareRow{"nvl72:gpus=72+66+40", "", 980},
                                           ShareRow{"nvl72:racks=2", "nic:5", 980},
                                           ShareRow{"nvl72:racks=2", "leaf:1", 980},
                                           ShareRow{"nvl72:racks=2", "spine:0", 980},
                                           // The bound sends within a rack through its leaves, too.
                                           ShareRow{"nvl72:racks=2,oversubscription=4", "", 940},
                                           ShareRow{"dgx-h100:boxes=3", "nic:2", 980},
                                           ShareRow{"leaf-spine:gpus=60,boxes=2", "", 980}));

TEST(Forest, LiveFabricReachesItsBound) {
  const auto file = testing::read_test_data("topologies/ibnetdiscover/gb200-8-racks.out");
  if (!file) GTEST_SKIP() << testing::kNoTestData;
  const Result<Graph> graph = read_graph(*file, "ibnetdiscover", {});
  ASSERT_TRUE(graph) << graph.error().detail;
  expect_share(*graph, 980);
}

TEST(Forest, BroadcastOfABoxIsAsFastAsOneLink) {
  const Graph graph = fabric("dgx-h100");
  const CutNetwork network = cut_network_of(graph);
  for (const uint32_t k : {1u, 7u}) {
    const Result<Forest> forest = pack_broadcast(graph, network, 3, k);
    ASSERT_TRUE(forest) << forest.error().detail;
    const Status status = check_forest(graph, network, *forest, scale_of(network, *forest));
    EXPECT_TRUE(status) << status.error().detail;
    EXPECT_TRUE(forest_algbw(network, *forest) == ratio(450 * kGb));
  }
}

TEST(Forest, CheckFindsWhatIsWrong) {
  const Graph graph = fabric("dgx-a100:boxes=2");
  const CutNetwork network = cut_network_of(graph);
  const Forest right = pack_all_gather(graph, network, 1).value();
  const Rational scale = scale_of(network, right);
  ASSERT_TRUE(check_forest(graph, network, right, scale));
  const auto detail = [&](const Forest& forest, Rational at) {
    const Status status = check_forest(graph, network, forest, at);
    return status ? std::string() : status.error().detail;
  };
  EXPECT_EQ(detail(right, ratio(scale.numerator * 99, scale.denominator * 100)),
            "forest: a pipe carries more trees than it has room for");
  Forest wrong = right;
  wrong.edges[0].to = wrong.edges[1].to;
  EXPECT_NE(detail(wrong, scale), "");
  wrong = right;
  wrong.edges[0].to = wrong.roots[0];
  EXPECT_EQ(detail(wrong, scale), "forest: tree 0 reaches a member twice");
  wrong = right;
  wrong.edges[2].route = 0;
  EXPECT_EQ(detail(wrong, scale), "forest: tree 0 takes a route that ends elsewhere");
  wrong = right;
  std::swap(wrong.edges.front(), wrong.edges[14]);
  EXPECT_NE(detail(wrong, scale), "");
  wrong.edges.pop_back();
  EXPECT_EQ(detail(wrong, scale), "forest: not every tree has an edge into every member");
}

TEST(Forest, SaysWhyThereIsNone) {
  const Graph alone = fabric("dgx-a100", "link:box0/gpu3:box0/nvswitch");
  const Result<Forest> cut_off = pack_all_gather(alone, cut_network_of(alone), 1);
  ASSERT_FALSE(cut_off);
  EXPECT_EQ(cut_off.error().detail, "a member is cut off: no tree reaches it");
  const Graph graph = fabric("dgx-a100");
  EXPECT_FALSE(pack_all_gather(graph, cut_network_of(graph), 0));
  EXPECT_FALSE(pack_all_gather(graph, cut_network_of(graph), 1'000'000));
}

std::vector<uint32_t> pair_loads(const Forest& forest) {
  std::vector<uint32_t> loads(size_t{forest.member_count} * forest.member_count, 0);
  for (const ForestEdge& edge : forest.edges) ++loads[edge.from * forest.member_count + edge.to];
  return loads;
}

// Whoever shares a port shares it with equals.
TEST(Forest, PairsBehindASwitchCarryAlike) {
  const Graph graph = fabric("dgx-a100:boxes=2");
  const Forest forest = pack_all_gather(graph, cut_network_of(graph), 13).value();
  const std::vector<uint32_t> loads = pair_loads(forest);
  for (uint32_t from = 0; from < 16; ++from) {
    for (uint32_t to = 0; to < 16; ++to) {
      if (from == to || from / 8 != to / 8) continue;
      // A port carries 180 trees to and from 7 others.
      EXPECT_NEAR(loads[from * 16 + to], 180.0 / 7, 1.5) << from << " to " << to;
    }
  }
}

TEST(Forest, MachinesAreJoinedPortToPort) {
  const Graph graph = fabric("mi250:boxes=2");
  const Forest forest = pack_all_gather(graph, cut_network_of(graph), 7).value();
  const std::vector<uint32_t> loads = pair_loads(forest);
  for (uint32_t i = 0; i < 16; ++i) {
    for (uint32_t j = 0; j < 16; ++j) {
      EXPECT_EQ(loads[i * 32 + 16 + j] > 0, i == j) << i << " to " << j;
      EXPECT_EQ(loads[(16 + i) * 32 + j] > 0, i == j) << i << " from " << j;
    }
  }
}

}  // namespace
}  // namespace unirack
