// The published and recomputed optima, as fractions.
#include "lib/topology/bound/bound.h"

#include <gtest/gtest.h>

#include <string>

#include "lib/topology/formats/formats.h"
#include "tests/support/fabric_pools.h"
#include "tests/support/graphs.h"
#include "tests/support/test_data.h"

namespace unirack {
namespace {

using testing::add;
using testing::build;
using testing::fabric;

constexpr Wide kGb = 1'000'000'000;

Rational gb_per_s(Wide numerator, Wide denominator = 1) {
  return ratio(numerator * kGb, denominator);
}

std::string text(Rational rational) {
  return std::to_string(static_cast<double>(rational.numerator)) + " / " +
         std::to_string(static_cast<double>(rational.denominator));
}

#define EXPECT_RATIONAL(got, wanted) \
  EXPECT_TRUE((got) == (wanted)) << text(got) << ", expected " << text(wanted)

struct Row {
  const char* spec;
  const char* fault;
  Wide shares;  // the slowest cut takes shares / gb_per_s
  Wide gb_per_s;
  Wide gpus;
  uint64_t k;
  const char* words;
};

void PrintTo(const Row& row, std::ostream* out) { *out << row.spec << " " << row.fault; }

class BoundTable : public ::testing::TestWithParam<Row> {};

TEST_P(BoundTable, AllGatherIsExact) {
  const Row& row = GetParam();
  const Graph graph = fabric(row.spec, row.fault);
  ASSERT_EQ(static_cast<Wide>(graph.members().size()), row.gpus);
  const Bounds bounds(graph);
  const Bound all_gather = bounds.all_gather();
  EXPECT_RATIONAL(all_gather.algbw, gb_per_s(row.gpus * row.gb_per_s, row.shares));
  EXPECT_EQ(all_gather.cut.words, row.words);
  EXPECT_RATIONAL(bounds.reduce_scatter().algbw, all_gather.algbw);
  const Result<Trees> trees = bounds.optimal_trees();
  ASSERT_TRUE(trees);
  EXPECT_EQ(trees->per_root, row.k);
  // k / U shares a second for each root.
  EXPECT_RATIONAL(
      ratio(static_cast<Wide>(row.k) * row.gpus * trees->scale.denominator, trees->scale.numerator),
      all_gather.algbw);
  EXPECT_RATIONAL(bounds.fixed_trees(row.k)->bound.algbw, all_gather.algbw);
}

INSTANTIATE_TEST_SUITE_P(
    Published, BoundTable,
    ::testing::Values(
        // ForestColl, arXiv 2402.06787, its topologies evaluated exactly.
        Row{"dgx-a100", "", 7, 300, 8, 1, "GPU box0/gpu0 (one of 8 alike) behind 300 GB/s"},
        Row{"dgx-a100:boxes=2", "", 15, 325, 16, 13,
            "GPU box0/gpu0 (one of 16 alike) behind 325 GB/s"},
        Row{"dgx-a100:boxes=2,rails=2", "", 15, 325, 16, 13,
            "GPU box0/gpu0 (one of 16 alike) behind 325 GB/s"},
        Row{"dgx-a100:boxes=4", "", 24, 200, 32, 1, "8 GPUs of box0 behind 200 GB/s"},
        Row{"dgx-a100:boxes=16", "", 120, 200, 128, 1, "8 GPUs of box0 behind 200 GB/s"},
        Row{"dgx-a100:boxes=128", "", 1016, 200, 1024, 1, "8 GPUs of box0 behind 200 GB/s"},
        Row{"dgx-h100:boxes=2", "", 15, 500, 16, 2,
            "GPU box0/gpu0 (one of 16 alike) behind 500 GB/s"},
        Row{"dgx-h100:boxes=4", "", 31, 500, 32, 10,
            "GPU box0/gpu0 (one of 32 alike) behind 500 GB/s"},
        Row{"dgx-h100:boxes=8", "", 56, 400, 64, 1, "8 GPUs of box0 behind 400 GB/s"},
        Row{"dgx-h100:boxes=16", "", 120, 400, 128, 1, "8 GPUs of box0 behind 400 GB/s"},
        Row{"mi250", "", 14, 300, 16, 3, "2 GPUs: box0/gpu0, box0/gpu1 behind 300 GB/s"},
        Row{"mi250:boxes=2", "", 30, 332, 32, 83, "2 GPUs: box0/gpu0, box0/gpu1 behind 332 GB/s"},
        Row{"mi300x", "", 7, 448, 8, 1, "GPU box0/gpu0 (one of 8 alike) behind 448 GB/s"},
        // SCCL: 7/6 rounds a chunk.
        Row{"dgx1v", "", 7, 150, 8, 6, "GPU box0/gpu0 (one of 8 alike) behind 150 GB/s"},
        // TE-CCL's machines, and their nominal rates.
        Row{"dgx2:chassis=2", "", 31, 125, 32, 10,
            "GPU box0/gpu1 (one of 16 alike) behind 125 GB/s"},
        Row{"ndv2:chassis=2", "", 16, 25, 16, 1,
            "8 GPUs of box0 behind 12.5 GB/s of box0/nic/mlx5_0"},
        Row{"ndv2:chassis=4", "", 48, 25, 32, 1,
            "8 GPUs of box0 behind 12.5 GB/s of box0/nic/mlx5_0"},
        // NVL72: 912.676, 956.643, 953.310, 951.652, 950.825, 1006.993, 956.934, 906.294 GB/s.
        Row{"nvl72", "", 71, 900, 72, 1, "GPU rack0-tray00/gpu0 (one of 72 alike) behind 900 GB/s"},
        Row{"nvl72:racks=2", "", 143, 950, 144, 19,
            "GPU rack0-tray00/gpu0 (one of 144 alike) behind 950 GB/s"},
        Row{"nvl72:racks=4", "", 287, 950, 288, 19,
            "GPU rack0-tray00/gpu0 (one of 288 alike) behind 950 GB/s"},
        Row{"nvl72:racks=8", "", 575, 950, 576, 19,
            "GPU rack0-tray00/gpu0 (one of 576 alike) behind 950 GB/s"},
        Row{"nvl72:racks=16", "", 1151, 950, 1152, 19,
            "GPU rack0-tray00/gpu0 (one of 1152 alike) behind 950 GB/s"},
        Row{"nvl72:racks=2,nic=100", "", 143, 1000, 144, 10,
            "GPU rack0-tray00/gpu0 (one of 144 alike) behind 1000 GB/s"},
        Row{"nvl72:gpus=72+66", "", 137, 950, 138, 19,
            "GPU rack0-tray00/gpu0 (one of 138 alike) behind 950 GB/s"},
        Row{"nvl72:racks=2", "partial-rack:66", 137, 950, 138, 19,
            "GPU rack0-tray00/gpu0 (one of 138 alike) behind 950 GB/s"},
        Row{"nvl72:racks=2", "nic:5", 143, 900, 144, 18, "GPU rack0-tray01/gpu1 behind 900 GB/s"},
        Row{"nvl72:racks=2,oversubscription=100", "", 72, 200, 144, 1,
            "72 GPUs of rack0 behind 200 GB/s"},
        // 16 / 3.75 links.
        Row{"torus:4x4,link=1", "", 15, 4, 16, 4, "GPU gpu0 (one of 16 alike) behind 4 GB/s"},
        Row{"hypercube:16,link=1", "", 15, 4, 16, 4, "GPU gpu0 (one of 16 alike) behind 4 GB/s"}));

TEST(Bound, LiveFabricIsLimitedByTheGpusWithoutARail) {
  const auto file = testing::read_test_data("topologies/ibnetdiscover/gb200-8-racks.out");
  if (!file) GTEST_SKIP() << testing::kNoTestData;
  const Result<Graph> graph = read_graph(*file, "ibnetdiscover", {});
  ASSERT_TRUE(graph) << graph.error().detail;
  ASSERT_EQ(graph->members().size(), 476u);
  const Bound bound = Bounds(*graph).all_gather();
  EXPECT_RATIONAL(bound.algbw, gb_per_s(476 * 900, 475));  // 901.8947
  EXPECT_NE(bound.cut.words.find("(one of 10 alike) behind 900 GB/s"), std::string::npos)
      << bound.cut.words;
}

struct FixedRow {
  const char* spec;
  uint64_t k;
  Wide gb_per_s;
  Wide shares;
};

void PrintTo(const FixedRow& row, std::ostream* out) { *out << row.spec << " k=" << row.k; }

class FixedTreesTable : public ::testing::TestWithParam<FixedRow> {};

TEST_P(FixedTreesTable, RateIsExact) {
  const FixedRow& row = GetParam();
  const Graph graph = fabric(row.spec);
  const Result<Trees> trees = Bounds(graph).fixed_trees(row.k);
  ASSERT_TRUE(trees);
  EXPECT_RATIONAL(trees->bound.algbw, gb_per_s(row.gb_per_s, row.shares));
}

INSTANTIATE_TEST_SUITE_P(Published, FixedTreesTable,
                         ::testing::Values(FixedRow{"dgx-a100:boxes=2", 1, 2400,
                                                    7},  // 342.857, scale 7/150
                                           FixedRow{"dgx-a100:boxes=2", 2, 2400, 7},  //
                                           FixedRow{"dgx-h100:boxes=2", 1, 3600, 7},  // 514.286
                                           FixedRow{"dgx-h100:boxes=4", 1, 3600, 7},  //
                                           FixedRow{"mi250", 1, 800, 3},              // 266.667
                                           FixedRow{"mi250", 2, 320, 1},              //
                                           FixedRow{"mi250", 4, 320, 1},              //
                                           FixedRow{"mi250:boxes=2", 1, 320, 1},      //
                                           FixedRow{"mi250:boxes=2", 2, 1024, 3},     // 341.333
                                           FixedRow{"hypercube:16,link=1", 1, 4, 1},  //
                                           FixedRow{"torus:4x4,link=1", 1, 4, 1},     //
                                           FixedRow{"nvl72:racks=2", 1, 144 * 900, 136},
                                           FixedRow{"nvl72:racks=4", 1, 288 * 900, 272},
                                           FixedRow{"nvl72:racks=8", 1, 576 * 900, 545},
                                           FixedRow{"nvl72:racks=16", 1, 1152 * 900, 1091}));

TEST(Bound, AllReduceIsReduceScatterThenAllGather) {
  const Graph graph = fabric("dgx-a100:boxes=2");
  const AllReduceBound bound = Bounds(graph).all_reduce();
  EXPECT_RATIONAL(bound.algbw, gb_per_s(520, 3));  // 173.333
  EXPECT_EQ(bound.reduce_scatter.cut.words, "GPU box0/gpu0 (one of 16 alike) behind 325 GB/s");
  EXPECT_FALSE(bound.reduce_scatter.cut.entering);
  EXPECT_TRUE(bound.all_gather.cut.entering);
  EXPECT_EQ(bound.reduce_scatter.cut.links.size(), 2u);
  for (const LinkIndex link : bound.reduce_scatter.cut.links) {
    EXPECT_TRUE(graph.node(graph.link(link).from).host == "box0");
  }
  EXPECT_FALSE(bound.in_switch);
  EXPECT_RATIONAL(bound.any.algbw, bound.algbw) << "16 equal members leave nothing to gain";
}

TEST(Bound, AllReduceThatPassesASlowMemberOnceIsFaster) {
  // One GPU of 144 has half the bandwidth: whoever sums elsewhere sends it the result only once.
  const Graph graph = fabric("nvl72", "link:rack0/nvswitch:rack0-tray00/gpu0");
  GraphBuilder builder(graph);
  for (Link& link : builder.links()) {
    if (link.health != Health::down) continue;
    link.health = Health::ok;
    link.count = 9;
  }
  const Graph slow = std::move(builder).build("half a GPU").value();
  const AllReduceBound bound = Bounds(slow).all_reduce();
  EXPECT_RATIONAL(bound.algbw, gb_per_s(72 * 450, 2 * 71));
  EXPECT_RATIONAL(bound.any.algbw, gb_per_s(450));
}

TEST(Bound, SwitchesThatSumDoubleAnAllReduce) {
  GraphBuilder builder(fabric("nvl72"));
  builder.node(*builder.find("rack0/nvswitch")).reduces = true;
  const Graph graph = std::move(builder).build("with sums").value();
  const AllReduceBound bound = Bounds(graph).all_reduce();
  EXPECT_RATIONAL(bound.algbw, gb_per_s(72 * 450, 71));
  ASSERT_TRUE(bound.in_switch);
  EXPECT_RATIONAL(bound.in_switch->algbw, gb_per_s(900));
}

TEST(Bound, BroadcastIsTheSmallestCutFromTheRoot) {
  const Graph graph = fabric("ndv2:chassis=2");
  const Bounds bounds(graph);
  const NodeIndex root = *graph.find("box1/gpu3");
  EXPECT_RATIONAL(bounds.broadcast(root).algbw, gb_per_s(25, 2));
  EXPECT_RATIONAL(bounds.reduce(root).algbw, gb_per_s(25, 2));
  EXPECT_EQ(bounds.broadcast(root).cut.member_count, 8u);
  const Graph box = fabric("dgx1v");
  EXPECT_RATIONAL(Bounds(box).broadcast(3).algbw, gb_per_s(150));
}

TEST(Bound, DirectionsDiffer) {
  // b receives over 1 GB/s and sends over 3.
  GraphBuilder builder;
  const NodeIndex a = add(builder, NodeKind::gpu, "a");
  const NodeIndex b = add(builder, NodeKind::gpu, "b");
  builder.connect({.from = a, .to = b, .bandwidth = 1'000'000'000});
  builder.connect({.from = b, .to = a, .bandwidth = 3'000'000'000});
  const Graph graph = build(std::move(builder));
  const Bounds bounds(graph);
  EXPECT_RATIONAL(bounds.all_gather().algbw, gb_per_s(2));
  EXPECT_RATIONAL(bounds.reduce_scatter().algbw, gb_per_s(2));
  EXPECT_RATIONAL(bounds.broadcast(a).algbw, gb_per_s(1));
  EXPECT_RATIONAL(bounds.broadcast(b).algbw, gb_per_s(3));
  EXPECT_RATIONAL(bounds.reduce(a).algbw, gb_per_s(3));
  EXPECT_EQ(bounds.reduce(a).cut.words, "GPU b behind 3 GB/s");
  EXPECT_RATIONAL(bounds.all_to_all().algbw, gb_per_s(2));
}

TEST(Bound, AllToAllOfPublishedMachines) {
  const Graph dgx2 = fabric("dgx2:chassis=2");
  EXPECT_RATIONAL(Bounds(dgx2).all_to_all().algbw, gb_per_s(25, 2));
  const Graph ndv2 = fabric("ndv2:chassis=2");
  const AllToAllBound bound = Bounds(ndv2).all_to_all();
  EXPECT_RATIONAL(bound.algbw, gb_per_s(25, 8));
  EXPECT_EQ(bound.cut.cut.words, "8 GPUs of box0 behind 12.5 GB/s of box0/nic/mlx5_0");
  // TACCL reaches it; what TE-CCL published is faster than the network.
  EXPECT_EQ(refute(bound, gb_per_s(3125, 1000)), "");
  EXPECT_EQ(refute(bound, gb_per_s(3524, 1000)),
            "3.524 GB/s is impossible: at most 3.125 GB/s, 8 GPUs of box0 behind 12.5 GB/s of "
            "box0/nic/mlx5_0");
  for (const auto& [racks, wanted] : {std::pair{2, gb_per_s(100)}, std::pair{4, gb_per_s(200, 3)},
                                      std::pair{8, gb_per_s(400, 7)}}) {
    const Graph graph = fabric("nvl72:racks=" + std::to_string(racks));
    EXPECT_RATIONAL(Bounds(graph).all_to_all().algbw, wanted);
  }
}

TEST(Bound, AllToAllDistancesInChunkTimes) {
  // A chunk a pair over links of 1 GB/s: N chunks are a member's buffer.
  for (const auto& [spec, gpus, chunk_times] :
       {std::tuple{"hypercube:16,link=1", 16, 8}, std::tuple{"torus:4x4,link=1", 16, 8},
        std::tuple{"torus:8x8,link=1", 64, 64}, std::tuple{"torus:4x4x4,link=1", 64, 32},
        std::tuple{"torus:8,link=1", 8, 8}}) {
    const Graph graph = fabric(spec);
    const AllToAllBound bound = Bounds(graph).all_to_all();
    ASSERT_TRUE(bound.distance);
    EXPECT_RATIONAL(*bound.distance, gb_per_s(gpus, chunk_times)) << spec;
  }
}

TEST(Bound, WhoIsCutOffGetsNothing) {
  const Graph graph = fabric("dgx-a100:boxes=2", "host:box1,link:box0/gpu0:box0/nvswitch");
  const Bounds bounds(graph);
  EXPECT_EQ(graph.members().size(), 8u);
  const Bound bound = bounds.all_gather();
  EXPECT_RATIONAL(bound.algbw, gb_per_s(0));
  EXPECT_EQ(bound.cut.words, "GPU box0/gpu0 cut off");
  EXPECT_RATIONAL(bounds.all_reduce().algbw, gb_per_s(0));
  EXPECT_RATIONAL(bounds.all_to_all().algbw, gb_per_s(0));
  EXPECT_RATIONAL(bounds.broadcast(graph.members().back()).algbw, gb_per_s(0));
  EXPECT_EQ(bounds.optimal_trees().code(), Code::invalid_argument);
  EXPECT_EQ(bounds.fixed_trees(1).code(), Code::invalid_argument);
}

TEST(Bound, UnknownBandwidthLimitsNothing) {
  GraphBuilder builder;
  const NodeIndex hub = add(builder, NodeKind::network_switch, "hub");
  for (const char* name : {"a", "b", "c"}) {
    builder.join({.from = add(builder, NodeKind::gpu, name), .to = hub});
  }
  GraphBuilder one_way = builder;
  const Graph graph = build(std::move(builder));
  const Bounds bounds(graph);
  EXPECT_TRUE(bounds.all_gather().algbw.is_unlimited());
  EXPECT_TRUE(bounds.all_gather().cut.nodes.empty());
  EXPECT_TRUE(bounds.broadcast(1).algbw.is_unlimited());
  EXPECT_TRUE(bounds.all_reduce().algbw.is_unlimited());
  EXPECT_TRUE(bounds.all_to_all().algbw.is_unlimited());
  EXPECT_EQ(bounds.optimal_trees().code(), Code::invalid_argument);
  // Into d nothing is known; out of it 5 GB/s.
  const NodeIndex d = add(one_way, NodeKind::gpu, "d");
  one_way.connect({.from = hub, .to = d});
  one_way.connect({.from = d, .to = hub, .bandwidth = 5'000'000'000});
  const Graph mixed = build(std::move(one_way));
  EXPECT_RATIONAL(Bounds(mixed).all_gather().algbw, gb_per_s(20));
  EXPECT_RATIONAL(Bounds(mixed).reduce_scatter().algbw, gb_per_s(20, 3));
  EXPECT_EQ(Bounds(mixed).all_gather().cut.words, "GPU d behind 5 GB/s");
  EXPECT_FALSE(Bounds(mixed).all_gather().cut.entering);
}

TEST(Bound, FewerThanTwoMembersAreNotLimited) {
  GraphBuilder builder;
  const Graph empty = build(GraphBuilder());
  EXPECT_TRUE(Bounds(empty).all_gather().algbw.is_unlimited());
  add(builder, NodeKind::gpu, "a");
  const Graph graph = build(std::move(builder));
  const Bounds bounds(graph);
  EXPECT_TRUE(bounds.all_gather().algbw.is_unlimited());
  EXPECT_TRUE(bounds.broadcast(0).algbw.is_unlimited());
  EXPECT_TRUE(bounds.all_reduce().algbw.is_unlimited());
  EXPECT_TRUE(bounds.all_to_all().algbw.is_unlimited());
}

TEST(Bound, LargestBandwidthsStayExact) {
  // Coprime and near the limit of a link: no 64-bit product holds.
  const uint64_t most = kBandwidthMax - 1;
  GraphBuilder builder;
  const NodeIndex hub = add(builder, NodeKind::network_switch, "hub");
  for (int i = 0; i < 5; ++i) {
    const NodeIndex gpu = add(builder, NodeKind::gpu, "gpu" + std::to_string(i));
    builder.join({.from = gpu, .to = hub, .bandwidth = most - static_cast<uint64_t>(i % 3)});
  }
  const Graph graph = build(std::move(builder));
  const Bounds bounds(graph);
  EXPECT_RATIONAL(bounds.all_gather().algbw, ratio(Wide{most - 2} * 5, 4));
  EXPECT_RATIONAL(bounds.all_reduce().algbw, ratio(Wide{most - 2} * 5, 8));
  EXPECT_RATIONAL(bounds.broadcast(graph.members()[0]).algbw, ratio(Wide{most - 2}));
  EXPECT_EQ(bounds.fixed_trees(1).code(), Code::invalid_argument);
}

TEST(Bound, FarthestMembersByKnownLatencies) {
  const Graph silent = fabric("torus:4x4");
  EXPECT_FALSE(Bounds(silent).farthest());
  GraphBuilder builder(silent);
  for (Link& link : builder.links()) link.latency_ns = 700;
  const Graph graph = std::move(builder).build("with latencies").value();
  const auto farthest = Bounds(graph).farthest();
  ASSERT_TRUE(farthest);
  EXPECT_EQ(farthest->ns, 4 * 700u);
  EXPECT_EQ(graph.node(farthest->from).name, "gpu0");
  EXPECT_EQ(graph.node(farthest->to).name, "gpu10");
}

TEST(Bound, APairingHidesNoPciePath) {
  GraphBuilder builder;
  const NodeIndex leaf = add(builder, NodeKind::leaf, "leaf0");
  for (const std::string host : {"h0", "h1"}) {
    const NodeIndex gpu = add(builder, NodeKind::gpu, host + "/gpu0", host);
    const NodeIndex bridge = add(builder, NodeKind::pcie, host + "/pci/0000:01:00.0", host);
    const NodeIndex nic = add(builder, NodeKind::nic, host + "/nic/mlx5_0", host);
    const auto join = [&](NodeIndex a, NodeIndex b, LinkKind kind, uint64_t gb) {
      builder.join({.from = a, .to = b, .kind = kind, .bandwidth = gb * 1'000'000'000});
    };
    join(gpu, nic, LinkKind::pcie, 0);
    join(gpu, bridge, LinkKind::pcie, 32);
    join(bridge, nic, LinkKind::pcie, 16);
    join(nic, leaf, LinkKind::infiniband, 50);
  }
  const Graph graph = build(std::move(builder));
  EXPECT_RATIONAL(Bounds(graph).all_gather().algbw, gb_per_s(32));
}

}  // namespace
}  // namespace unirack
