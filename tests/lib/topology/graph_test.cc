#include "lib/topology/graph.h"

#include <gmock/gmock.h>

#include <algorithm>

namespace unirack {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

Node node(NodeKind kind, std::string name) { return {.kind = kind, .name = std::move(name)}; }

Link link(NodeIndex from, NodeIndex to, uint64_t bandwidth, uint32_t count = 1) {
  return {.from = from, .to = to, .bandwidth = bandwidth, .count = count};
}

// "a", "b", ... of one kind.
GraphBuilder builder_of(int count, NodeKind kind = NodeKind::gpu) {
  GraphBuilder builder;
  for (int i = 0; i < count; ++i) {
    EXPECT_TRUE(builder.add(node(kind, std::string(1, static_cast<char>('a' + i)))));
  }
  return builder;
}

std::string refusal_of(GraphBuilder builder) {
  const auto graph = std::move(builder).build("test");
  return graph ? "built" : graph.error().detail;
}

TEST(GraphTest, EveryNameReadsBack) {
  for (int i = 0; i < kNodeKindCount; ++i) {
    const auto kind = static_cast<NodeKind>(i);
    EXPECT_EQ(node_kind_from(to_text(kind)), kind);
  }
  for (int i = 0; i < kLinkKindCount; ++i) {
    const auto kind = static_cast<LinkKind>(i);
    EXPECT_EQ(link_kind_from(to_text(kind)), kind);
  }
  for (int i = 0; i < kHealthCount; ++i) {
    const auto health = static_cast<Health>(i);
    EXPECT_EQ(health_from(to_text(health)), health);
  }
  for (int i = 0; i < kProvenanceCount; ++i) {
    const auto provenance = static_cast<Provenance>(i);
    EXPECT_EQ(provenance_from(to_text(provenance)), provenance);
  }
  EXPECT_EQ(to_text(NodeKind::network_switch), "switch");
  EXPECT_EQ(to_text(Provenance::assumed), "default");
  EXPECT_FALSE(node_kind_from("GPU"));
  EXPECT_FALSE(link_kind_from(""));
}

TEST(GraphTest, AttributesAreSortedAndReplaced) {
  Node gpu;
  gpu.set_attribute("pci", "0000:07:00.0");
  gpu.set_attribute("model", "H100");
  gpu.set_attribute("pci", "0000:08:00.0");
  EXPECT_THAT(gpu.attributes,
              ElementsAre(std::pair<std::string, std::string>("model", "H100"),
                          std::pair<std::string, std::string>("pci", "0000:08:00.0")));
  EXPECT_EQ(gpu.attribute("pci"), "0000:08:00.0");
  EXPECT_EQ(gpu.attribute("guid"), "");
}

TEST(GraphTest, NodesAreFoundByName) {
  GraphBuilder builder;
  for (const char* name : {"h/gpu2", "h/gpu10", "h/gpu1"}) {
    ASSERT_TRUE(builder.add(node(NodeKind::gpu, name)));
  }
  EXPECT_EQ(builder.find("h/gpu10"), NodeIndex{1});
  EXPECT_EQ(builder.find_or_add(node(NodeKind::gpu, "h/gpu1")).value(), 2u);
  EXPECT_EQ(builder.find_or_add(node(NodeKind::cpu, "h/cpu0")).value(), 3u);
  const auto graph = std::move(builder).build("test");
  ASSERT_TRUE(graph);
  EXPECT_EQ(graph->origin(), "test");
  EXPECT_EQ(graph->find("h/gpu2"), NodeIndex{0});
  EXPECT_EQ(graph->find("h/gpu10"), NodeIndex{1});
  EXPECT_EQ(graph->find("h/cpu0"), NodeIndex{3});
  EXPECT_FALSE(graph->find("h/gpu"));
  EXPECT_FALSE(graph->find("z"));
}

TEST(GraphTest, LinksStandByTheirEnds) {
  GraphBuilder builder = builder_of(4);
  builder.connect(link(2, 0, 1));
  builder.connect(link(1, 3, 2));
  builder.connect(link(1, 0, 3));
  builder.join(link(0, 3, 4));
  const auto graph = std::move(builder).build("test");
  ASSERT_TRUE(graph);
  const auto ends = [&](std::span<const LinkIndex> links, NodeIndex Link::*end) {
    std::vector<NodeIndex> nodes;
    for (const LinkIndex each : links) nodes.push_back(graph->link(each).*end);
    return nodes;
  };
  EXPECT_THAT(ends(graph->links_from(1), &Link::to), ElementsAre(0, 3));
  EXPECT_THAT(ends(graph->links_to(0), &Link::from), ElementsAre(1, 2, 3));
  EXPECT_THAT(ends(graph->links_to(3), &Link::from), ElementsAre(0, 1));
  EXPECT_THAT(graph->links_to(2), IsEmpty());
  EXPECT_EQ(graph->link(graph->links_from(1)[1]).bandwidth, 2u);
}

TEST(GraphTest, EqualParallelLinksBecomeOne) {
  GraphBuilder builder = builder_of(2);
  builder.connect(link(0, 1, 25, 4));
  builder.connect(link(0, 1, 50));
  builder.connect(link(0, 1, 25, 8));
  Link measured = link(0, 1, 25);
  measured.provenance = Provenance::measured;
  builder.connect(measured);
  const auto graph = std::move(builder).build("test");
  ASSERT_TRUE(graph);
  ASSERT_EQ(graph->links().size(), 3u) << "what is known otherwise stays apart";
  EXPECT_EQ(graph->links()[0].provenance, Provenance::measured);
  EXPECT_EQ(graph->links()[1].count, 12u);
  EXPECT_EQ(graph->links()[1].total_bandwidth(), 300u);
  EXPECT_EQ(graph->links()[2].bandwidth, 50u);
}

TEST(GraphTest, WhatIsDownCarriesNothing) {
  Link cable = link(0, 1, 50, 2);
  EXPECT_TRUE(cable.limits());
  cable.health = Health::down;
  EXPECT_EQ(cable.total_bandwidth(), 0u);
  EXPECT_TRUE(cable.limits());
  EXPECT_FALSE(link(0, 1, 0).limits()) << "not known limits nothing";
}

TEST(GraphTest, MembersAreGpusOrElseRanks) {
  GraphBuilder builder;
  ASSERT_TRUE(builder.add(node(NodeKind::rank, "h/rank0")));
  ASSERT_TRUE(builder.add(node(NodeKind::cpu, "h/cpu0")));
  ASSERT_TRUE(builder.add(node(NodeKind::rank, "h/rank1")));
  const auto host = GraphBuilder(builder).build("test");
  ASSERT_TRUE(host);
  EXPECT_THAT(host->members(), ElementsAre(0, 2));

  ASSERT_TRUE(builder.add(node(NodeKind::gpu, "h/gpu0")));
  Node dead = node(NodeKind::gpu, "h/gpu1");
  dead.health = Health::down;
  ASSERT_TRUE(builder.add(dead));
  const auto machine = std::move(builder).build("test");
  ASSERT_TRUE(machine);
  EXPECT_THAT(machine->members(), ElementsAre(3));
}

TEST(GraphTest, HashDoesNotDependOnOrder) {
  const auto build = [](std::vector<int> order) {
    GraphBuilder builder;
    for (const int i : order) EXPECT_TRUE(builder.add(node(NodeKind::gpu, std::to_string(i))));
    std::vector<Link> links;
    for (int i = 0; i < 4; ++i) {
      for (int j = 0; j < i; ++j) {
        links.push_back(link(*builder.find(std::to_string(i)), *builder.find(std::to_string(j)),
                             static_cast<uint64_t>(10 * i + j)));
      }
    }
    if (order[0] != 0) std::reverse(links.begin(), links.end());
    for (const Link& each : links) builder.connect(each);
    return std::move(builder).build("test").value().hash();
  };
  const uint64_t hash = build({0, 1, 2, 3});
  EXPECT_EQ(build({3, 1, 0, 2}), hash);
  EXPECT_EQ(build({2, 3, 1, 0}), hash);
}

TEST(GraphTest, HashSeesEveryFieldButProvenance) {
  const auto hash_with = [](auto&& change_node, auto&& change_link) {
    GraphBuilder builder = builder_of(2);
    change_node(builder.node(0));
    Link cable = link(0, 1, 50, 2);
    change_link(cable);
    builder.connect(cable);
    return std::move(builder).build("test").value().hash();
  };
  const auto same = [](auto&) {};
  const uint64_t plain = hash_with(same, same);
  EXPECT_EQ(hash_with([](Node& n) { n.provenance = Provenance::nvml; }, same), plain);
  EXPECT_EQ(hash_with(same, [](Link& l) { l.provenance = Provenance::nvml; }), plain);

  std::vector<uint64_t> hashes = {plain};
  for (void (*change)(Node&) :
       {+[](Node& n) { n.name = "c"; }, +[](Node& n) { n.host = "c"; },
        +[](Node& n) { n.rack = "c"; }, +[](Node& n) { n.domain = "c"; },
        +[](Node& n) { n.rail = 0; }, +[](Node& n) { n.rank = 0; },
        +[](Node& n) { n.kind = NodeKind::nic; }, +[](Node& n) { n.health = Health::degraded; },
        +[](Node& n) { n.reduces = true; }, +[](Node& n) { n.set_attribute("c", ""); }}) {
    hashes.push_back(hash_with(change, same));
  }
  for (void (*change)(Link&) :
       {+[](Link& l) { l.kind = LinkKind::nvlink; }, +[](Link& l) { l.bandwidth = 51; },
        +[](Link& l) { l.capable = 50; }, +[](Link& l) { l.latency_ns = 1; },
        +[](Link& l) { l.count = 3; }, +[](Link& l) { l.health = Health::down; },
        +[](Link& l) { std::swap(l.from, l.to); }}) {
    hashes.push_back(hash_with(same, change));
  }
  std::sort(hashes.begin(), hashes.end());
  EXPECT_EQ(std::adjacent_find(hashes.begin(), hashes.end()), hashes.end());
}

// However parallel links are split, they are the same links.
TEST(GraphTest, HashDoesNotDependOnHowLinksAreKnown) {
  GraphBuilder one = builder_of(2);
  one.connect(link(0, 1, 25, 12));
  GraphBuilder two = builder_of(2);
  two.connect(link(0, 1, 25, 5));
  Link measured = link(0, 1, 25, 7);
  measured.provenance = Provenance::measured;
  two.connect(measured);
  EXPECT_EQ(std::move(one).build("one")->hash(), std::move(two).build("two")->hash());
}

TEST(GraphTest, BadNodesAreRefused) {
  GraphBuilder builder = builder_of(2);
  EXPECT_THAT(builder.add(node(NodeKind::gpu, "a")).error().detail,
              HasSubstr("two nodes are named 'a'"));
  EXPECT_THAT(builder.add(node(NodeKind::gpu, "")).error().detail, HasSubstr("has 0 bytes"));
  EXPECT_THAT(builder.add(node(NodeKind::gpu, std::string(513, 'x'))).error().detail,
              HasSubstr("has 513 bytes"));
  const auto refused = [&](auto&& change) {
    GraphBuilder wrong = builder;
    change(wrong.node(1));
    return refusal_of(std::move(wrong));
  };
  EXPECT_EQ(refused([](Node&) {}), "built");
  EXPECT_THAT(refused([](Node& n) { n.name = "a"; }), HasSubstr("two nodes are named 'a'"));
  EXPECT_THAT(refused([](Node& n) { n.name.clear(); }), HasSubstr("has 0 bytes"));
  EXPECT_THAT(refused([](Node& n) { n.host.assign(513, 'h'); }), HasSubstr("more than 512 bytes"));
  EXPECT_THAT(refused([](Node& n) { n.rail = -2; }), HasSubstr("negative rail"));
  EXPECT_THAT(refused([](Node& n) {
                n.attributes = {{"x", "1"}, {"a", "2"}, {"x", "3"}};
              }),
              HasSubstr("two attributes 'x'"));
  EXPECT_THAT(refused([](Node& n) {
                n.attributes = {{"x", std::string(4097, 'v')}};
              }),
              HasSubstr("too long"));
  EXPECT_THAT(refused([](Node& n) {
                for (int i = 0; i < 129; ++i) n.set_attribute(std::to_string(i), "");
              }),
              HasSubstr("more than 128 attributes"));
}

TEST(GraphTest, AttributesInAnyOrderAreTheSame) {
  GraphBuilder sorted = builder_of(1);
  sorted.node(0).attributes = {{"a", "1"}, {"b", "2"}};
  GraphBuilder unsorted = builder_of(1);
  unsorted.node(0).attributes = {{"b", "2"}, {"a", "1"}};
  EXPECT_EQ(std::move(sorted).build("s")->hash(), std::move(unsorted).build("u")->hash());
}

TEST(GraphTest, BadLinksAreRefused) {
  const auto refused = [](std::vector<Link> links) {
    GraphBuilder builder = builder_of(2);
    for (const Link& each : links) builder.connect(each);
    return refusal_of(std::move(builder));
  };
  EXPECT_EQ(refused({}), "built");
  EXPECT_THAT(refused({link(0, 2, 1)}), HasSubstr("does not exist"));
  EXPECT_THAT(refused({link(1, 1, 1)}), HasSubstr("from 'b' to 'b' ends where it begins"));
  EXPECT_THAT(refused({link(0, 1, 1, 0)}), HasSubstr("count of 0"));
  EXPECT_THAT(refused({link(0, 1, 1), link(0, 1, 1, 0)}), HasSubstr("count of 0"))
      << "not even beside one that would take it in";
  EXPECT_EQ(refused({link(0, 1, kBandwidthMax)}), "built");
  EXPECT_THAT(refused({link(0, 1, kBandwidthMax + 1)}), HasSubstr("faster than 2^60"));
  EXPECT_THAT(refused({link(0, 1, kBandwidthMax / 2 + 1, 2)}), HasSubstr("faster than 2^60"));
  EXPECT_THAT(refused({link(0, 1, kBandwidthMax), link(0, 1, kBandwidthMax)}),
              HasSubstr("faster than 2^60"));
  EXPECT_THAT(refused({link(0, 1, UINT64_MAX, UINT32_MAX)}), HasSubstr("faster than 2^60"));
  Link capable = link(0, 1, 1, 2);
  capable.capable = kBandwidthMax;
  EXPECT_THAT(refused({capable}), HasSubstr("faster than 2^60"));
  EXPECT_EQ(refused({link(0, 1, 1, UINT32_MAX)}), "built");
  EXPECT_THAT(refused({link(0, 1, 1, UINT32_MAX), link(0, 1, 1)}), HasSubstr("more than 2^32"));
}

TEST(GraphTest, ABuilderBeginsWithAWholeGraph) {
  GraphBuilder builder = builder_of(3);
  builder.join(link(0, 1, 50));
  const auto graph = std::move(builder).build("first");
  ASSERT_TRUE(graph);
  GraphBuilder more(*graph);
  EXPECT_EQ(more.find("c"), NodeIndex{2});
  EXPECT_EQ(more.links().size(), 2u);
  EXPECT_EQ(more.add(node(NodeKind::gpu, "d")).value(), 3u);
  EXPECT_FALSE(more.add(node(NodeKind::gpu, "a")));
  EXPECT_EQ(GraphBuilder(*graph).build("again")->hash(), graph->hash());
  EXPECT_NE(std::move(more).build("more")->hash(), graph->hash());
}

TEST(GraphTest, NothingIsAGraph) {
  const auto graph = GraphBuilder().build("nothing");
  ASSERT_TRUE(graph);
  EXPECT_THAT(graph->members(), IsEmpty());
  EXPECT_FALSE(graph->find(""));
}

}  // namespace
}  // namespace unirack
