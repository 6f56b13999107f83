#include "lib/topology/bound/cut_words.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "lib/topology/generate/generate.h"
#include "tests/support/graphs.h"

namespace unirack {
namespace {

std::string named(const Graph& graph, const std::vector<std::string>& names) {
  std::vector<NodeIndex> members;
  for (const std::string& name : names) members.push_back(*graph.find(name));
  std::sort(members.begin(), members.end());
  return name_members(graph, members);
}

std::vector<std::string> gpus_of(const Graph& graph, const std::string& prefix) {
  std::vector<std::string> names;
  for (const NodeIndex member : graph.members()) {
    if (graph.node(member).name.starts_with(prefix)) names.push_back(graph.node(member).name);
  }
  return names;
}

TEST(CutWords, TheWidestNameThatFits) {
  const Graph graph = *generate("nvl72:gpus=8+8+4");
  EXPECT_EQ(named(graph, {}), "nobody");
  EXPECT_EQ(named(graph, {"rack1-tray00/gpu2"}), "GPU rack1-tray00/gpu2");
  EXPECT_EQ(named(graph, gpus_of(graph, "rack1")), "8 GPUs of rack1");
  EXPECT_EQ(named(graph, gpus_of(graph, "rack1-tray01")), "4 GPUs of rack1-tray01");
  EXPECT_EQ(named(graph, gpus_of(graph, "rack2")), "4 GPUs of rack2");
  EXPECT_EQ(named(graph, gpus_of(graph, "rack")), "all 20 GPUs");
  auto two = gpus_of(graph, "rack0");
  for (const auto& name : gpus_of(graph, "rack2")) two.push_back(name);
  EXPECT_EQ(named(graph, two), "12 GPUs of 2 racks (rack0, rack2)");
  two = gpus_of(graph, "rack0-tray01");
  for (const auto& name : gpus_of(graph, "rack1-tray00")) two.push_back(name);
  EXPECT_EQ(named(graph, two), "8 GPUs of 2 machines (rack0-tray01, rack1-tray00)");
}

TEST(CutWords, WhatHasNoNameIsListed) {
  const Graph graph = *generate("mi300x");
  EXPECT_EQ(named(graph, {"box0/gpu1", "box0/gpu4"}), "2 GPUs: box0/gpu1, box0/gpu4");
  EXPECT_EQ(named(graph, {"box0/gpu1", "box0/gpu4", "box0/gpu5", "box0/gpu7"}),
            "4 GPUs: box0/gpu1, box0/gpu4, box0/gpu5 and 1 more");
  auto most = gpus_of(graph, "box0");
  most.erase(most.begin() + 2, most.begin() + 4);
  EXPECT_EQ(named(graph, most), "6 GPUs: all but box0/gpu2, box0/gpu3");
}

TEST(CutWords, RanksAreNamedAsRanks) {
  GraphBuilder builder;
  for (const char* name : {"h0/rank0", "h0/rank1", "h1/rank2"}) {
    testing::add(builder, NodeKind::rank, name, std::string(name).substr(0, 2));
  }
  const Graph graph = testing::build(std::move(builder));
  EXPECT_EQ(named(graph, {"h0/rank0", "h0/rank1"}), "2 ranks of h0");
  EXPECT_EQ(named(graph, {"h1/rank2"}), "h1/rank2");
}

TEST(CutWords, TheSmallerSideIsNamed) {
  const Graph graph = *generate("dgx-a100:boxes=2");
  const CutNetwork network = cut_network_of(graph);
  // All but one GPU, and its NIC: what enters that side leaves the GPU.
  std::vector<uint32_t> places;
  const uint32_t gpu = network.place_of[*graph.find("box1/gpu5")];
  for (uint32_t i = 0; i < network.place_count; ++i) {
    if (i != gpu) places.push_back(i);
  }
  const Cut cut = describe_cut(graph, network, places, true);
  EXPECT_FALSE(cut.entering);
  EXPECT_EQ(cut.words, "GPU box1/gpu5 (one of 16 alike) behind 325 GB/s");
  EXPECT_EQ(cut.nodes, (std::vector{*graph.find("box1/gpu5"), *graph.find("box1/nic/mlx5_5")}));
  EXPECT_EQ(cut.links.size(), 2u);
}

}  // namespace
}  // namespace unirack
