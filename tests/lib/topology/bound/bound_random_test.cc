// Bounds of small random graphs beside all of their cuts, and beside LEMON's maximum flow.
#include <gtest/gtest.h>
#include <lemon/preflow.h>
#include <lemon/smart_graph.h>

#include <algorithm>
#include <bit>
#include <map>
#include <random>
#include <string>

#include "lib/topology/bound/bound.h"
#include "lib/topology/bound/cut_search.h"
#include "lib/topology/bound/distance.h"
#include "tests/support/graphs.h"
#include "tests/support/scope.h"

namespace unirack {
namespace {

using testing::add;
using testing::build;

struct RandomShape {
  int members_max = 5;
  int switches_max = 4;
  uint64_t bandwidth_max = 7;
  int unknown_percent = 10;
  int down_percent = 10;
  bool both_ways = false;
};

Graph random_fabric(std::mt19937& random, const RandomShape& shape) {
  const auto below = [&](int limit) {
    return static_cast<int>(random() % static_cast<unsigned>(limit));
  };
  GraphBuilder builder;
  std::vector<NodeIndex> nodes;
  const int members = 2 + below(shape.members_max - 1);
  for (int i = 0; i < members; ++i) {
    nodes.push_back(add(builder, NodeKind::gpu, "gpu" + std::to_string(i)));
    builder.node(nodes.back()).host = "host" + std::to_string(below(3));
    builder.node(nodes.back()).rack = below(2) == 0 ? "" : "rack" + std::to_string(below(2));
  }
  const int switches = below(shape.switches_max + 1);
  for (int i = 0; i < switches; ++i) {
    nodes.push_back(add(builder, NodeKind::network_switch, "switch" + std::to_string(i)));
  }
  for (const NodeIndex node : nodes) {
    if (node > 1 && below(100) < shape.down_percent / 2) builder.node(node).health = Health::down;
  }
  const int links = below(4 * static_cast<int>(nodes.size())) + static_cast<int>(nodes.size());
  for (int i = 0; i < links; ++i) {
    Link link;
    link.from = nodes[static_cast<size_t>(below(static_cast<int>(nodes.size())))];
    link.to = nodes[static_cast<size_t>(below(static_cast<int>(nodes.size())))];
    if (link.from == link.to) continue;
    link.bandwidth = below(100) < shape.unknown_percent ? 0 : 1 + random() % shape.bandwidth_max;
    link.count = 1 + static_cast<uint32_t>(below(2));
    if (below(100) < shape.down_percent) link.health = Health::down;
    if (shape.both_ways || below(2) == 0) {
      builder.join(link);
    } else {
      builder.connect(link);
    }
  }
  return build(std::move(builder));
}

// All cuts of a graph: who is inside, and what leaves.
struct AnyCut {
  uint32_t nodes = 0;  // a bit each
  Wide members = 0;
  Wide leaving = 0;  // kFree: no limit
  uint32_t members_inside = 0;
};

bool is_down(const Graph& graph, NodeIndex node) { return graph.node(node).health == Health::down; }

// Those with members on both sides.
std::vector<AnyCut> all_cuts(const Graph& graph) {
  uint32_t member_bits = 0;
  for (const NodeIndex member : graph.members()) member_bits |= 1u << member;
  std::vector<AnyCut> cuts;
  for (uint32_t nodes = 1; nodes < 1u << graph.nodes().size(); ++nodes) {
    const uint32_t inside = nodes & member_bits;
    if (inside == 0 || inside == member_bits) continue;
    AnyCut cut{nodes, std::popcount(inside), 0, inside};
    for (const Link& link : graph.links()) {
      if (!(nodes >> link.from & 1) || (nodes >> link.to & 1) || is_down(graph, link.from) ||
          is_down(graph, link.to) || link.health == Health::down) {
        continue;
      }
      if (link.bandwidth == 0) cut.leaving = kFree;
      if (cut.leaving != kFree) cut.leaving += Wide{link.total_bandwidth()};
    }
    if (cut.leaving != kFree) cuts.push_back(cut);
  }
  return cuts;
}

Rational slowest(const std::vector<AnyCut>& cuts, Wide all) {
  Rational rate = kUnlimited;
  for (const AnyCut& cut : cuts) rate = smaller(rate, ratio(cut.leaving * all, cut.members));
  return rate;
}

// The cut that a bound names is a cut of that rate.
void expect_certificate(const Graph& graph, const Bound& bound, const std::string& what) {
  if (bound.algbw.is_unlimited()) {
    EXPECT_TRUE(bound.cut.nodes.empty()) << what;
    return;
  }
  Wide sum = 0;
  std::vector<bool> inside(graph.nodes().size(), false);
  for (const NodeIndex node : bound.cut.nodes) inside[node] = true;
  for (const Link& link : graph.links()) {
    if (is_down(graph, link.from) || is_down(graph, link.to) || link.health == Health::down ||
        inside[link.from] == inside[link.to] || inside[link.to] != bound.cut.entering) {
      continue;
    }
    EXPECT_NE(link.bandwidth, 0u) << what;
    sum += Wide{link.total_bandwidth()};
  }
  Wide through_links = 0;
  for (const LinkIndex link : bound.cut.links) {
    through_links += Wide{graph.link(link).total_bandwidth()};
  }
  EXPECT_TRUE(sum == bound.cut.bandwidth && sum == through_links) << what;
  EXPECT_GE(bound.cut.member_count, 1u) << what;
  EXPECT_LT(bound.cut.member_count, graph.members().size()) << what;
}

// Shares enter (all-gather) or leave (reduce-scatter) the side that is named.
void expect_scatter_certificate(const Graph& graph, const Bound& bound, bool gather) {
  if (bound.algbw.is_unlimited()) return;
  const auto all = static_cast<Wide>(graph.members().size());
  const Wide inside = bound.cut.member_count;
  const Wide shares = bound.cut.entering == gather ? all - inside : inside;
  EXPECT_TRUE(ratio(bound.cut.bandwidth * all, shares) == bound.algbw);
}

Graph reversed(const Graph& graph) {
  GraphBuilder builder(graph);
  for (Link& link : builder.links()) std::swap(link.from, link.to);
  return build(std::move(builder));
}

TEST(BoundRandom, EqualsTheSlowestOfAllCuts) {
  std::mt19937 random(1);
  for (int i = 0; i < testing::rounds(4000); ++i) {
    RandomShape shape;
    if (i % 3 == 0) shape.unknown_percent = 0;
    shape.both_ways = i % 2 == 0;
    if (i % 5 == 0) shape.bandwidth_max = kBandwidthMax / 4;
    const Graph graph = random_fabric(random, shape);
    const auto all = static_cast<Wide>(graph.members().size());
    const Bounds bounds(graph);
    const std::vector<AnyCut> cuts = all_cuts(graph);
    const Bound all_gather = bounds.all_gather();
    ASSERT_TRUE(all_gather.algbw == slowest(cuts, all)) << i;
    expect_certificate(graph, all_gather, "all-gather " + std::to_string(i));
    expect_scatter_certificate(graph, all_gather, true);
    const std::vector<AnyCut> mirrored = all_cuts(reversed(graph));
    const Bound reduce_scatter = bounds.reduce_scatter();
    ASSERT_TRUE(reduce_scatter.algbw == slowest(mirrored, all)) << i;
    expect_certificate(graph, reduce_scatter, "reduce-scatter " + std::to_string(i));
    expect_scatter_certificate(graph, reduce_scatter, false);
    const NodeIndex root = graph.members()[random() % graph.members().size()];
    Rational broadcast = kUnlimited;
    Rational across = kUnlimited;
    Rational all_to_all = kUnlimited;
    for (const AnyCut& cut : cuts) {
      if (cut.nodes >> root & 1) broadcast = smaller(broadcast, ratio(cut.leaving));
      across = smaller(across, ratio(cut.leaving));
      all_to_all = smaller(all_to_all, ratio(cut.leaving * all, cut.members * (all - cut.members)));
    }
    ASSERT_TRUE(bounds.broadcast(root).algbw == broadcast) << i;
    expect_certificate(graph, bounds.broadcast(root), "broadcast " + std::to_string(i));
    expect_certificate(graph, bounds.reduce(root), "reduce " + std::to_string(i));
    const AllReduceBound all_reduce = bounds.all_reduce();
    // Where a switch sends on more than it receives, trees to the optimum would copy in it.
    EXPECT_TRUE(!bounds.network().symmetric || all_reduce.any.algbw >= all_reduce.algbw) << i;
    EXPECT_TRUE(all_reduce.any.algbw <= across) << i;
    // Natural cuts are some of all.
    const AllToAllBound exchange = bounds.all_to_all();
    EXPECT_TRUE(exchange.cut.algbw >= all_to_all) << i;
    expect_certificate(graph, exchange.cut, "all-to-all " + std::to_string(i));
  }
}

TEST(BoundRandom, TreesFitTheScaleAndNoSmallerOne) {
  std::mt19937 random(2);
  for (int i = 0; i < testing::rounds(1500); ++i) {
    RandomShape shape;
    shape.unknown_percent = 0;
    shape.bandwidth_max = i % 2 == 0 ? 7 : 1000;
    const Graph graph = random_fabric(random, shape);
    const uint64_t k = 1 + random() % 4;
    const Bounds bounds(graph);
    const Result<Trees> trees = bounds.fixed_trees(k);
    if (bounds.all_gather().algbw == Rational{0, 1}) {
      EXPECT_FALSE(trees);
      continue;
    }
    ASSERT_TRUE(trees);
    // floor(scale * bandwidth) over pipes: parallel links count together.
    const auto fits = [&](Rational scale) {
      return [&graph, k, scale](const AnyCut& cut) {
        std::map<std::pair<NodeIndex, NodeIndex>, Wide> pipes;
        for (const Link& link : graph.links()) {
          if ((cut.nodes >> link.from & 1) && !(cut.nodes >> link.to & 1) &&
              !is_down(graph, link.from) && !is_down(graph, link.to)) {
            pipes[{link.from, link.to}] += Wide{link.total_bandwidth()};
          }
        }
        Wide carried = 0;
        for (const auto& [ends, bandwidth] : pipes) {
          carried += bandwidth * scale.numerator / scale.denominator;
        }
        return carried >= static_cast<Wide>(k) * cut.members;
      };
    };
    const std::vector<AnyCut> cuts = all_cuts(graph);
    EXPECT_TRUE(std::all_of(cuts.begin(), cuts.end(), fits(trees->scale))) << i;
    const Rational less =
        ratio(trees->scale.numerator * 1'000'000'000 - 1, trees->scale.denominator * 1'000'000'000);
    EXPECT_FALSE(std::all_of(cuts.begin(), cuts.end(), fits(less))) << i;
    const Result<Trees> best = bounds.optimal_trees();
    ASSERT_TRUE(best);
    EXPECT_TRUE(bounds.fixed_trees(best->per_root)->bound.algbw == bounds.all_gather().algbw) << i;
    EXPECT_TRUE(trees->bound.algbw <= bounds.all_gather().algbw) << i;
  }
}

// The same optimum by LEMON: feasible as it is, and not if a share were any larger.
class Preflow {
 public:
  explicit Preflow(const CutNetwork& network) : network_(network), capacity_(graph_) {
    for (uint32_t i = 0; i < network.place_count; ++i) places_.push_back(graph_.addNode());
    source_ = graph_.addNode();
    for (const Pipe& pipe : network.pipes) {
      pipes_.push_back({graph_.addArc(places_[pipe.a], places_[pipe.b]), pipe.a_to_b});
      pipes_.push_back({graph_.addArc(places_[pipe.b], places_[pipe.a]), pipe.b_to_a});
    }
    for (const uint32_t place : network.member_places) {
      shares_.push_back({graph_.addArc(source_, places_[place]), network.members_in[place]});
    }
  }

