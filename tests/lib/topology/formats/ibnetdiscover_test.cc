#include "lib/topology/formats/ibnetdiscover.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <map>

#include "tests/support/ib_fabric_text.h"
#include "tests/support/test_data.h"

namespace unirack {
namespace {

using testing::IbFabricText;
using Names = std::vector<std::string>;

constexpr uint64_t kGiga = 1'000'000'000;
const Names kTray = {"mlx5_0", "mlx5_1", "mlx5_4", "mlx5_5"};

Graph read(const std::string& text, const IbnetdiscoverOptions& options = {}) {
  auto graph = read_ibnetdiscover(text, {.file_name = "fabric.out", .host = {}}, options);
  EXPECT_TRUE(graph) << graph.error().detail;
  return graph ? std::move(*graph) : Graph();
}

const Node& node(const Graph& graph, const std::string& name) {
  const auto found = graph.find(name);
  EXPECT_TRUE(found) << name;
  return graph.node(found.value_or(0));
}

// "nvlink 18 x 50 GB/s": of the links from one node to another.
std::string links(const Graph& graph, const std::string& from, const std::string& to) {
  std::string text;
  const auto begin = graph.find(from);
  const auto end = graph.find(to);
  if (!begin || !end) return "no such node";
  for (const LinkIndex index : graph.links_from(*begin)) {
    const Link& link = graph.link(index);
    if (link.to != *end) continue;
    text += fmt::format("{}{} {} x {} GB/s {}", text.empty() ? "" : ", ", to_text(link.kind),
                        link.count, link.bandwidth / kGiga, to_text(link.provenance));
  }
  return text;
}

std::map<std::string, int> count_kinds(const Graph& graph) {
  std::map<std::string, int> kinds;
  for (const Node& each : graph.nodes()) ++kinds[std::string(to_text(each.kind))];
  return kinds;
}

// Two racks of two trays, four leaves a rack, two spines with two cables each.
IbFabricText two_racks() {
  IbFabricText text;
  for (int spine = 0; spine < 2; ++spine) text.add_switch(fmt::format("MF0;spine{}:M9/U1", spine));
  for (int rack = 0; rack < 2; ++rack) {
    Names leaves;
    for (int rail = 0; rail < 4; ++rail) {
      leaves.push_back(fmt::format("MF0;leaf{}-{}:M9/U1", rail, rack));
      text.add_switch(leaves.back());
      for (int cable = 0; cable < 4; ++cable) {
        text.join(leaves.back(), fmt::format("MF0;spine{}:M9/U1", cable / 2));
      }
    }
    for (int tray = 0; tray < 2; ++tray) {
      text.add_host(fmt::format("r{}-c{}", rack, tray), kTray, leaves);
    }
  }
  return text;
}

TEST(Ibnetdiscover, TwoRacksOfTrays) {
  const Graph graph = read(two_racks().text());
  EXPECT_EQ(graph.origin(), "ibnetdiscover fabric.out");
  const std::map<std::string, int> expected = {
      {"gpu", 16}, {"nic", 16}, {"nvswitch", 2}, {"leaf", 8}, {"spine", 2}};
  EXPECT_EQ(count_kinds(graph), expected);
  EXPECT_EQ(links(graph, "r0-c1/gpu2", "r0/nvswitch"), "nvlink 18 x 50 GB/s default");
  EXPECT_EQ(links(graph, "r0/nvswitch", "r0-c1/gpu2"), "nvlink 18 x 50 GB/s default");
  EXPECT_EQ(links(graph, "r0-c1/gpu2", "r0-c1/nic/mlx5_4"), "pcie 1 x 0 GB/s default");
  EXPECT_EQ(links(graph, "r0-c1/gpu2", "r0-c1/nic/mlx5_5"), "");
  EXPECT_EQ(links(graph, "r0-c1/nic/mlx5_4", "leaf2-0"), "infiniband 1 x 50 GB/s imported");
  EXPECT_EQ(links(graph, "leaf2-0", "spine1"), "infiniband 2 x 50 GB/s imported");
  const Node& gpu = node(graph, "r1-c0/gpu3");
  EXPECT_EQ(gpu.host, "r1-c0");
  EXPECT_EQ(gpu.rack, "r1");
  EXPECT_EQ(gpu.domain, "r1");
  EXPECT_EQ(gpu.provenance, Provenance::assumed);
  EXPECT_EQ(node(graph, "leaf3-1").rail, 3);
  EXPECT_EQ(node(graph, "leaf3-1").rack, "r1");
  EXPECT_EQ(node(graph, "leaf3-1").attribute("model"), "M9/U1");
  EXPECT_EQ(node(graph, "r1-c0/nic/mlx5_5").rail, 3);
  EXPECT_EQ(node(graph, "r1-c0/nic/mlx5_5").provenance, Provenance::imported);
}

TEST(Ibnetdiscover, Options) {
  const std::string text = two_racks().text();
  EXPECT_TRUE(read(text, {.infer_gpus = false}).members().empty());
  const Graph by_host = read(text, {.nvlink_domain = IbnetdiscoverOptions::NvlinkDomain::per_host});
  EXPECT_EQ(links(by_host, "r0-c1/gpu2", "r0-c1/nvswitch"), "nvlink 18 x 25 GB/s default");
  const Graph other = read(text, {.nvlink_count = 12, .nvlink_bandwidth = 30 * kGiga});
  EXPECT_EQ(links(other, "r0-c1/gpu2", "r0/nvswitch"), "nvlink 12 x 30 GB/s default");
}

TEST(Ibnetdiscover, BoxesOfEightHaveTheirOwnDomain) {
  IbFabricText text;
  Names devices, leaves;
  for (int rail = 0; rail < 8; ++rail) {
    devices.push_back(fmt::format("mlx5_{}", rail));
    leaves.push_back(fmt::format("leaf{}", rail));
    text.add_switch(leaves.back());
  }
  for (int i = 0; i < 3; ++i) text.add_host(fmt::format("su1-dgx{}", i), devices, leaves);
  const std::string all = text.text();
  EXPECT_EQ(links(read(all), "su1-dgx1/gpu7", "su1-dgx1/nvswitch"), "nvlink 18 x 25 GB/s default");
  EXPECT_EQ(node(read(all), "su1-dgx1/gpu7").rack, "su1");
  const Graph by_rack = read(all, {.nvlink_domain = IbnetdiscoverOptions::NvlinkDomain::per_rack});
  EXPECT_EQ(links(by_rack, "su1-dgx1/gpu7", "su1/nvswitch"), "nvlink 18 x 50 GB/s default");
}

TEST(Ibnetdiscover, ServersWithoutGpusAreRanks) {
  IbFabricText text;
  text.add_switch("leaf");
  for (int i = 9; i < 12; ++i) text.add_host(fmt::format("node{}", i), {"mlx4_0"}, {"leaf"});
  const Graph graph = read(text.text());
  ASSERT_EQ(graph.members().size(), 3u);
  EXPECT_EQ(graph.node(graph.members()[0]).name, "node9/rank0");
  EXPECT_EQ(graph.node(graph.members()[2]).rank, 2);
  EXPECT_EQ(links(graph, "node10/rank1", "node10/nic/mlx4_0"), "pcie 1 x 0 GB/s default");
}

// A core above the spines and a leaf whose hosts are gone are both two steps from any host: only
// their names can tell.
TEST(Ibnetdiscover, DeeperTrees) {
  IbFabricText text;
  for (const auto* name : {"leaf1", "leaf2", "leaf3", "spine1", "spine2", "core", "alone"}) {
    text.add_switch(name);
  }
  text.add_host("node1", {"mlx5_0"}, {"leaf1"});
  text.add_host("node2", {"mlx5_0"}, {"leaf2"});
  for (const auto* leaf : {"leaf1", "leaf2", "leaf3"}) {
    text.join(leaf, "spine1");
    text.join(leaf, "spine2");
  }
  text.join("spine1", "core");
  text.join("spine2", "core");
  const Graph graph = read(text.text());
  EXPECT_EQ(node(graph, "leaf2").kind, NodeKind::leaf);
  EXPECT_EQ(node(graph, "leaf3").kind, NodeKind::leaf);
  EXPECT_EQ(node(graph, "spine2").kind, NodeKind::spine);
  EXPECT_EQ(node(graph, "core").kind, NodeKind::network_switch);
  EXPECT_EQ(node(graph, "alone").kind, NodeKind::network_switch);
}

// A manager that is plugged into a spine does not make it a leaf.
TEST(Ibnetdiscover, AdaptersAtASpine) {
  IbFabricText text = two_racks();
  text.add_host("manager", {"mlx5_0"}, {"MF0;spine1:M9/U1"});
  text.add_adapter("Mellanox Technologies Aggregation Node");
  text.join("MF0;spine0:M9/U1", "Mellanox Technologies Aggregation Node");
  const Graph graph = read(text.text());
  EXPECT_EQ(node(graph, "spine1").kind, NodeKind::spine);
  EXPECT_EQ(node(graph, "leaf0-0").kind, NodeKind::leaf);
  EXPECT_TRUE(node(graph, "spine0").reduces);
  EXPECT_FALSE(node(graph, "spine1").reduces);
  EXPECT_EQ(node(graph, "manager/nic/mlx5_0").rail, -1);
  EXPECT_EQ(graph.members().size(), 16u);
}

// Aggregation nodes are parts of switches: a file of nothing else has no fabric.
TEST(Ibnetdiscover, AggregationNodesAloneAreRefused) {
  const auto graph = read_ibnetdiscover(
      "Ca\t1 \"H-0000000000000005\"\t\t# \"Mellanox Technologies Aggregation Node\"\n", {});
  ASSERT_FALSE(graph);
  EXPECT_EQ(graph.error().detail,
            "expected a 'Switch', or a 'Ca' of a host, found only aggregation nodes");
}

// What is odd is told by the node it concerns; nothing is invented for adapters without a host.
TEST(Ibnetdiscover, Warnings) {
  IbFabricText text = two_racks();
  text.add_host("r1-c2", kTray,
                {"MF0;leaf1-1:M9/U1", "MF0;leaf0-1:M9/U1", "MF0;leaf2-1:M9/U1", ""});
  text.add_adapter("MT4129 ConnectX7   Mellanox Technologies");
  text.join("MT4129 ConnectX7   Mellanox Technologies", "MF0;leaf2-1:M9/U1", "4xABC");
  text.add_adapter("r1-c3 mlx5_0");
  const Graph graph = read(text.text());
  EXPECT_EQ(node(graph, "r1-c2/nic/mlx5_0").attribute("warning"),
            "is of rail 0, but plugged into leaf1-1, which is of rail 1");
  EXPECT_EQ(node(graph, "r1-c2/gpu3").attribute("warning"), "its host has no NIC of rail 3");
  const Node& unnamed = node(graph, "nic/000000000000001e");
  EXPECT_TRUE(unnamed.host.empty());
  EXPECT_EQ(unnamed.attribute("description"), "MT4129 ConnectX7   Mellanox Technologies");
  EXPECT_EQ(unnamed.attribute("warning"), "line 227: port 1 has a rate that is not known, '4xABC'");
  const Node& loose = node(graph, "r1-c3/nic/mlx5_0");
  EXPECT_EQ(loose.attribute("warning"), "line 231: no port of the adapter is joined");
  EXPECT_EQ(loose.health, Health::down);
  EXPECT_EQ(graph.members().size(), 24u);
}

TEST(Ibnetdiscover, SwitchesOfOneName) {
  const Graph graph = read(
      "Switch 8 \"S-1\"\t\t# \"MF0;s:M/U1\"\n[1] \"S-2\"[1]\n"
      "Switch 8 \"S-2\"\t\t# \"MF0;s:M/U2\"\n"
      "Switch 8 \"S-3\"\t\t# \"Quantum Mellanox Technologies\"\n");
  EXPECT_TRUE(graph.find("s"));
  EXPECT_TRUE(graph.find("s/S-2"));
  EXPECT_TRUE(graph.find("S-3"));
}

TEST(Ibnetdiscover, LiveFabric) {
  const auto text = testing::read_test_data("topologies/ibnetdiscover/gb200-8-racks.out");
  if (!text) GTEST_SKIP() << testing::kNoTestData;
  const Graph graph = read(*text);
  const std::map<std::string, int> expected = {
      {"gpu", 476}, {"nic", 542}, {"nvswitch", 8}, {"leaf", 31}, {"spine", 9}};
  EXPECT_EQ(count_kinds(graph), expected);
  std::map<std::string, int> gpus;
  int without_nic = 0;
  for (const Node& each : graph.nodes()) {
    if (each.kind != NodeKind::gpu) continue;
    ++gpus[each.rack];
    if (!each.attribute("warning").empty()) ++without_nic;
  }
  const std::map<std::string, int> trays = {
      {"a05-p1-dgx-01", 10}, {"a06-p1-dgx-02", 11}, {"a07-p1-dgx-03", 18}, {"a08-p1-dgx-04", 17},
      {"b05-p1-dgx-05", 18}, {"b06-p1-dgx-06", 15}, {"b07-p1-dgx-07", 16}, {"b08-p1-dgx-08", 14}};
  for (const auto& [rack, count] : trays) EXPECT_EQ(gpus[rack], count * 4) << rack;
  EXPECT_EQ(gpus.size(), trays.size());
  EXPECT_EQ(without_nic, 10);
  size_t directions = 0;
  for (const Link& link : graph.links()) {
    if (link.kind == LinkKind::infiniband) directions += link.count;
  }
  EXPECT_EQ(directions + 2 * 40, 2228u) << "all records but those of the SHARP nodes";
  EXPECT_EQ(links(graph, "A09-P1-IBLEAF-01-02", "A10-P1-IBSPINE-02"),
            "infiniband 2 x 50 GB/s imported");
  EXPECT_EQ(links(graph, "A09-P1-IBLEAF-01-02", "A10-P1-IBSPINE-01"), "") << "failed uplinks";
  EXPECT_EQ(links(graph, "A09-P1-IBLEAF-01-02", "A10-P1-IBSPINE-04"), "");
  EXPECT_EQ(node(graph, "b08-p1-dgx-08-c01/nic/HCA-5").attribute("warning"),
            "is of rail 2, but plugged into B09-P1-IBLEAF-04-08, which is of rail 3");
}

TEST(IbnetdiscoverTimed, LiveFabricWithin30Milliseconds) {
  const auto text = testing::read_test_data("topologies/ibnetdiscover/gb200-8-racks.out");
  if (!text) GTEST_SKIP() << testing::kNoTestData;
  using Clock = std::chrono::steady_clock;
  Clock::duration best = Clock::duration::max();
  for (int i = 0; i < 10; ++i) {
    const auto begin = Clock::now();
    EXPECT_TRUE(read_ibnetdiscover(*text, {}));
    best = std::min(best, Clock::now() - begin);
  }
  EXPECT_LT(std::chrono::duration<double>(best).count(), 0.03);
}

}  // namespace
}  // namespace unirack
