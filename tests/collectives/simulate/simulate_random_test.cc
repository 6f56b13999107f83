// Every generated schedule on random fabrics: no simulation beats a bound, what is folded and what
// is skipped changes nothing, and the same simulation gives the same result twice.
#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

#include "collectives/simulate/simulate.h"
#include "lib/topology/bound/bound.h"
#include "lib/topology/generate/generate.h"
#include "lib/topology/reach.h"
#include "tests/support/graphs.h"
#include "tests/support/plans.h"
#include "tests/support/scope.h"
#include "tests/support/watchdog.h"

namespace unirack {
namespace {

using testing::Plan;
using testing::plans_of;

constexpr uint32_t kRanksMax = 6;
constexpr uint64_t kMegabyte = 1'000'000;

// Switches and GPUs at random, with links of a few MB/s.
Graph random_fabric(std::mt19937& random, int members) {
  GraphBuilder builder;
  std::vector<NodeIndex> nodes;
  for (int i = 0; i < members; ++i) {
    nodes.push_back(testing::add(builder, NodeKind::gpu, "gpu" + std::to_string(i)));
    builder.node(nodes.back()).host = "host" + std::to_string(random() % 3);
  }
  const auto switches = static_cast<int>(random() % 4);
  for (int i = 0; i < switches; ++i) {
    nodes.push_back(testing::add(builder, NodeKind::leaf, "leaf" + std::to_string(i)));
  }
  const size_t links = nodes.size() + random() % (3 * nodes.size());
  constexpr LinkKind kKinds[] = {LinkKind::nvlink, LinkKind::pcie, LinkKind::infiniband};
  for (size_t i = 0; i < links; ++i) {
    Link link;
    link.from = nodes[random() % nodes.size()];
    link.to = nodes[random() % nodes.size()];
    if (link.from == link.to) continue;
    link.kind = kKinds[random() % 3];
    link.bandwidth = random() % 10 == 0 ? 0 : kMegabyte * (1 + random() % 7);
    link.count = 1 + random() % 2;
    if (random() % 12 == 0) link.health = Health::down;
    if (random() % 3 == 0) {
      builder.connect(link);
    } else {
      builder.join(link);
    }
  }
  return testing::build(std::move(builder));
}

std::vector<uint32_t> random_shape(std::mt19937& random, uint32_t members) {
  std::vector<uint32_t> shape;
  while (members > 0) {
    shape.push_back(1 + static_cast<uint32_t>(random() % members));
    members -= shape.back();
  }
  return shape;
}

Rational bound_of(const Bounds& bounds, const ScheduleHeader& header) {
  const NodeIndex root = bounds.graph().members()[static_cast<size_t>(header.root)];
  switch (header.collective) {
    case Collective::all_gather:
      return bounds.all_gather().algbw;
    case Collective::reduce_scatter:
      return bounds.reduce_scatter().algbw;
    case Collective::all_reduce:
      return bounds.all_reduce().any.algbw;
    case Collective::broadcast:
      return bounds.broadcast(root).algbw;
    case Collective::reduce:
      return bounds.reduce(root).algbw;
    case Collective::all_to_all:
      return bounds.all_to_all().algbw;
    default:
      return kUnlimited;
  }
}

void expect_equal(const Simulation& a, const Simulation& b, const std::string& what) {
  EXPECT_EQ(a.time_ps, b.time_ps) << what;
  ASSERT_EQ(a.loads.size(), b.loads.size()) << what;
  for (size_t i = 0; i < a.loads.size(); ++i) {
    EXPECT_EQ(a.loads[i].bytes, b.loads[i].bytes) << what << ", resource " << i;
    EXPECT_EQ(a.loads[i].busy_ps, b.loads[i].busy_ps) << what << ", resource " << i;
  }
}

// Simulates in all ways; false: somebody is cut off.
bool check(const Plan& plan, const Network& network, const SimulatedCall& call,
           const std::string& what) {
  SimulateOptions plain;
  plain.fold = false;
  plain.skip = false;
  const auto one = simulate(plan.schedule, network, call, plain);
  const auto folded = simulate(plan.schedule, network, call, {});
  EXPECT_EQ(static_cast<bool>(one), static_cast<bool>(folded)) << what;
  if (!one || !folded) return false;
  expect_equal(*one, *folded, what);
  plain.record = true;
  const auto recorded = simulate(plan.schedule, network, call, plain);
  EXPECT_TRUE(recorded) << what;
  expect_equal(*one, *recorded, what);
  return true;
}

void expect_within(const Rational& bound, const Plan& plan, const Network& network,
                   const SimulatedCall& call, const std::string& what) {
  const auto simulation = simulate(plan.schedule, network, call, {});
  ASSERT_TRUE(simulation) << what;
  if (bound.is_unlimited()) return;
  const Layout layout = plan.schedule.layout();
  const Rank root = plan.schedule.header().root;
  const uint64_t blocks =
      std::max(layout.blocks(root, BufferId::input), layout.blocks(root, BufferId::output));
  const auto bytes = static_cast<Wide>(blocks * call.count * size_of(call.type));
  // bytes / time <= bound, with a picosecond for the rounding of rates.
  const Wide needed = bytes * 1'000'000'000'000 * bound.denominator;
  EXPECT_LE(needed, bound.numerator * static_cast<Wide>(simulation->time_ps + 1))
      << what << ": " << simulation->time_ps << " ps";
}

TEST(SimulateRandom, NothingBeatsItsBound) {
  testing::extend_watchdog(4);
  std::mt19937 random(20'261'123);
  uint64_t simulated = 0;
  for (int round = 0; round < testing::rounds(3000); ++round) {
    const uint32_t members = 2 + static_cast<uint32_t>(random() % (kRanksMax - 1));
    const Graph graph = random_fabric(random, static_cast<int>(members));
    const auto network = Network::of_graph(graph, Costs());
    ASSERT_TRUE(network);
    const Bounds bounds(graph);
    const Algorithm& algorithm = algorithms()[random() % algorithms().size()];
    if (algorithm.collective == Collective::send_recv) continue;
    const int lanes = 1 + static_cast<int>(random() % 2);
    const SimulatedCall call{4096 * (1 + random() % 40), DataType::float32};
    for (Plan& plan : plans_of(algorithm, {random_shape(random, members)}, {lanes})) {
      if (random() % 2 == 0) plan.schedule = plan.schedule.with_tiles(call.count);
      const std::string what = plan.name + " round " + std::to_string(round);
      if (!check(plan, *network, call, what)) continue;
      ++simulated;
      expect_within(bound_of(bounds, plan.schedule.header()), plan, *network, call, what);
      if (HasFailure()) return;
    }
  }
  EXPECT_GT(simulated, testing::rounds(2000u));
}

TEST(SimulateRandom, GeneratedFabrics) {
  testing::extend_watchdog(4);
  const std::vector<std::string> specs = {"dgx-a100:boxes=2", "ndv2:boxes=2", "torus:4x4",
                                          "nvl72:gpus=6+4",   "hypercube:8",  "mi250:boxes=1"};
  uint64_t simulated = 0;
  for (const std::string& spec : specs) {
    const auto graph = generate(spec);
    if (!graph) continue;
    const auto network = Network::of_graph(*graph, assumed_costs());
    ASSERT_TRUE(network);
    std::vector<uint32_t> shape;
    for (const Domain& domain : find_domains(*graph)) {
      shape.push_back(static_cast<uint32_t>(domain.members.size()));
    }
    const Bounds bounds(*graph);
    for (const Algorithm& algorithm : algorithms()) {
      if (algorithm.collective == Collective::send_recv) continue;
      for (const Plan& plan : plans_of(algorithm, {shape}, {1})) {
        const SimulatedCall call{uint64_t{1} << 20, DataType::float32};
        const std::string what = plan.name + " on " + spec;
        EXPECT_TRUE(check(plan, *network, call, what)) << what;
        expect_within(bound_of(bounds, plan.schedule.header()), plan, *network, call, what);
        ++simulated;
      }
    }
  }
  EXPECT_GT(simulated, 100u);
}

// Tiles that repeat are skipped, with the same result.
TEST(SimulateRandom, SkippedTilesTakeTheirTime) {
  std::mt19937 random(5);
  uint64_t skipped = 0;
  for (int round = 0; round < testing::rounds(200); ++round) {
    const uint32_t members = 2 + static_cast<uint32_t>(random() % (kRanksMax - 1));
    const auto shape = random_shape(random, members);
    Costs costs = assumed_costs();
    costs.of(LinkKind::ethernet).gap_ps = random() % 4 * 500'000;
    const auto network = Network::of_topology(Topology::of_domains(shape), costs);
    ASSERT_TRUE(network);
    const Algorithm& algorithm = algorithms()[random() % algorithms().size()];
    const int lanes = 1 + static_cast<int>(random() % 2);
    for (Plan& plan : plans_of(algorithm, {shape}, {lanes})) {
      plan.schedule = plan.schedule.with_tiles(65'536);
      const SimulatedCall call{16'384 * 60, DataType::float32};
      SimulateOptions options;
      options.skip = false;
      const auto slow = simulate(plan.schedule, *network, call, options);
      const auto fast = simulate(plan.schedule, *network, call, {});
      ASSERT_TRUE(slow) << plan.name;
      ASSERT_TRUE(fast) << plan.name;
      expect_equal(*slow, *fast, plan.name);
      skipped += fast->tiles_skipped > 0 ? 1 : 0;
    }
  }
  EXPECT_GT(skipped, testing::rounds(50u));
}

}  // namespace
}  // namespace unirack