  // Whether each member can send shares of `share` to all while capacities count `scale` times.
  bool carries(int64_t share, int64_t scale) {
    for (const auto& [arc, count] : pipes_) capacity_[arc] = static_cast<int64_t>(count) * scale;
    for (const auto& [arc, count] : shares_) capacity_[arc] = static_cast<int64_t>(count) * share;
    return std::all_of(
        network_.member_places.begin(), network_.member_places.end(), [&](uint32_t place) {
          lemon::Preflow<lemon::SmartDigraph, lemon::SmartDigraph::ArcMap<int64_t>> flow(
              graph_, capacity_, source_, places_[place]);
          flow.runMinCut();
          return flow.flowValue() >= share * static_cast<int64_t>(network_.member_count);
        });
  }

 private:
  const CutNetwork& network_;
  lemon::SmartDigraph graph_;
  lemon::SmartDigraph::ArcMap<int64_t> capacity_;
  lemon::SmartDigraph::Node source_;
  std::vector<lemon::SmartDigraph::Node> places_;
  std::vector<std::pair<lemon::SmartDigraph::Arc, Wide>> pipes_;
  std::vector<std::pair<lemon::SmartDigraph::Arc, Wide>> shares_;
};

TEST(BoundRandom, EqualsWhatLemonFinds) {
  std::mt19937 random(3);
  for (int i = 0; i < 300; ++i) {
    RandomShape shape{.members_max = 30, .switches_max = 20, .unknown_percent = 0};
    shape.bandwidth_max = i % 2 == 0 ? 7 : 1000;
    const Graph graph = random_fabric(random, shape);
    const CutNetwork network = cut_network_of(graph);
    const SlowestCut found = find_slowest_cut(network, false);
    ASSERT_GT(found.members, 0) << i;
    if (found.capacity == 0) continue;
    Preflow flow(network);
    EXPECT_TRUE(
        flow.carries(static_cast<int64_t>(found.capacity), static_cast<int64_t>(found.members)))
        << i;
    constexpr int64_t kFine = 1'000'000;
    EXPECT_FALSE(flow.carries(static_cast<int64_t>(found.capacity) * kFine + 1,
                              static_cast<int64_t>(found.members) * kFine))
        << i;
  }
}

}  // namespace
}  // namespace unirack
