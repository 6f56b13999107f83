#include "lib/topology/flow/concurrent_flow.h"

#include <gtest/gtest.h>

#include <random>
#include <string>

#include "lib/topology/bound/bound.h"
#include "lib/topology/generate/generate.h"
#include "tests/support/graphs.h"

namespace unirack {
namespace {

using testing::add;
using testing::build;

struct Row {
  const char* spec;
  const char* fault;
  Wide gb_per_s;
  Wide per;
};

void PrintTo(const Row& row, std::ostream* out) { *out << row.spec << " " << row.fault; }

Graph fabric(const Row& row) {
  const Result<Graph> graph = generate(row.spec);
  EXPECT_TRUE(graph) << graph.error().detail;
  return *row.fault == 0 ? *graph : *with_fault(*graph, row.fault);
}

class AllToAllTable : public ::testing::TestWithParam<Row> {};

TEST_P(AllToAllTable, OptimumIsExact) {
  const Row& row = GetParam();
  const Graph graph = fabric(row);
  const Bounds bounds(graph);
  const Result<AllToAllOptimum> optimum = solve_all_to_all(bounds.network());
  ASSERT_TRUE(optimum) << optimum.error().detail;
  const Rational wanted = ratio(row.gb_per_s * 1'000'000'000, row.per);
  EXPECT_TRUE(optimum->algbw == wanted)
      << rate_text(optimum->algbw) << ", expected " << rate_text(wanted);
  EXPECT_NEAR(optimum->reached / wanted.value(), 1, 1e-6);
  EXPECT_TRUE(optimum->algbw <= bounds.all_to_all().algbw);
}

INSTANTIATE_TEST_SUITE_P(
    Published, AllToAllTable,
    ::testing::Values(Row{"hypercube:16,link=1", "", 16, 8},      // chunk times of N chunks
                      Row{"torus:4x4,link=1", "", 16, 8},         //
                      Row{"torus:8x8,link=1", "", 64, 64},        //
                      Row{"torus:4x4x4,link=1", "", 64, 32},      //
                      Row{"torus:8,link=1", "", 8, 8},            //
                      Row{"ndv2:chassis=2", "", 25, 8},           // TACCL reaches 3.125
                      Row{"dgx2:chassis=2", "", 25, 2},           // TE-CCL 12.422 of 12.5
                      Row{"mi300x", "", 512, 1},                  //
                      Row{"dgx-a100:boxes=4", "", 100, 3},        //
                      Row{"nvl72:racks=2", "", 100, 1},           //
                      Row{"nvl72:racks=4", "", 200, 3},           //
                      Row{"nvl72:racks=2", "nic:0", 3550, 36}));  // 71 NICs for 72 * 72 blocks

TEST(AllToAllOptimum, SymmetryFoldsTheProgram) {
  const Graph graph = fabric({"torus:8x8", "", 0, 0});
  const Result<AllToAllOptimum> optimum = solve_all_to_all(cut_network_of(graph));
  ASSERT_TRUE(optimum);
  EXPECT_EQ(optimum->column_count, 1u + 64 * (256 - 4));
  EXPECT_LE(optimum->folded_column_count, 64u);
}

TEST(AllToAllOptimum, NothingToSolve) {
  GraphBuilder builder;
  const NodeIndex a = add(builder, NodeKind::gpu, "a");
  const NodeIndex b = add(builder, NodeKind::gpu, "b");
  GraphBuilder apart = builder;
  builder.join({.from = a, .to = b});
  EXPECT_TRUE(solve_all_to_all(cut_network_of(build(std::move(builder))))->algbw.is_unlimited());
  const auto cut_off = solve_all_to_all(cut_network_of(build(std::move(apart))));
  EXPECT_TRUE(cut_off->algbw == ratio(0));
}

TEST(AllToAllOptimum, TooLargeIsRefused) {
  const Graph graph = fabric({"leaf-spine:gpus=2000", "", 0, 0});
  const auto optimum = solve_all_to_all(cut_network_of(graph));
  EXPECT_EQ(optimum.code(), Code::resource_exhausted);
}

// One-way links, switches and unknown bandwidths.
Graph random_fabric(std::mt19937& random) {
  const auto below = [&](uint32_t limit) { return static_cast<uint32_t>(random() % limit); };
  GraphBuilder builder;
  const uint32_t gpus = 2 + below(5);
  const uint32_t nodes = gpus + below(4);
  for (uint32_t i = 0; i < nodes; ++i) {
    add(builder, i < gpus ? NodeKind::gpu : NodeKind::network_switch, "n" + std::to_string(i));
  }
  const uint32_t links = nodes + below(3 * nodes);
  for (uint32_t i = 0; i < links; ++i) {
    Link link;
    link.from = below(nodes);
    link.to = below(nodes);
    if (link.from == link.to) continue;
    link.bandwidth = below(10) == 0 ? 0 : 1'000'000'000ull * (1 + below(9));
    if (below(3) == 0) {
      builder.connect(link);
    } else {
      builder.join(link);
    }
  }
  return build(std::move(builder));
}

TEST(AllToAllOptimum, NeverBeatsCutsOrDistancesAndCertifiesItself) {
  std::mt19937 random(1);
  int tight = 0;
  constexpr int kGraphs = 1000;
  for (int i = 0; i < kGraphs; ++i) {
    const Graph graph = random_fabric(random);
    const Bounds bounds(graph);
    const Result<AllToAllOptimum> optimum = solve_all_to_all(bounds.network());
    ASSERT_TRUE(optimum) << optimum.error().detail;
    const AllToAllBound bound = bounds.all_to_all();
    ASSERT_TRUE(optimum->algbw <= bound.cut.algbw)
        << i << ": " << rate_text(optimum->algbw) << " beats " << rate_text(bound.cut.algbw);
    ASSERT_TRUE(!bound.distance || optimum->algbw <= *bound.distance) << i;
    if (optimum->algbw.is_unlimited()) continue;
    ASSERT_NEAR(optimum->algbw.value(), optimum->reached, 1e-6 * optimum->reached) << i;
    tight += optimum->algbw == bound.algbw ? 1 : 0;
  }
  EXPECT_GT(tight, kGraphs / 4) << "small cuts and distances are often all there is";
}

}  // namespace
}  // namespace unirack
