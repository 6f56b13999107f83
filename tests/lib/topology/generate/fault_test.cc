#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "lib/topology/generate/generate.h"

namespace unirack {
namespace {

Graph with(const std::string& spec, const std::string& fault) {
  const Result<Graph> graph = generate(spec);
  EXPECT_TRUE(graph);
  Result<Graph> broken = with_fault(*graph, fault);
  EXPECT_TRUE(broken) << fault << ": " << broken.error().detail;
  return std::move(broken).value();
}

std::string refused(const std::string& spec, const std::string& fault) {
  const Result<Graph> broken = with_fault(*generate(spec), fault);
  EXPECT_FALSE(broken) << fault;
  return broken ? "" : broken.error().detail;
}

size_t down_nodes(const Graph& graph) {
  return static_cast<size_t>(
      std::count_if(graph.nodes().begin(), graph.nodes().end(),
                    [](const Node& node) { return node.health == Health::down; }));
}

size_t down_links(const Graph& graph) {
  return static_cast<size_t>(
      std::count_if(graph.links().begin(), graph.links().end(),
                    [](const Link& link) { return link.health == Health::down; }));
}

TEST(Fault, NodesByNumberAndName) {
  for (const char* fault : {"nic:9", "nic:box1/nic/mlx5_1"}) {
    const Graph graph = with("dgx-a100:boxes=2", fault);
    EXPECT_EQ(graph.node(*graph.find("box1/nic/mlx5_1")).health, Health::down);
    EXPECT_EQ(down_nodes(graph), 1u);
    EXPECT_EQ(down_links(graph), 4u) << "to its GPU and to its leaf, both ways";
    EXPECT_EQ(graph.members().size(), 16u);
  }
  EXPECT_EQ(with("dgx-a100:boxes=2", "gpu:0").members().size(), 15u);
  EXPECT_EQ(down_links(with("dgx-a100:boxes=2", "leaf:leaf3")), 4u);
  EXPECT_EQ(down_links(with("nvl72:racks=2", "spine:0")), 16u);
}

TEST(Fault, SeveralAtOnce) {
  const Graph graph = with("dgx-a100:boxes=2", "nic:0,gpu:box1/gpu7,leaf:0");
  EXPECT_EQ(down_nodes(graph), 3u);
  EXPECT_EQ(graph.origin(), "generated dgx-a100:boxes=2 without nic:0,gpu:box1/gpu7,leaf:0");
}

TEST(Fault, LinksAndMachines) {
  const Graph graph = with("dgx1v", "link:box0/gpu0:box0/gpu3");
  EXPECT_EQ(down_links(graph), 2u);
  EXPECT_EQ(down_nodes(graph), 0u);
  EXPECT_EQ(with("dgx-a100:boxes=2", "host:box1").members().size(), 8u);
  GraphBuilder builder;
  ASSERT_TRUE(builder.add({.kind = NodeKind::pcie, .name = "h/pci/0000:08:00.0"}));
  ASSERT_TRUE(builder.add({.kind = NodeKind::gpu, .name = "h/gpu0"}));
  builder.join({.from = 0, .to = 1});
  const Graph colons = std::move(builder).build("colons").value();
  EXPECT_EQ(down_links(*with_fault(colons, "link:h/pci/0000:08:00.0:h/gpu0")), 2u);
  EXPECT_EQ(down_links(*with_fault(colons, "link:h/gpu0:h/pci/0000:08:00.0")), 2u);
}

TEST(Fault, PartialRackKeepsTheFirstGpusOfTheLast) {
  const Graph graph = with("nvl72:racks=2", "partial-rack:66");
  EXPECT_EQ(graph.members().size(), 138u);
  EXPECT_EQ(down_nodes(graph), 12u) << "six GPUs and their NICs";
  EXPECT_EQ(graph.node(*graph.find("rack1-tray16/gpu1")).health, Health::ok);
  EXPECT_EQ(graph.node(*graph.find("rack1-tray16/gpu2")).health, Health::down);
}

TEST(Fault, AnswersWhatItDoesNotKnow) {
  EXPECT_EQ(refused("dgx1v", "disk:0").find("no fault 'disk:0': expected gpu:N, "), 0u);
  EXPECT_EQ(refused("dgx1v", "gpu:8"), "no gpu '8': expected a name or a number below 8");
  EXPECT_EQ(refused("dgx1v", "gpu:leaf0"), "no gpu 'leaf0': expected a name or a number below 8");
  EXPECT_EQ(refused("dgx1v", "nic:0"), "no nic '0': expected a name or a number below 0");
  EXPECT_EQ(refused("dgx1v", "host:"), "no machine is named ''");
  EXPECT_EQ(refused("dgx1v", "link:box0/gpu0:box0/gpu5"),
            "no link joins 'box0/gpu0' and 'box0/gpu5'");
  EXPECT_EQ(refused("dgx1v", "link:box0/gpu0"),
            "expected link:A:B with the names of two nodes, found 'link:box0/gpu0'");
  EXPECT_EQ(refused("dgx1v", "partial-rack:4"), "partial-rack: no GPU is in a rack");
  EXPECT_EQ(refused("nvl72", "partial-rack:72"), "partial-rack:72: rack0 has only 72 GPUs");
  EXPECT_NE(refused("nvl72", "gpu:0,"), "");
}

}  // namespace
}  // namespace unirack
