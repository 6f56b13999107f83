#include "lib/topology/merge.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <cstdio>

#include "lib/base/clock.h"
#include "tests/support/graphs.h"

namespace unirack {
namespace {

using testing::add;
using testing::boxes;
using testing::build;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Pair;
using testing::random_graph;
using testing::shuffled;
using ::testing::SizeIs;

Graph merged(const std::vector<Graph>& views, std::vector<std::string>* contradictions = nullptr) {
  auto graph = merge(views, contradictions);
  EXPECT_TRUE(graph) << graph.error().to_string();
  return graph ? std::move(graph).value() : build(GraphBuilder());
}

// Everything that a graph says, provenance included, in an order of its own.
std::vector<std::string> lines_of(const Graph& graph) {
  std::vector<std::string> lines;
  for (const Node& node : graph.nodes()) {
    std::string line = node.name + ' ' + std::string(to_text(node.kind)) + ' ' + node.host + ' ' +
                       node.rack + ' ' + node.domain + ' ' + std::to_string(node.rail) + ' ' +
                       std::to_string(node.rank) + ' ' + std::string(to_text(node.health)) + ' ' +
                       std::string(to_text(node.provenance)) + (node.reduces ? " reduces" : "");
    for (const auto& [key, value] : node.attributes) line += ' ' + key + '=' + value;
    for (const auto& [key, by] : node.known_by) line += ' ' + key + ':' + std::string(to_text(by));
    lines.push_back(line);
  }
  for (const Link& link : graph.links()) {
    lines.push_back(graph.node(link.from).name + " -> " + graph.node(link.to).name + ' ' +
                    std::string(to_text(link.kind)) + ' ' + std::to_string(link.bandwidth) + ' ' +
                    std::to_string(link.capable) + ' ' + std::to_string(link.latency_ns) + ' ' +
                    std::to_string(link.count) + ' ' + std::string(to_text(link.health)) + ' ' +
                    std::string(to_text(link.provenance)));
  }
  std::sort(lines.begin(), lines.end());
  return lines;
}

Graph one_node(Node node) {
  GraphBuilder builder;
  EXPECT_TRUE(builder.add(std::move(node)));
  return build(std::move(builder));
}

TEST(MergeTest, ViewsOfMachinesBecomeThePool) {
  // Each machine knows itself and what it is plugged into.
  const Graph all = build(boxes({.boxes = 3, .gpus = 4}));
  std::vector<Graph> views;
  for (int box = 2; box >= 0; --box) {
    GraphBuilder builder;
    const std::string host = "h" + std::to_string(box);
    for (const Node& node : all.nodes()) {
      if (!node.host.empty() && node.host != host) continue;
      EXPECT_TRUE(builder.add(node));
    }
    for (Link link : all.links()) {
      const auto from = builder.find(all.node(link.from).name);
      const auto to = builder.find(all.node(link.to).name);
      if (!from || !to) continue;
      link.from = *from;
      link.to = *to;
      builder.connect(link);
    }
    views.push_back(build(std::move(builder), host));
  }
  std::vector<std::string> contradictions;
  const Graph graph = merged(views, &contradictions);
  EXPECT_EQ(graph.hash(), all.hash());
  EXPECT_THAT(contradictions, IsEmpty());
  EXPECT_EQ(graph.origin(), "3 views");
  EXPECT_EQ(graph.node(0).name, "h0/cpu0");
}

TEST(MergeTest, TheBetterKnownFieldWins) {
  Node file{.kind = NodeKind::gpu, .name = "h/gpu0", .host = "h", .rack = "r1", .rail = 3};
  file.set_attribute("model", "B200");
  file.set_attribute("slot", "4");
  Node seen{.kind = NodeKind::gpu, .name = "h/gpu0", .domain = "c.1", .rail = 2};
  seen.provenance = Provenance::nvml;
  seen.set_attribute("model", "GB200");
  Node guess{.kind = NodeKind::gpu, .name = "h/gpu0", .rack = "r7", .rank = 5};
  guess.provenance = Provenance::assumed;

  std::vector<std::string> contradictions;
  const Graph graph = merged({one_node(guess), one_node(file), one_node(seen)}, &contradictions);
  const Node& node = graph.node(0);
  EXPECT_EQ(node.provenance, Provenance::nvml);
  EXPECT_EQ(node.host, "h");
  EXPECT_EQ(node.rack, "r1");
  EXPECT_EQ(node.domain, "c.1");
  EXPECT_EQ(node.rail, 2);
  EXPECT_EQ(node.rank, 5);
  EXPECT_EQ(node.attribute("model"), "GB200");
  EXPECT_EQ(node.attribute("slot"), "4");
  EXPECT_THAT(
      node.known_by,
      ElementsAre(Pair("attributes/slot", Provenance::imported), Pair("host", Provenance::imported),
                  Pair("rack", Provenance::imported), Pair("rank", Provenance::assumed)));
  EXPECT_THAT(contradictions, IsEmpty()) << "to know better is not to contradict";
}

TEST(MergeTest, EqualKnowledgeThatDiffersIsReported) {
  Node a{.kind = NodeKind::nic, .name = "h/nic/a", .rack = "r2", .rail = 1};
  a.set_attribute("guid", "2");
  Node b{.kind = NodeKind::network_switch, .name = "h/nic/a", .rack = "r1", .rail = -1};
  b.health = Health::down;
  b.set_attribute("guid", "1");
  Node c = a;
  c.provenance = Provenance::assumed;
  c.rail = 9;
  for (const auto& views : {std::vector<Graph>{one_node(a), one_node(b), one_node(c)},
                            std::vector<Graph>{one_node(c), one_node(b), one_node(a)}}) {
    std::vector<std::string> contradictions;
    const Graph graph = merged(views, &contradictions);
    EXPECT_EQ(graph.node(0).kind, NodeKind::nic) << "a switch of no known tier says nothing";
    EXPECT_EQ(graph.node(0).rail, 1);
    EXPECT_EQ(graph.node(0).health, Health::down);
    EXPECT_THAT(
        contradictions,
        ElementsAre("node 'h/nic/a': attribute guid is '2' as well as '1', both imported; kept '1'",
                    "node 'h/nic/a': health is ok as well as down, both imported; kept down",
                    "node 'h/nic/a': rack is 'r2' as well as 'r1', both imported; kept 'r1'"));
  }
}

Graph two_nodes(const std::vector<Link>& links) {
  GraphBuilder builder;
  add(builder, NodeKind::leaf, "leaf");
  add(builder, NodeKind::spine, "spine");
  for (const Link& link : links) builder.connect(link);
  return build(std::move(builder));
}

Link cable(uint64_t bandwidth, uint32_t count, Provenance provenance = Provenance::imported) {
  return {.from = 0,
          .to = 1,
          .kind = LinkKind::infiniband,
          .bandwidth = bandwidth,
          .count = count,
          .provenance = provenance};
}

TEST(MergeTest, LinksOfOneKindAreKeptTogether) {
  Link failed = cable(50, 1, Provenance::sysfs);
  failed.health = Health::down;
  const Graph seen = two_nodes({cable(50, 17, Provenance::sysfs), failed});
  const Graph planned = two_nodes({cable(50, 18)});
  Link other_kind = cable(7, 1);
  other_kind.kind = LinkKind::ethernet;
  std::vector<std::string> contradictions;
  const Graph graph = merged({planned, seen, two_nodes({other_kind})}, &contradictions);
  ASSERT_THAT(graph.links(), SizeIs(3));
  EXPECT_EQ(graph.links()[0].count, 17u);
  EXPECT_EQ(graph.links()[1].health, Health::down);
  EXPECT_EQ(graph.links()[2].kind, LinkKind::ethernet);
  EXPECT_THAT(contradictions, IsEmpty());
}

TEST(MergeTest, OfEquallyKnownLinksTheSlowerAreKept) {
  std::vector<std::string> contradictions;
  Graph graph =
      merged({two_nodes({cable(50, 18)}), two_nodes({cable(50, 16)}), two_nodes({cable(0, 16)})},
             &contradictions);
  EXPECT_EQ(graph.links()[0].count, 16u);
  EXPECT_EQ(graph.links()[0].bandwidth, 50u) << "not known is not slow";
  EXPECT_THAT(contradictions,
              ElementsAre("infiniband links from 'leaf' to 'spine' are 18 x 50 bytes/s as well as "
                          "16 x 50 bytes/s, both imported; kept 16 x 50 bytes/s"));
}

TEST(MergeTest, NothingAndOne) {
  EXPECT_EQ(merged({}).hash(), build(GraphBuilder()).hash());
  const Graph graph = build(boxes({}), "file x");
  EXPECT_EQ(merged({graph}).hash(), graph.hash());
  EXPECT_EQ(merged({graph, graph}).origin(), "file x");
}

TEST(MergeTest, OrderRepetitionAndNestingDoNotMatter) {
  std::mt19937 random(3);
  for (int round = 0; round < 300; ++round) {
    std::vector<Graph> views;
    const size_t count = 2 + random() % 3;
    for (size_t i = 0; i < count; ++i) {
      views.push_back(random_graph(random, 1 + static_cast<int>(random() % 8),
                                   static_cast<int>(random() % 20)));
    }
    std::vector<std::string> contradictions;
    const Graph all = merged(views, &contradictions);
    const auto lines = lines_of(all);

    // Commutative, in all it says and in the order of its nodes.
    std::vector<Graph> other_order;
    for (const Graph& view : views) other_order.push_back(shuffled(view, random));
    std::shuffle(other_order.begin(), other_order.end(), random);
    std::vector<std::string> others;
    const Graph reordered = merged(other_order, &others);
    ASSERT_EQ(lines_of(reordered), lines) << "round " << round;
    ASSERT_EQ(others, contradictions) << "round " << round;
    ASSERT_EQ(reordered.hash(), all.hash());
    for (NodeIndex i = 0; i < all.nodes().size(); ++i) {
      ASSERT_EQ(reordered.node(i).name, all.node(i).name);
    }

    // Idempotent.
    ASSERT_EQ(lines_of(merged({all, all})), lines);
    ASSERT_EQ(lines_of(merged({all, views[0]})), lines);

    // Associative: any grouping.
    Graph left = views[0];
    for (size_t i = 1; i < count; ++i) left = merged({left, views[i]});
    ASSERT_EQ(lines_of(left), lines) << "round " << round;
    Graph right = views[count - 1];
    for (size_t i = count - 1; i-- > 0;) right = merged({views[i], right});
    ASSERT_EQ(lines_of(right), lines) << "round " << round;
  }
}

TEST(MergeTest, WhatCannotBeBuiltIsRefused) {
  std::vector<Graph> views;
  for (int i = 0; i < 2; ++i) {
    Node node{.kind = NodeKind::gpu, .name = "g"};
    for (int k = 0; k < 100; ++k) node.set_attribute(std::to_string(100 * i + k), "");
    views.push_back(one_node(node));
  }
  EXPECT_THAT(merge(views).error().detail, HasSubstr("more than 128 attributes"));
}

// One machine of a pool of `hosts`, four of which share a leaf.
Graph view_of(int host) {
  GraphBuilder builder = boxes({.boxes = 1, .gpus = 8});
  const std::string name = "pool/host" + std::to_string(host);
  for (NodeIndex i = 0; i < builder.node_count(); ++i) {
    Node& node = builder.node(i);
    if (node.host.empty()) {
      node.name = "pod" + std::to_string(host / 16) + "/" + node.name;
    } else {
      node.name = name + node.name.substr(2);
      node.host = name;
      node.set_attribute("model", "accelerator of the ninth generation");
      node.set_attribute("pci", "0000:1b:00.0");
    }
  }
  return build(std::move(builder));
}

// Prints what it takes.
TEST(MergeTest, TenThousandViews) {
  std::vector<Graph> views;
  for (int host = 0; host < 10'000; ++host) views.push_back(view_of(host));
  TimePoint begin = now();
  const Graph pool = merged(views);
  std::printf("10000 views of %zu nodes: %zu nodes, %zu links in %.0f ms\n",
              views[0].nodes().size(), pool.nodes().size(), pool.links().size(),
              std::chrono::duration<double, std::milli>(now() - begin).count());
  EXPECT_EQ(pool.members().size(), 80'000u);
  std::vector<Graph> of_ranks;
  for (int rank = 0; rank < 10'000; ++rank)
    of_ranks.push_back(views[static_cast<size_t>(rank / 8)]);
  begin = now();
  const Graph same = merged(of_ranks);
  std::printf("10000 views, 8 equal ones a machine: %zu nodes in %.0f ms\n", same.nodes().size(),
              std::chrono::duration<double, std::milli>(now() - begin).count());
  EXPECT_EQ(same.members().size(), 10'000u);
}

}  // namespace
}  // namespace unirack
