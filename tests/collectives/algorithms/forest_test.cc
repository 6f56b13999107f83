// Schedules from packed forests: proven by the verifier on pools of many shapes, and unfit where
// the graph does not say enough.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <map>
#include <ostream>
#include <random>
#include <string>

#include "collectives/algorithms/algorithms.h"
#include "collectives/forest/forest.h"
#include "collectives/simulate/simulate.h"
#include "collectives/verify.h"
#include "lib/topology/bound/bound.h"
#include "lib/topology/bound/cut_network.h"
#include "lib/topology/bound/rational.h"
#include "tests/support/fabric_pools.h"
#include "tests/support/graphs.h"
#include "tests/support/scope.h"

namespace unirack {
namespace {

using testing::fabric;
using testing::pool_of;

Request request_for(Collective collective, Rank root = 0) {
  return {.collective = collective, .root = root, .type = DataType::int32, .count = 4096};
}

// Of all-gathers by k trees from each member, in bytes/s.
Rational forest_rate(const Graph& graph, uint32_t k) {
  const CutNetwork network = cut_network_of(graph);
  return forest_algbw(network, pack_all_gather(graph, network, k).value());
}

constexpr Collective kCollectives[] = {Collective::all_gather, Collective::broadcast,
                                       Collective::reduce_scatter, Collective::reduce,
                                       Collective::all_reduce};

void expect_proven(const Result<Schedule>& schedule) {
  ASSERT_TRUE(schedule) << schedule.error().detail;
  const Status verdict = verify(*schedule);
  EXPECT_TRUE(verdict) << verdict.error().detail;
}

class ForestSchedules : public ::testing::TestWithParam<const char*> {};

TEST_P(ForestSchedules, AreProven) {
  const Topology topology = pool_of(fabric(GetParam()));
  for (const Collective collective : kCollectives) {
    for (const Rank root : {Rank{0}, static_cast<Rank>(topology.rank_count() - 1)}) {
      SCOPED_TRACE(std::string(collective_name(collective)) + " root " + std::to_string(root));
      const Request request = request_for(collective, root);
      ASSERT_EQ(forest_unfit(topology, request), "");
      expect_proven(forest_of_few(topology, request, 1));
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Pools, ForestSchedules,
                         ::testing::Values("dgx1v", "dgx-h100", "mi300x", "hypercube:8",
                                           "torus:3x2", "leaf-spine:gpus=5,box=2,boxes=1",
                                           "nvl72:gpus=4+3", "ndv2", "leaf-spine:gpus=2,box=1"));

TEST(ForestSchedule, OfPublishedTreesIsProven) {
  const Topology boxes = pool_of(fabric("dgx-a100:boxes=2"));
  const Request request = request_for(Collective::all_gather);
  const Result<Schedule> one = forest_with(boxes, request, 1);
  expect_proven(one);
  EXPECT_EQ(one->header().chunks, 1u);
  ASSERT_EQ(forest_exact_unfit(boxes, request), "");
  const Result<Schedule> exact = forest_exact(boxes, request, 1);
  expect_proven(exact);
  EXPECT_EQ(exact->header().chunks, 13u);
  EXPECT_EQ(exact->header().algorithm, "forest_exact");
}

TEST(ForestSchedule, OfTwoMachinesBehindOneNicEachIsProven) {
  const Topology topology = pool_of(fabric("ndv2:chassis=2"));
  expect_proven(forest_of_few(topology, request_for(Collective::all_gather), 1));
}

// Every block that a rank gets, it gets once, from a rank that has it.
TEST(ForestSchedule, PutsEveryPartOnce) {
  const Topology topology = pool_of(fabric("dgx-a100:boxes=2"));
  const Schedule schedule = forest_with(topology, request_for(Collective::all_gather), 3).value();
  std::map<std::pair<Rank, uint32_t>, int> arrived;
  for (Rank rank = 0; rank < topology.rank_count(); ++rank) {
    for (const Lane& lane : schedule.program_view(rank).lanes) {
      for (const Step& step : lane.steps) {
        for (uint32_t part = step.begin; step.op == Op::copy && part < step.end; ++part) {
          ++arrived[{step.target.rank, part}];
        }
      }
    }
  }
  EXPECT_EQ(arrived.size(), 16u * 16 * 3);
  for (const auto& [place, times] : arrived) EXPECT_EQ(times, 1);
}

// Roots do not run ahead, and every depth has a lane: links that limit never wait for long. The
// larger fabrics are in perf/topo/forest_bench.cc.
struct RateRow {
  const char* spec;
  Collective collective;
  uint32_t k;
  uint64_t tiles;
  int thousandths;  // of the optimum, that simulation reaches at least
  ForestLanes lanes = ForestLanes::by_depth;
};

void PrintTo(const RateRow& row, std::ostream* out) {
  *out << row.spec << " " << collective_name(row.collective) << " k=" << row.k
       << (row.lanes == ForestLanes::by_tree ? " by tree" : "");
}

class ForestRates : public ::testing::TestWithParam<RateRow> {};

TEST_P(ForestRates, ComeNearTheOptimum) {
  const RateRow& row = GetParam();
  const Graph graph = fabric(row.spec);
  const Request request = request_for(row.collective);
  const Schedule schedule = forest_with(pool_of(graph), request, row.k, row.lanes).value();
  const Network network = Network::of_graph(graph, Costs()).value();
  const uint64_t block_bytes = 1'000'000'000;
  const SimulatedCall call{block_bytes / 4, DataType::int32, ReduceOp::sum,
                           block_bytes / row.tiles};
  const Result<Simulation> simulation = simulate(schedule, network, call);
  ASSERT_TRUE(simulation) << simulation.error().detail;
  const double simulated = algorithm_bandwidth(schedule, call, simulation->time_ps) / 1e9;
  const Rational best = Bounds(graph).all_gather().algbw;
  // As much goes up as comes down; links are alike both ways here.
  const int ways = row.collective == Collective::all_reduce ? 2 : 1;
  const double bound =
      static_cast<double>(best.numerator) / static_cast<double>(best.denominator) / ways / 1e9;
  const Rational packed = forest_rate(graph, row.k);
  std::printf(
      "%-20s %-14s k %2u: bound %8.3f GB/s, packed %8.3f, simulated %8.3f (%.2f%%)\n", row.spec,
      std::string(collective_name(row.collective)).c_str(), row.k, bound,
      static_cast<double>(packed.numerator) / static_cast<double>(packed.denominator) / ways / 1e9,
      simulated, 100 * simulated / bound);
  EXPECT_GE(simulated * 1000, bound * row.thousandths);
  EXPECT_LE(simulated, bound * 1.000001);
}

INSTANTIATE_TEST_SUITE_P(
    Fabrics, ForestRates,
    ::testing::Values(RateRow{"dgx-a100:boxes=2", Collective::all_gather, 1, 64, 989},
                      RateRow{"dgx-a100:boxes=2", Collective::all_gather, 13, 64, 950},
                      RateRow{"dgx-a100:boxes=2", Collective::all_gather, 13, 32, 955,
                              ForestLanes::by_tree},
                      RateRow{"dgx-a100:boxes=2", Collective::reduce_scatter, 1, 64, 989},
                      RateRow{"dgx-a100:boxes=2", Collective::all_reduce, 1, 64, 983},
                      RateRow{"ndv2", Collective::all_gather, 6, 512, 995},
                      RateRow{"ndv2", Collective::reduce_scatter, 6, 256, 990},
                      RateRow{"ndv2", Collective::all_reduce, 6, 256, 990},
                      RateRow{"ndv2:chassis=2", Collective::all_gather, 1, 256, 998},
                      RateRow{"hypercube:8", Collective::all_gather, 3, 256, 980},
                      RateRow{"dgx-h100", Collective::all_gather, 1, 64, 990}));

// Lanes by tree, where there are enough for that.
TEST(ForestSchedule, ByTreeIsProven) {
  const Request request = request_for(Collective::all_gather);
  for (const auto& [spec, k] : {std::pair("ndv2", 6), std::pair("dgx-a100:boxes=2", 3)}) {
    SCOPED_TRACE(spec);
    const Topology topology = pool_of(fabric(spec));
    const auto trees = static_cast<uint32_t>(k);
    const Result<Schedule> by_tree = forest_with(topology, request, trees, ForestLanes::by_tree);
    expect_proven(by_tree);
    const Schedule by_depth = forest_with(topology, request, trees).value();
    EXPECT_GT(by_tree->program_view(0).lanes.size(), by_depth.program_view(0).lanes.size());
  }
  const Topology mesh = pool_of(fabric("ndv2"));
  expect_proven(forest_with(mesh, request_for(Collective::broadcast, 3), 4, ForestLanes::by_tree));
  // On the way up depths keep their lanes, and so they do where there are too few.
  const Request sums = request_for(Collective::reduce_scatter);
  EXPECT_EQ(forest_with(mesh, sums, 6, ForestLanes::by_tree)->hash(),
            forest_with(mesh, sums, 6)->hash());
  EXPECT_EQ(forest_with(mesh, request, 60, ForestLanes::by_tree)->hash(),
            forest_with(mesh, request, 60)->hash());
}

// Trees may be deeper than there are lanes.
TEST(ForestSchedule, OfDeepTreesSharesLanes) {
  GraphBuilder builder;
  for (uint32_t i = 0; i < kLanesMax + 2; ++i) {
    const NodeIndex gpu = testing::add(builder, NodeKind::gpu, "gpu" + std::to_string(i));
    if (i == 0) continue;
    builder.join({.from = gpu - 1, .to = gpu, .kind = LinkKind::nvlink, .bandwidth = 1});
  }
  const Topology chain = pool_of(testing::build(std::move(builder)));
  for (const Collective collective : {Collective::broadcast, Collective::reduce}) {
    const Result<Schedule> schedule = forest_with(chain, request_for(collective), 1);
    ASSERT_TRUE(schedule) << schedule.error().detail;
    EXPECT_LE(schedule->program_view(0).lanes.size(), kLanesMax);
    // So many ranks of so many lanes take a minute under a sanitizer.
    if (!testing::has_scope("brief")) expect_proven(schedule);
  }
}

TEST(ForestSchedule, RandomPoolsAreProven) {
  for (unsigned seed = 0; seed < 12; ++seed) {
    std::mt19937 random(seed);
    GraphBuilder builder;
    std::vector<NodeIndex> gpus;
    const auto count = static_cast<uint32_t>(3 + random() % 4);
    for (uint32_t i = 0; i < count; ++i) {
      gpus.push_back(testing::add(builder, NodeKind::gpu, "gpu" + std::to_string(i)));
      for (uint32_t j = 0; j < i; ++j) {
        if (j + 1 < i && random() % 2 == 0) continue;
        builder.join({.from = gpus[i],
                      .to = gpus[j],
                      .kind = LinkKind::nvlink,
                      .bandwidth = 1 + random() % 5});
      }
    }
    const Topology topology = pool_of(testing::build(std::move(builder)));
    for (const Collective collective : kCollectives) {
      SCOPED_TRACE("seed " + std::to_string(seed) + " " + std::string(collective_name(collective)));
      expect_proven(forest_of_few(topology, request_for(collective, 1), 1));
      if (HasFatalFailure()) return;
    }
  }
}

TEST(ForestSchedule, IsUnfitWithoutAGraphOfItsRanks) {
  const Request request = request_for(Collective::all_gather);
  EXPECT_EQ(forest_unfit(Topology::of_domains({2, 2}), request), "nothing is known of the links");
  EXPECT_EQ(forest_unfit(Topology::of_domains({1}), request), "there is only one rank");
  TopologySpec spec;
  spec.rank_count = 2;
  spec.homes = {"a", "a"};
  spec.transports = {"", "shm", "shm", ""};
  spec.load_store = {1, 1, 1, 1};
  spec.graph = fabric("dgx-h100");
  EXPECT_EQ(forest_unfit(*Topology::make(spec), request),
            "the members of the graph are not the ranks");
  GraphBuilder builder;
  for (const char* name : {"rank0", "rank1"}) testing::add(builder, NodeKind::rank, name);
  builder.join({.from = 0, .to = 1, .kind = LinkKind::shared_memory});
  spec.graph = testing::build(std::move(builder));
  EXPECT_EQ(forest_unfit(*Topology::make(spec), request), "no known link limits it");
  const Topology boxes = pool_of(fabric("mi250:boxes=2"));
  EXPECT_EQ(forest_exact_unfit(boxes, request), "");
  EXPECT_FALSE(forest_with(boxes, request, 0));
  EXPECT_FALSE(forest_with(boxes, request, 5000));
}

}  // namespace
}  // namespace unirack
