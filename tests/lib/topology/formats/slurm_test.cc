#include "lib/topology/formats/slurm.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "lib/topology/formats/ibnetdiscover.h"
#include "lib/topology/reach.h"
#include "tests/support/test_data.h"

namespace unirack {
namespace {

constexpr const char* kTree =
    "SwitchName=core Switches=spine[1-2]\n"
    "SwitchName=leaf1 Nodes=n[01-03]\n"
    "SwitchName=leaf2 Nodes=n[04-06] LinkSpeed=400\n"
    "SwitchName=leaf3 Nodes=login,n07\n"
    "SwitchName=spine1 Switches=leaf[1-2]\n"
    "SwitchName=spine2 Switches=leaf3\n";

Graph read(const std::string& text) {
  auto graph = read_slurm(text, {.file_name = "topology.conf", .host = {}});
  EXPECT_TRUE(graph) << graph.error().detail;
  return graph ? std::move(*graph) : Graph();
}

std::string error_of(const std::string& text) {
  const auto graph = read_slurm(text, {});
  return graph ? "no error" : graph.error().detail;
}

const Node& node(const Graph& graph, const std::string& name) {
  const auto found = graph.find(name);
  EXPECT_TRUE(found) << name;
  return graph.node(found.value_or(0));
}

TEST(Slurm, Tree) {
  const Graph graph = read(kTree);
  EXPECT_EQ(graph.origin(), "slurm topology.conf");
  EXPECT_EQ(graph.members().size(), 8u);
  EXPECT_EQ(graph.nodes().size(), 6u + 8 + 8);
  EXPECT_EQ(node(graph, "leaf2").kind, NodeKind::leaf);
  EXPECT_EQ(node(graph, "leaf2").attribute("link_speed"), "400");
  EXPECT_EQ(node(graph, "spine1").kind, NodeKind::spine);
  EXPECT_EQ(node(graph, "core").attribute("tier"), "2");
  EXPECT_EQ(node(graph, "n01/rank0").host, "n01");
  EXPECT_EQ(node(graph, "n01/rank0").provenance, Provenance::assumed);
  const auto from = graph.find("n04/nic/net0");
  ASSERT_TRUE(from);
  ASSERT_EQ(graph.links_from(*from).size(), 2u);
  EXPECT_EQ(graph.node(graph.link(graph.links_from(*from)[0]).to).name, "leaf2");
}

TEST(Slurm, TreeAndBack) { EXPECT_EQ(write_slurm_tree(read(kTree)).value(), kTree); }

TEST(Slurm, BlocksAndBack) {
  const std::string text =
      "BlockName=block1 Nodes=n[01-04]\nBlockName=block2 Nodes=n[05-08]\nBlockName=block3 "
      "Nodes=n[09-11]\nBlockSizes=3,6\n";
  const Graph graph = read(text);
  const auto domains = find_domains(graph);
  ASSERT_EQ(domains.size(), 3u);
  EXPECT_EQ(domains[1].name, "block2");
  EXPECT_EQ(domains[1].members.size(), 4u);
  EXPECT_EQ(write_slurm_block(graph).value(), text);
  // Blocks say nothing of the network, so all are taken to reach each other.
  EXPECT_EQ(node(graph, "network").kind, NodeKind::network_switch);
  EXPECT_EQ(node(graph, "network").provenance, Provenance::assumed);
  EXPECT_EQ(graph.links_from(*graph.find("network")).size(), 11u);
}

// Keys in any case, comments, and both plugins in one file.
TEST(Slurm, AsPeopleWriteIt) {
  const Graph graph = read(
      "# what a file says\n  switchname=s1 NODES=a[1-2],b  # three\n\nBLOCKNAME=x nodes=a1,b\r\n");
  EXPECT_EQ(graph.members().size(), 3u);
  EXPECT_EQ(node(graph, "a1/rank0").domain, "x");
  EXPECT_EQ(node(graph, "a2/rank1").domain, "");
}

TEST(Slurm, BadLines) {
  EXPECT_EQ(error_of(""), "expected at least one 'SwitchName=' or 'BlockName=', found none");
  EXPECT_EQ(error_of("SwitchName=s Nodes=n[1-2\n"), "line 1, Nodes: expected ']' in 'n[1-2'");
  EXPECT_EQ(error_of("\nSwitchName=s[1-2] Nodes=n\n"),
            "line 2, SwitchName: expected one name, found 's[1-2]'");
  EXPECT_EQ(error_of("SwitchName= Nodes=n\n"), "line 1, SwitchName: expected one name, found ''");
  EXPECT_EQ(error_of("RingName=r Nodes=n\n"),
            "line 1: expected 'SwitchName=', 'Switches=', 'Nodes=', 'LinkSpeed=', 'BlockName=' or "
            "'BlockSizes=', found 'RingName=r'");
  EXPECT_EQ(error_of("SwitchName=s Nodes\n"),
            "line 1: expected 'SwitchName=', 'Switches=', 'Nodes=', 'LinkSpeed=', 'BlockName=' or "
            "'BlockSizes=', found 'Nodes'");
  EXPECT_EQ(error_of("Nodes=n\n"),
            "line 1: expected 'SwitchName=', 'BlockName=' or 'BlockSizes=', found 'Nodes=n'");
  EXPECT_EQ(error_of("SwitchName=s Nodes=a Nodes=b\n"), "line 1, 'Nodes': expected once in a line");
  EXPECT_EQ(error_of("SwitchName=s Nodes=a\nSwitchName=s Nodes=b\n"),
            "line 2, SwitchName: expected another name, found 's' as on line 1");
  EXPECT_EQ(error_of("BlockName=x Nodes=a\nBlockName=y Nodes=a\n"),
            "line 2, Nodes: expected each node in one block, found 'a' in 'x' too");
  EXPECT_EQ(error_of("SwitchName=a Switches=b\nSwitchName=b Switches=a\n"),
            "line 1, 'a': expected a tree, found that the switch stands below itself");
  EXPECT_EQ(error_of("SwitchName=a/rank0 Nodes=a\n"), "line 1: two nodes are named 'a/rank0'");
  EXPECT_EQ(error_of("SwitchName=s Nodes=a[0-70000]\nSwitchName=t Nodes=b[0-70000]\n"),
            "line 2, Nodes: expected at most 100000 names in the file");
}

TEST(Slurm, Recognised) {
  EXPECT_TRUE(recognises_slurm_tree("# x\n\nswitchName=s Nodes=n\n"));
  EXPECT_FALSE(recognises_slurm_tree("BlockName=s Nodes=n\n"));
  EXPECT_TRUE(recognises_slurm_block("BlockSizes=18\nBlockName=s Nodes=n\n"));
  EXPECT_FALSE(recognises_slurm_block("switches:\n"));
}

// Hosts of several rails and spines above all of them are one switch each in a tree.
TEST(Slurm, FabricsWithRails) {
  GraphBuilder builder;
  const auto add = [&](NodeKind kind, const std::string& name, const std::string& host) {
    Node node;
    node.kind = kind;
    node.name = name;
    node.host = host;
    if (!host.empty()) node.rack = host.substr(0, 2);
    return builder.add(std::move(node)).value();
  };
  std::vector<NodeIndex> spines = {add(NodeKind::spine, "spine2", ""),
                                   add(NodeKind::spine, "spine1", "")};
  for (int rack = 0; rack < 2; ++rack) {
    std::vector<NodeIndex> leaves;
    for (int rail = 0; rail < 2; ++rail) {
      leaves.push_back(add(NodeKind::leaf, fmt::format("leaf-{}-{}", rail, rack), ""));
      for (const NodeIndex spine : spines) builder.join({.from = leaves.back(), .to = spine});
    }
    for (int i = 0; i < 3; ++i) {
      const auto host = fmt::format("r{}-c{}", rack, i);
      const NodeIndex gpu = add(NodeKind::gpu, host + "/gpu0", host);
      for (int rail = 0; rail < 2; ++rail) {
        const NodeIndex nic = add(NodeKind::nic, fmt::format("{}/nic/{}", host, rail), host);
        builder.join({.from = gpu, .to = nic});
        builder.join({.from = nic, .to = leaves[static_cast<size_t>(rail)]});
      }
    }
  }
  const NodeIndex manager = add(NodeKind::nic, "manager/nic/0", "manager");
  builder.join({.from = manager, .to = spines[0]});
  const Graph graph = std::move(builder).build("test").value();
  EXPECT_EQ(write_slurm_tree(graph).value(),
            "SwitchName=r0 Nodes=r0-c[0-2]\nSwitchName=r1 Nodes=r1-c[0-2]\nSwitchName=spine1 "
            "Switches=r[0-1]\n");
}

TEST(Slurm, WhatATreeCannotHold) {
  GraphBuilder builder;
  Node node;
  node.kind = NodeKind::gpu;
  node.name = "gpu";
  EXPECT_TRUE(builder.add(std::move(node)));
  const Graph graph = std::move(builder).build("test").value();
  EXPECT_EQ(write_slurm_tree(graph).error().detail,
            "cannot be written as a tree: expected hosts that are plugged into switches, found "
            "none");
  EXPECT_EQ(write_slurm_block(Graph()).error().detail,
            "cannot be written as blocks: expected domains, found none");
}

// A switch with nodes and switches below it, and one with neither.
TEST(Slurm, OddTrees) {
  const Graph graph = read(
      "SwitchName=top Switches=s1,unused Nodes=a\nSwitchName=s1 Nodes=b\nSwitchName=alone "
      "Switches=below\n");
  EXPECT_EQ(write_slurm_tree(graph).value(),
            "SwitchName=s1 Nodes=b\nSwitchName=top Switches=s1,top.nodes\nSwitchName=top.nodes "
            "Nodes=a\n");
}

TEST(Slurm, LiveFabric) {
  const auto text = testing::read_test_data("topologies/ibnetdiscover/gb200-8-racks.out");
  if (!text) GTEST_SKIP() << testing::kNoTestData;
  const Graph fabric = read_ibnetdiscover(*text, {}).value();
  const std::string tree = write_slurm_tree(fabric).value();
  EXPECT_TRUE(tree.find("SwitchName=a05-p1-dgx-01 Nodes=a05-p1-dgx-01-c[01,03-04,09,12-15,17-18]"
                        "\n") != std::string::npos)
      << tree;
  EXPECT_EQ(std::count(tree.begin(), tree.end(), '\n'), 9) << tree;
  EXPECT_EQ(read(tree).members().size(), 119u);
  const std::string blocks = write_slurm_block(fabric).value();
  EXPECT_TRUE(blocks.ends_with("BlockSizes=10,20,40,80\n")) << blocks;
  EXPECT_EQ(find_domains(read(blocks)).size(), 8u);
}

}  // namespace
}  // namespace unirack
