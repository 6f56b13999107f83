#include "lib/topology/formats/topograph.h"

#include <gtest/gtest.h>

#include <map>

#include "lib/topology/formats/slurm.h"
#include "lib/topology/reach.h"
#include "tests/support/test_data.h"

namespace unirack {
namespace {

constexpr const char* kModel =
    "switches:\n"
    "  core:\n"
    "    labels:\n"
    "      topology.kubernetes.io/region: us-west\n"
    "    switches: [leaf1, leaf2, gone]\n"
    "blocks:\n"
    "- switch: leaf1\n"
    "  nodes:\n"
    "  - \"n[01-03]\"\n"
    "  - n05\n"
    "  annotations:\n"
    "    accelerator.topology.test/domain: nvl1\n"
    "    accelerator.topology.test/sub-domain: rack-a\n"
    "- switch: leaf2\n"
    "  nodes: [m1]\n"
    "  labels:\n"
    "    network.topology.nvidia.com/accelerator: nvl2\n";

Graph read(const std::string& text) {
  auto graph = read_topograph(text, {.file_name = "model.yaml", .host = {}});
  EXPECT_TRUE(graph) << graph.error().detail;
  return graph ? std::move(*graph) : Graph();
}

std::string error_of(const std::string& text) {
  const auto graph = read_topograph(text, {});
  return graph ? "no error" : graph.error().detail;
}

const Node& node(const Graph& graph, const std::string& name) {
  const auto found = graph.find(name);
  EXPECT_TRUE(found) << name;
  return graph.node(found.value_or(0));
}

TEST(Topograph, Model) {
  const Graph graph = read(kModel);
  EXPECT_EQ(graph.origin(), "topograph model.yaml");
  ASSERT_EQ(graph.members().size(), 5u);
  EXPECT_EQ(node(graph, "core").kind, NodeKind::spine);
  EXPECT_EQ(node(graph, "core").attribute("topology.kubernetes.io/region"), "us-west");
  EXPECT_EQ(node(graph, "leaf1").kind, NodeKind::leaf);
  EXPECT_EQ(node(graph, "gone").kind, NodeKind::leaf);
  EXPECT_EQ(node(graph, "n05/rank3").domain, "nvl1");
  EXPECT_EQ(node(graph, "n05/rank3").rack, "rack-a");
  EXPECT_EQ(node(graph, "m1/rank4").domain, "nvl2");
  const auto domains = find_domains(graph);
  ASSERT_EQ(domains.size(), 2u);
  EXPECT_EQ(domains[0].name, "nvl1");
  EXPECT_EQ(domains[0].members.size(), 4u);
}

TEST(Topograph, OlderModel) {
  const Graph graph = read(
      "topology: \"topology/tree\"\n"
      "switches:\n- name: sw2\n  switches: [sw1]\n- name: sw1\n  capacity_blocks: [cb1]\n"
      "capacity_blocks:\n- name: cb1\n  nvlink: nv1\n  type: H100\n  nodes: [n1,n2]\n"
      "- name: cb0\n  type: H100\n  nodes: [n3]\n"
      "physical_layers:\n- name: R1\n");
  EXPECT_EQ(graph.members().size(), 3u);
  EXPECT_EQ(node(graph, "n1/rank0").domain, "nv1");
  EXPECT_EQ(node(graph, "n1/rank0").attribute("model"), "H100");
  EXPECT_TRUE(graph.find("n2/nic/net0"));
  EXPECT_FALSE(graph.find("n3/nic/net0")) << "under no switch";
}

// Nodes by name, blocks as a map, and nodes under switches at once.
TEST(Topograph, ModelsWithNodes) {
  const Graph graph = read(
      "switches:\n  S1:\n    switches: [S2]\n  S2:\n    nodes: [I21, I22]\n"
      "nodes:\n  I21:\n    capacity_block: CB2\n    type: H100\n    attributes:\n      nvlink: nv\n"
      "  I22:\n    capacity_block: CB2\n"
      "capacity_blocks:\n  CB2:\n    nodes: [\"I[21-22]\"]\n");
  EXPECT_EQ(graph.members().size(), 2u);
  EXPECT_EQ(node(graph, "I21/rank0").domain, "nv");
  EXPECT_EQ(node(graph, "I21/rank0").attribute("model"), "H100");
  EXPECT_EQ(node(graph, "I22/rank1").domain, "");
  EXPECT_EQ(write_slurm_tree(graph).value(),
            "SwitchName=S1 Switches=S2\nSwitchName=S2 Nodes=I[21-22]\n");
  EXPECT_EQ(error_of("blocks: x\n"), "line 1, blocks: expected a map or a list, found 'x'");
  EXPECT_EQ(error_of("blocks: []\nnodes:\n  a: x\n"), "line 3, nodes.a: expected a map, found 'x'");
}

TEST(Topograph, ToSlurm) {
  const Graph graph = read(kModel);
  EXPECT_EQ(write_slurm_tree(graph).value(),
            "SwitchName=core Switches=leaf[1-2]\nSwitchName=leaf1 Nodes=n[01-03,05]\n"
            "SwitchName=leaf2 Nodes=m1\n");
  EXPECT_EQ(write_slurm_block(graph).value(),
            "BlockName=nvl1 Nodes=n[01-03,05]\nBlockName=nvl2 Nodes=m1\nBlockSizes=1,2\n");
}

TEST(Topograph, BadModels) {
  EXPECT_EQ(error_of("- a\n"), "line 1: expected a map, found a list");
  EXPECT_EQ(error_of("a: b\n"), "line 1: expected 'switches' or 'blocks', found neither");
  EXPECT_EQ(error_of("switches: x\n"), "line 1, switches: expected a map or a list, found 'x'");
  EXPECT_EQ(error_of("switches:\n  a:\n    switches: b\n"),
            "line 3, switches.a.switches: expected a list, found 'b'");
  EXPECT_EQ(error_of("switches:\n- switches: [b]\n"),
            "line 2, switches[0]: expected a 'name', found none");
  EXPECT_EQ(error_of("switches:\n- name: a\n- name: a\n"),
            "line 3, switches[1]: expected another name than 'a', found it on line 2 too");
  EXPECT_EQ(error_of("blocks:\n- switch: s\n  nodes: [\"n[1-\"]\n"),
            "line 3, blocks[0].nodes[0]: expected ']' in 'n[1-'");
  EXPECT_EQ(error_of("blocks:\n- switch: s\n  nodes: [[n]]\n"),
            "line 3, blocks[0].nodes[0]: expected a name, found a list");
  EXPECT_EQ(error_of("blocks:\n- switch: s\n  nodes: [n]\n- switch: t\n  nodes: [n]\n"),
            "line 4, blocks[1]: expected each node once, found 'n' on line 2 too");
  EXPECT_EQ(error_of("blocks:\n- switch: s\n  labels: x\n"),
            "line 3, blocks[0].labels: expected an object, found 'x'");
  EXPECT_EQ(error_of("blocks:\n- nodes: [\"a[0-70000]\"]\n- nodes: [\"b[0-70000]\"]\n"),
            "line 3, blocks[1].nodes[0]: expected at most 100000 names in the file");
  EXPECT_EQ(error_of("switches:\n  a:\n    switches: [b]\n  b:\n    switches: [a]\n"),
            "line 3, 'a': expected a tree, found that the switch stands below itself");
  EXPECT_EQ(error_of("switches: {\n"), "line 2: expected YAML: end of map flow not found");
}

TEST(Topograph, Recognised) {
  EXPECT_TRUE(recognises_topograph(kModel));
  EXPECT_TRUE(recognises_topograph("# x\nblocks:\n"));
  EXPECT_FALSE(recognises_topograph("SwitchName=s Switches=a\n"));
}

TEST(Topograph, RealModels) {
  struct Expected {
    size_t hosts, leaves, spines, domains, racks;
  };
  const std::map<std::string, Expected> expected = {
      {"dual-xclr-irregular.yaml", {255, 31, 3, 2, 29}},
      {"medium.yaml", {8, 4, 3, 4, 1}},
      {"nvl72.yaml", {72, 4, 3, 4, 1}}};
  const auto files = testing::list_test_data("topologies/topograph", ".yaml");
  if (files.empty()) GTEST_SKIP() << testing::kNoTestData;
  for (const auto& file : files) {
    const auto graph = read_topograph(*testing::read_test_data("topologies/topograph/" + file), {});
    ASSERT_TRUE(graph) << file << ": " << graph.error().detail;
    const auto found = expected.find(file);
    if (found == expected.end()) continue;
    std::map<NodeKind, size_t> kinds;
    std::map<std::string, size_t> racks;
    for (const Node& each : graph->nodes()) {
      ++kinds[each.kind];
      if (each.kind == NodeKind::rank) ++racks[each.rack];
    }
    EXPECT_EQ(graph->members().size(), found->second.hosts) << file;
    EXPECT_EQ(kinds[NodeKind::leaf], found->second.leaves) << file;
    EXPECT_EQ(kinds[NodeKind::spine], found->second.spines) << file;
    EXPECT_EQ(find_domains(*graph).size(), found->second.domains) << file;
    EXPECT_EQ(racks.size(), found->second.racks) << file;
  }
}

// YAML can say an empty key.
TEST(Topograph, AMachineHasAName) {
  EXPECT_EQ(error_of("blocks:\n- switch: l1\n  nodes: [n0]\nnodes:\n  '':\n    labels: {}\n"),
            "line 6: expected the name of a machine, found none");
}

}  // namespace
}  // namespace unirack
