#include "lib/topology/generate/generate.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "lib/topology/reach.h"

namespace unirack {
namespace {

Graph made(const std::string& spec) {
  Result<Graph> graph = generate(spec);
  EXPECT_TRUE(graph) << spec << ": " << graph.error().detail;
  return graph ? std::move(graph).value() : std::move(GraphBuilder()).build("none").value();
}

std::string refused(const std::string& spec) {
  const Result<Graph> graph = generate(spec);
  EXPECT_FALSE(graph) << spec;
  return graph ? "" : graph.error().detail;
}

size_t count(const Graph& graph, NodeKind kind) {
  return static_cast<size_t>(std::count_if(graph.nodes().begin(), graph.nodes().end(),
                                           [&](const Node& node) { return node.kind == kind; }));
}

TEST(Generate, EveryFamilyHasWorkingDefaults) {
  for (const FabricFamily& family : fabric_families()) {
    const Graph graph = made(std::string(family.name));
    EXPECT_GE(graph.members().size(), 8u) << family.name;
    std::string spec = std::string(family.name);
    char separator = ':';
    for (const FamilyParameter& each : family.parameters) {
      spec += separator + std::string(each.name) + "=" + std::string(each.fallback);
      separator = ',';
    }
    EXPECT_EQ(made(spec).hash(), graph.hash()) << spec;
    EXPECT_NE(families_text().find(family.name), std::string::npos);
  }
}

TEST(Generate, OneMachineHasNoNetwork) {
  const Graph graph = made("dgx-h100");
  EXPECT_EQ(graph.nodes().size(), 9u);
  const NodeIndex gpu = *graph.find("box0/gpu3");
  ASSERT_EQ(graph.links_from(gpu).size(), 1u);
  const Link& link = graph.link(graph.links_from(gpu)[0]);
  EXPECT_EQ(link.kind, LinkKind::nvlink);
  EXPECT_EQ(link.count, 18u);
  EXPECT_EQ(link.bandwidth, 25'000'000'000u);
  EXPECT_EQ(graph.origin(), "generated dgx-h100");
}

TEST(Generate, RailsPairGpusAndLeaves) {
  const Graph graph = made("dgx-a100:boxes=4");
  EXPECT_EQ(count(graph, NodeKind::nic), 32u);
  EXPECT_EQ(find_domains(graph).size(), 4u);
  const auto rails = find_rails(graph);
  ASSERT_EQ(rails.size(), 8u);
  EXPECT_EQ(rails[2].nics.size(), 4u);
  EXPECT_EQ(rails[2].leaves, std::vector{*graph.find("leaf2")});
}

TEST(Generate, RacksOfDifferentSize) {
  const Graph graph = made("nvl72:gpus=72+66");
  EXPECT_EQ(graph.members().size(), 138u);
  EXPECT_EQ(count(graph, NodeKind::leaf), 8u);
  EXPECT_EQ(count(graph, NodeKind::spine), 9u);
  const auto domains = find_domains(graph);
  ASSERT_EQ(domains.size(), 2u);
  EXPECT_EQ(domains[0].name, "rack0");
  EXPECT_EQ(domains[1].members.size(), 66u);
  // Half of the last tray's places are empty: 17 and 16 NICs a leaf, as many uplinks.
  const auto uplinks = [&](const char* name) {
    uint32_t sum = 0;
    for (const LinkIndex link : graph.links_from(*graph.find(name))) {
      if (graph.node(graph.link(link).to).kind == NodeKind::spine) sum += graph.link(link).count;
    }
    return sum;
  };
  EXPECT_EQ(uplinks("leaf-rack0-rail3"), 18u);
  EXPECT_EQ(uplinks("leaf-rack1-rail0"), 17u);
  EXPECT_EQ(uplinks("leaf-rack1-rail3"), 16u);
}

TEST(Generate, OversubscriptionTakesUplinks) {
  const Graph graph = made("nvl72:racks=2,oversubscription=1.5");
  uint32_t sum = 0;
  for (const LinkIndex link : graph.links_from(*graph.find("leaf-rack1-rail0"))) {
    if (graph.node(graph.link(link).to).kind == NodeKind::spine) sum += graph.link(link).count;
  }
  EXPECT_EQ(sum, 12u);
}

TEST(Generate, LeafSpineOfAnySize) {
  const Graph graph = made("leaf-spine:gpus=10000");
  EXPECT_EQ(graph.members().size(), 10000u);
  EXPECT_EQ(count(graph, NodeKind::leaf), 40u * 8);
  EXPECT_EQ(made("leaf-spine:gpus=10,box=4").members().size(), 10u);
  EXPECT_EQ(count(made("leaf-spine:gpus=10,box=1"), NodeKind::nvswitch), 0u);
}

TEST(Generate, TorusAndHypercubeDegrees) {
  EXPECT_EQ(made("torus:4x4x4").links().size(), 64u * 6);
  EXPECT_EQ(made("torus:2x3").links().size(), 6u * 3) << "a dimension of two has one link";
  EXPECT_EQ(made("torus:5x1").links().size(), 5u * 2);
  EXPECT_EQ(made("hypercube:16").links().size(), 16u * 4);
  EXPECT_EQ(made("hypercube:1").links().size(), 0u);
}

TEST(Generate, AnswersWhatItDoesNotKnow) {
  EXPECT_EQ(refused("dgx").find("no fabric is named 'dgx': expected dgx-a100, "), 0u);
  EXPECT_EQ(refused("dgx-a100:box=2"),
            "dgx-a100 has no parameter 'box': expected boxes, nvlink, nic, rails");
  EXPECT_EQ(refused("dgx-a100:boxes=0"), "expected 1 to 200000 for boxes, found '0'");
  EXPECT_EQ(refused("dgx-a100:boxes=two"), "expected 1 to 200000 for boxes, found 'two'");
  EXPECT_EQ(refused("dgx-a100:boxes=2,boxes=2"), "'boxes' is given twice");
  EXPECT_EQ(refused("dgx-a100:nic=-1"),
            "expected a number with at most 9 decimals for nic, found '-1'");
  EXPECT_EQ(refused("dgx-a100:nic="),
            "expected a number with at most 9 decimals for nic, found ''");
  EXPECT_EQ(refused("dgx-a100:boxes=100000"), "800000 GPUs: at most 200000 can be generated");
  EXPECT_EQ(refused("nvl72:gpus=72+80"), "expected 1 to 72 for gpus, found '80'");
  EXPECT_EQ(refused("nvl72:racks=3,gpus=72+66"), "gpus names 2 racks, racks says 3");
  EXPECT_EQ(refused("hypercube:12"), "a hypercube has a power of two of GPUs, not 12");
  EXPECT_EQ(refused("torus:4x"), "expected 1 to 200000 for shape, found ''");
  EXPECT_EQ(refused("torus:1000x1000"), "1000000 GPUs: at most 200000 can be generated");
  EXPECT_NE(refused("nvl72:,"), "");
  EXPECT_NE(refused(""), "");
}

}  // namespace
}  // namespace unirack
