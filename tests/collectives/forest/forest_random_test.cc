// Forests of small random fabrics: what the cuts allow is what is packed, and every tree is right.
#include <gtest/gtest.h>

#include <random>
#include <string>

#include "collectives/forest/forest.h"
#include "lib/topology/bound/bound.h"
#include "lib/topology/bound/cut_search.h"
#include "tests/support/graphs.h"

namespace unirack {
namespace {

using testing::add;
using testing::build;

uint32_t below(std::mt19937& random, uint32_t limit) {
  return static_cast<uint32_t>(random() % limit);
}

// GPUs in a few machines, some of which have an NVSwitch, and some switches, joined at random.
// `even`: every link carries the same both ways.
Graph random_pool(std::mt19937& random, bool even) {
  GraphBuilder builder;
  std::vector<NodeIndex> nodes;
  const auto join = [&](NodeIndex a, NodeIndex b, uint64_t there, uint64_t back) {
    builder.connect({.from = a, .to = b, .kind = LinkKind::infiniband, .bandwidth = there});
    builder.connect({.from = b, .to = a, .kind = LinkKind::infiniband, .bandwidth = back});
  };
  const uint32_t machines = 1 + below(random, 3);
  for (uint32_t machine = 0; machine < machines; ++machine) {
    const std::string host = "host" + std::to_string(machine);
    const bool has_switch = below(random, 2) == 0;
    const NodeIndex hub =
        has_switch ? add(builder, NodeKind::nvswitch, host + "/nvswitch", host) : 0;
    const uint32_t gpus = 1 + below(random, 4);
    for (uint32_t i = 0; i < gpus; ++i) {
      nodes.push_back(add(builder, NodeKind::gpu, host + "/gpu" + std::to_string(i), host));
      if (!has_switch) continue;
      const uint64_t rate = 1 + below(random, 9);
      builder.join({.from = nodes.back(), .to = hub, .kind = LinkKind::nvlink, .bandwidth = rate});
    }
  }
  const uint32_t switches = below(random, 4);
  for (uint32_t i = 0; i < switches; ++i) {
    nodes.push_back(add(builder, NodeKind::network_switch, "switch" + std::to_string(i)));
  }
  // A path through all, so that nobody is cut off, and more.
  const auto rate = [&] { return uint64_t{1} + below(random, 6); };
  for (size_t i = 0; i + 1 < nodes.size(); ++i) {
    const uint64_t there = rate();
    join(nodes[i], nodes[i + 1], there, even ? there : rate());
  }
  const auto count = static_cast<uint32_t>(nodes.size());
  for (uint32_t i = 0; i < 2 * count; ++i) {
    const NodeIndex a = nodes[below(random, count)];
    const NodeIndex b = nodes[below(random, count)];
    const uint64_t there = rate();
    if (a != b) join(a, b, there, even ? there : rate());
  }
  return build(std::move(builder));
}

Rational scale_of(const CutNetwork& network, const Forest& forest) {
  const Rational algbw = forest_algbw(network, forest);
  return ratio(static_cast<Wide>(forest.roots.size()) * network.unit * algbw.denominator,
               algbw.numerator);
}

TEST(ForestRandom, EvenFabricsReachExactlyWhatTheirCutsAllow) {
  uint64_t trees = 0;
  for (unsigned seed = 0; seed < 400; ++seed) {
    std::mt19937 random(seed);
    const Graph graph = random_pool(random, true);
    const CutNetwork network = cut_network_of(graph);
    if (network.member_places.size() < 2) continue;
    const Bounds bounds(graph);
    const Result<Trees> best = bounds.optimal_trees();
    ASSERT_TRUE(best) << best.error().detail;
    std::vector<uint64_t> counts = {1, 2, 3};
    if (best->per_root <= 60) counts.push_back(best->per_root);
    for (const uint64_t k : counts) {
      const Result<Trees> wanted = bounds.fixed_trees(k);
      ASSERT_TRUE(wanted) << wanted.error().detail;
      std::vector<uint32_t> roots;
      for (uint32_t i = 0; i < network.member_count * k; ++i) {
        roots.push_back(i / static_cast<uint32_t>(k));
      }
      const Rational scale =
          ratio(wanted->scale.numerator * network.unit, wanted->scale.denominator);
      const Result<Forest> forest = pack_forest(graph, network, roots, scale);
      ASSERT_TRUE(forest) << "seed " << seed << ": " << forest.error().detail;
      const Status right = check_forest(graph, network, *forest, scale);
      ASSERT_TRUE(right) << "seed " << seed << ": " << right.error().detail;
      const Rational algbw = forest_algbw(network, *forest);
      EXPECT_TRUE(algbw >= wanted->bound.algbw) << "seed " << seed << " k " << k;
      EXPECT_EQ(refute(bounds.all_gather(), algbw), "") << "seed " << seed;
      trees += forest->roots.size();
    }
  }
  EXPECT_GT(trees, 10'000u);
}

TEST(ForestRandom, UnevenFabricsAreRightWhateverTheyReach) {
  uint32_t packed = 0;
  for (unsigned seed = 0; seed < 200; ++seed) {
    std::mt19937 random(seed);
    const Graph graph = random_pool(random, false);
    for (const bool reversed : {false, true}) {
      CutNetwork network = cut_network_of(graph);
      if (network.member_places.size() < 2) continue;
      if (reversed) network = reversed_network(network);
      const Result<Forest> forest = pack_all_gather(graph, network, 2);
      if (!forest) continue;
      ++packed;
      const Bounds bounds(graph);
      const Bound bound = reversed ? bounds.reduce_scatter() : bounds.all_gather();
      const Rational algbw = forest_algbw(network, *forest);
      EXPECT_EQ(refute(bound, algbw), "") << "seed " << seed;
      const Status right = check_forest(graph, network, *forest, scale_of(network, *forest));
      ASSERT_TRUE(right) << "seed " << seed << ": " << right.error().detail;
    }
  }
  EXPECT_GT(packed, 300u);
}

TEST(ForestRandom, BroadcastsReachTheSmallestCutWithEnoughTrees) {
  for (unsigned seed = 0; seed < 200; ++seed) {
    std::mt19937 random(seed);
    const Graph graph = random_pool(random, true);
    const CutNetwork network = cut_network_of(graph);
    if (network.member_places.size() < 2) continue;
    const uint32_t root = below(random, network.member_count);
    const SmallestCut cut =
        find_smallest_cut(network, false, network.place_of[graph.members()[root]]);
    const std::vector<uint32_t> roots(static_cast<size_t>(cut.capacity), root);
    const Result<Forest> forest = pack_forest(graph, network, roots, ratio(1));
    ASSERT_TRUE(forest) << "seed " << seed << ": " << forest.error().detail;
    EXPECT_TRUE(forest_algbw(network, *forest) == ratio(cut.capacity * network.unit))
        << "seed " << seed;
    const Status right = check_forest(graph, network, *forest, scale_of(network, *forest));
    ASSERT_TRUE(right) << "seed " << seed << ": " << right.error().detail;
  }
}

}  // namespace
}  // namespace unirack
