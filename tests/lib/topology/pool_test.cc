#include "lib/topology/pool.h"

#include <gmock/gmock.h>

#include <cstdio>

#include "lib/base/clock.h"
#include "lib/topology/graph_codec.h"
#include "lib/topology/reach.h"
#include "tests/support/graphs.h"

namespace unirack {
namespace {

using testing::add;
using testing::boxes;
using testing::build;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

using Views = std::vector<std::vector<std::byte>>;

// A machine of that name with two NUMA nodes.
std::vector<std::byte> view_of(const std::string& machine, const std::string& model = "") {
  GraphBuilder builder;
  const NodeIndex cpu0 = add(builder, NodeKind::cpu, machine + "/cpu0", machine);
  const NodeIndex cpu1 = add(builder, NodeKind::cpu, machine + "/cpu1", machine);
  builder.join({.from = cpu0, .to = cpu1, .kind = LinkKind::smp});
  const NodeIndex fabric = add(builder, NodeKind::leaf, "leaf0");
  if (!model.empty()) builder.node(fabric).set_attribute("model", model);
  return encode_graph(build(std::move(builder), machine));
}

std::vector<std::string> names_of(const Graph& graph) {
  std::vector<std::string> names;
  for (const Node& node : graph.nodes()) names.push_back(node.name);
  return names;
}

// What the rank is linked to.
std::vector<std::string> beside(const Graph& graph, const std::string& rank) {
  std::vector<std::string> names;
  for (const LinkIndex link : graph.links_from(*graph.find(rank))) {
    EXPECT_EQ(graph.link(link).kind, LinkKind::shared_memory);
    names.push_back(graph.node(graph.link(link).to).name);
  }
  return names;
}

TEST(PoolGraphTest, TheLowestRankOfAMachineSpeaks) {
  const std::vector<RankPlace> ranks = {{"a", "1", "", 0},
                                        {"b", "2", "", 0},
                                        {"a", "1", "", 0},
                                        {"a", "3", "", 0},
                                        {"c", "1", "", 0}};
  std::vector<Rank> speakers;
  for (Rank rank = 0; rank < 5; ++rank) speakers.push_back(speaker_of(ranks, rank));
  EXPECT_THAT(speakers, ElementsAre(0, 1, 0, 3, 4)) << "a container has a name of its own";
}

TEST(PoolGraphTest, RanksStandBesideTheirNumaNodes) {
  const std::vector<RankPlace> ranks = {
      {"a", "1", "", 1}, {"b", "2", "rack2", 3}, {"a", "1", "", 2}};
  const auto pool = make_pool_graph(ranks, Views{view_of("a"), view_of("b"), {}});
  ASSERT_TRUE(pool) << pool.error().to_string();
  const Graph& graph = pool->graph;
  EXPECT_THAT(names_of(graph), ElementsAre("a/cpu0", "a/cpu1", "b/cpu0", "b/cpu1", "leaf0",
                                           "a/rank0", "b/rank1", "a/rank2"));
  EXPECT_THAT(graph.members(), ElementsAre(5, 6, 7)) << "in the order of the ranks";
  EXPECT_THAT(beside(graph, "a/rank0"), ElementsAre("a/cpu0"));
  EXPECT_THAT(beside(graph, "b/rank1"), ElementsAre("b/cpu0", "b/cpu1"));
  EXPECT_THAT(beside(graph, "a/rank2"), ElementsAre("a/cpu1"));
  EXPECT_EQ(graph.node(6).rank, 1);
  EXPECT_EQ(graph.node(6).host, "b");
  EXPECT_THAT(pool->contradictions, IsEmpty());
  const auto domains = find_domains(graph);
  ASSERT_EQ(domains.size(), 2u);
  EXPECT_EQ(domains[0].name, "a");
  EXPECT_EQ(domains[1].name, "rack2");
  EXPECT_EQ(summary_of(graph), "2 machines: 4 NUMA nodes");
}

TEST(PoolGraphTest, AMachineThatSaysNothingStillHasRanks) {
  const std::vector<RankPlace> ranks = {{"a", "1", "", 2}, {"a", "1", "", 0}};
  const auto pool = make_pool_graph(ranks, Views{{}, {}});
  ASSERT_TRUE(pool) << pool.error().to_string();
  EXPECT_THAT(beside(pool->graph, "a/rank0"), ElementsAre("a/cpu0"));
  EXPECT_THAT(beside(pool->graph, "a/rank1"), ElementsAre("a/cpu0"));
  EXPECT_EQ(pool->graph.node(*pool->graph.find("a/cpu0")).provenance, Provenance::assumed);
  EXPECT_EQ(summary_of(pool->graph), "1 machine: 1 NUMA node");
}

TEST(PoolGraphTest, MachinesOfOneNameAreToldApart) {
  const std::vector<RankPlace> ranks = {{"a", "1", "", 1}, {"a", "2", "", 1}, {"a", "1", "", 1}};
  const auto pool = make_pool_graph(ranks, Views{view_of("a"), view_of("a"), {}});
  ASSERT_TRUE(pool) << pool.error().to_string();
  EXPECT_THAT(names_of(pool->graph), ElementsAre("a/cpu0", "a/cpu1", "a~2/cpu0", "a~2/cpu1",
                                                 "leaf0", "a/rank0", "a~2/rank1", "a/rank2"));
  EXPECT_EQ(find_domains(pool->graph).size(), 2u);
}

TEST(PoolGraphTest, ViewsThatDifferAreReported) {
  const std::vector<RankPlace> ranks = {{"a", "1", "", 1}, {"b", "2", "", 1}};
  const auto pool = make_pool_graph(ranks, Views{view_of("a", "Q1"), view_of("b", "Q2")});
  ASSERT_TRUE(pool) << pool.error().to_string();
  EXPECT_THAT(pool->contradictions,
              ElementsAre(HasSubstr("'leaf0': attribute model is 'Q2' as well as 'Q1'")));
}

TEST(PoolGraphTest, ViewsThatCannotBeMergedAreLeftOut) {
  const std::vector<RankPlace> ranks = {{"a", "1", "", 1}, {"b", "2", "", 1}};
  Views views;
  for (const char* machine : {"a", "b"}) {
    GraphBuilder builder;
    Node& leaf = builder.node(add(builder, NodeKind::leaf, "leaf0"));
    for (int i = 0; i < 100; ++i) leaf.set_attribute(machine + std::to_string(i), "");
    views.push_back(encode_graph(build(std::move(builder))));
  }
  const auto pool = make_pool_graph(ranks, views);
  ASSERT_TRUE(pool) << pool.error().to_string();
  EXPECT_THAT(names_of(pool->graph), ElementsAre("a/rank0", "a/cpu0", "b/rank1", "b/cpu0"));
  EXPECT_THAT(pool->contradictions, ElementsAre(HasSubstr("left out: node 'leaf0' has more")));
}

TEST(PoolGraphTest, ABadViewNamesItsRank) {
  const std::vector<RankPlace> ranks = {{"a", "1", "", 1}, {"b", "2", "", 1}};
  auto bad = view_of("b");
  bad.pop_back();
  const auto pool = make_pool_graph(ranks, Views{view_of("a"), bad});
  EXPECT_EQ(pool.code(), Code::corrupted);
  EXPECT_EQ(pool.error().culprit, 1);
  EXPECT_THAT(pool.error().detail, HasSubstr("the view of rank 1: "));
}

TEST(PoolGraphTest, ThisMachineSpeaksForItself) {
  const std::string machine = machine_name();
  EXPECT_FALSE(machine.empty());
  const auto bytes = machine_view(32768);
  const auto view = decode_graph(bytes);
  ASSERT_TRUE(view) << view.error().to_string();
  for (const Node& node : view->nodes()) EXPECT_EQ(node.host, machine) << node.name;
  for (int i = 0; i < 64; ++i) {
    if ((own_numa_nodes() >> i & 1) == 0) continue;
    EXPECT_TRUE(view->find(machine + "/cpu" + std::to_string(i))) << i;
  }
  EXPECT_LE(machine_view(bytes.size() - 1).size(), bytes.size() - 1);
  EXPECT_THAT(machine_view(3), IsEmpty()) << "what does not fit is left out";
}

// 10,000 ranks, 8 a machine, each machine with what an accelerator box has. Prints what it takes.
TEST(PoolGraphTest, TenThousandRanks) {
  std::vector<RankPlace> ranks;
  Views views(10'000);
  for (int machine = 0; machine < 1250; ++machine) {
    const std::string name = "host" + std::to_string(machine);
    GraphBuilder builder = boxes({.boxes = 1, .gpus = 8});
    for (NodeIndex i = 0; i < builder.node_count(); ++i) {
      Node& node = builder.node(i);
      if (node.host.empty()) continue;
      node.name = name + node.name.substr(2);
      node.host = name;
    }
    views[ranks.size()] = encode_graph(build(std::move(builder), name));
    for (int i = 0; i < 8; ++i) ranks.push_back({name, name, "", 1});
  }
  const TimePoint begin = now();
  const auto pool = make_pool_graph(ranks, views);
  ASSERT_TRUE(pool) << pool.error().to_string();
  std::printf("10000 ranks on 1250 machines: %zu nodes, %zu links in %.0f ms\n",
              pool->graph.nodes().size(), pool->graph.links().size(),
              std::chrono::duration<double, std::milli>(now() - begin).count());
  EXPECT_EQ(pool->graph.members().size(), 10'000u);
}

}  // namespace
}  // namespace unirack
