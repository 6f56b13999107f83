#include "lib/topology/formats/netq.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <map>

#include "lib/topology/reach.h"
#include "tests/support/test_data.h"

namespace unirack {
namespace {

// Two leaves, a spine, and a host with a cable to each leaf.
constexpr const char* kGraph = R"([{
"nodes": [
  {"name": "tier-1", "node_type": "tier", "compounded_nodes": [
    {"id": "node0", "name": "leaf0", "device_type": "switch", "tier": 1},
    {"id": "node1", "name": "leaf1", "device_type": "switch", "tier": 1}]},
  {"id": "node2", "name": "spine", "device_type": "switch", "tier": 2},
  {"id": "node3", "name": "dgx-04", "device_type": "discovered_via_lldp", "tier": -1}],
"links": [
  {"size": 2, "compounded_links": [
    {"interfaces": [{"node": "node0", "interface": "swp1"}, {"node": "node2", "interface": "swp1"}]},
    {"interfaces": [{"node": "node0", "interface": "swp2"}, {"node": "node2", "interface": "swp2"}]}]},
  {"size": 3, "interfaces": [{"node": "node2"}, {"node": "node1"}]},
  {"size": 2, "compounded_links": [
    {"interfaces": [{"node": "node0", "interface": "swp9"}, {"node": "node3", "interface": "ens1"}]},
    {"interfaces": [{"node": "node1", "interface": "swp9"}, {"node": "node3", "interface": "ens2"}]}]}]
}])";

std::string tray(const std::string& name) {
  return fmt::format(
      R"({{"Name": "{}", "DomainUUID": "3fbf", "GpuIDList": ["a", "b"], "Health": "HEALTHY",
      "LocationInfo": {{"ChassisSerialNumber": "18", "SlotID": 5, "TrayIndex": 4}}}})",
      name);
}

Graph read(const std::string& text) {
  auto graph = read_netq(text, {.file_name = "netq.json", .host = {}});
  EXPECT_TRUE(graph) << graph.error().detail;
  return graph ? std::move(*graph) : Graph();
}

std::string error_of(const std::string& text) {
  const auto graph = read_netq(text, {});
  return graph ? "no error" : graph.error().detail;
}

const Node& node(const Graph& graph, const std::string& name) {
  const auto found = graph.find(name);
  EXPECT_TRUE(found) << name;
  return graph.node(found.value_or(0));
}

// Of the link between two nodes; 0: there is none.
uint32_t count_between(const Graph& graph, const std::string& from, const std::string& to) {
  for (const LinkIndex index : graph.links_from(graph.find(from).value())) {
    if (graph.node(graph.link(index).to).name == to) return graph.link(index).count;
  }
  return 0;
}

TEST(Netq, TopologyGraph) {
  const Graph graph = read(kGraph);
  EXPECT_EQ(graph.origin(), "netq netq.json");
  EXPECT_EQ(node(graph, "leaf0").kind, NodeKind::leaf);
  EXPECT_EQ(node(graph, "spine").kind, NodeKind::spine);
  EXPECT_EQ(count_between(graph, "leaf0", "spine"), 2u);
  EXPECT_EQ(count_between(graph, "spine", "leaf1"), 3u);
  EXPECT_EQ(count_between(graph, "dgx-04/nic/ens2", "leaf1"), 1u);
  EXPECT_EQ(count_between(graph, "dgx-04/nic/ens2", "leaf0"), 0u);
  ASSERT_EQ(graph.members().size(), 1u);
  EXPECT_EQ(graph.node(graph.members()[0]).name, "dgx-04/rank0");
  EXPECT_EQ(count_between(graph, "dgx-04/rank0", "dgx-04/nic/ens1"), 1u);
  EXPECT_EQ(graph.link(graph.links_from(*graph.find("leaf0"))[0]).kind, LinkKind::ethernet);
}

TEST(Netq, ComputeNodes) {
  const Graph graph = read("[" + tray("n1") + "," + tray("n2") + "]");
  EXPECT_EQ(graph.members().size(), 4u);
  EXPECT_EQ(node(graph, "n2/gpu1").domain, "3fbf");
  EXPECT_EQ(node(graph, "n2/gpu1").rack, "18");
  EXPECT_EQ(node(graph, "n2/gpu1").attribute("guid"), "b");
  EXPECT_EQ(node(graph, "n2/gpu1").attribute("slot"), "5");
  EXPECT_EQ(count_between(graph, "n1/gpu0", "3fbf/nvswitch"), 1u);
  const auto domains = find_domains(graph);
  ASSERT_EQ(domains.size(), 1u);
  EXPECT_EQ(domains[0].members.size(), 4u);
}

// A host of the fabric that is a tray of the domain.
TEST(Netq, BothTogether) {
  std::string both(kGraph);
  both.insert(both.rfind(']'), "," + tray("dgx-04") + "," + tray("n1"));
  const Graph graph = read(both);
  EXPECT_EQ(graph.members().size(), 4u) << "GPUs only, where they are known";
  EXPECT_EQ(count_between(graph, "dgx-04/gpu1", "dgx-04/pci"), 1u);
  EXPECT_EQ(count_between(graph, "dgx-04/pci", "dgx-04/nic/ens2"), 1u);
  EXPECT_EQ(node(graph, "dgx-04/pci").provenance, Provenance::assumed);
  EXPECT_FALSE(graph.find("n1/pci"));
}

TEST(Netq, HealthAndSizes) {
  std::string ill = tray("n1");
  ill.replace(ill.find("HEALTHY"), 7, "UNHEALTHY");
  EXPECT_EQ(node(read("[" + ill + "]"), "n1/gpu0").health, Health::down);
  std::string text(kGraph);
  text.replace(text.find("\"size\": 2"), 9, "\"size\": 7");
  EXPECT_EQ(node(read(text), "leaf0").attribute("warning"),
            "line 9: a link of size 7 lists 2 cables");
}

TEST(Netq, BadFiles) {
  EXPECT_EQ(error_of("{}"), "line 1: expected a list, found an object");
  EXPECT_EQ(error_of("[]"), "line 1: expected at least one element, found none");
  EXPECT_EQ(error_of("[\n1]"), "line 2, [0]: expected an object, found 1");
  EXPECT_EQ(error_of("[{\"a\": 1}]"),
            "line 1, [0]: expected 'nodes' and 'links', or 'DomainUUID' and 'GpuIDList', found "
            "neither");
  EXPECT_EQ(error_of("[{\"nodes\": []}]"), "line 1, [0]: expected 'links', found none");
  EXPECT_EQ(error_of("[{\"nodes\": [{}], \"links\": []}]"),
            "line 1, [0].nodes[0]: expected an 'id', found none");
  EXPECT_EQ(error_of("[{\"nodes\": [{\"id\": \"a\"}, {\"id\": \"a\"}], \"links\": []}]"),
            "line 1, [0].nodes[1]: expected another id, found 'a' twice");
  EXPECT_EQ(error_of("[{\"nodes\": [{\"id\": \"a\", \"tier\": \"x\"}], \"links\": []}]"),
            "line 1, [0].nodes[0].tier: expected a whole number from -1000 to 1000, found 'x'");
  EXPECT_EQ(error_of("[{\"nodes\": [], \"links\": [{\"interfaces\": []}]}]"),
            "line 1, [0].links[0].interfaces: expected two 'interfaces'");
  EXPECT_EQ(
      error_of("[{\"nodes\": [{\"id\": \"a\"}], \"links\": [{\"interfaces\": [{\"node\": \"a\"}, "
               "{\"node\": \"b\"}]}]}]"),
      "line 1, [0].links[0].interfaces[1]: expected the id of a node, found 'b'");
  EXPECT_EQ(
      error_of("[{\"nodes\": [{\"id\": \"a\"}], \"links\": [{\"interfaces\": [{\"node\": \"a\"}, "
               "{\"node\": \"a\"}]}]}]"),
      "line 1, [0].links[0]: expected a link between two nodes, found both ends at one");
  EXPECT_EQ(error_of("[{\"DomainUUID\": \"x\"}]"), "line 1, [0]: expected a 'Name', found none");
  EXPECT_EQ(error_of("[" + tray("n1") + "," + tray("n1") + "]"),
            "line 2, [1]: expected another 'Name', found 'n1' twice");
  EXPECT_EQ(error_of("[{\"Name\": \"n\", \"DomainUUID\": \"x\", \"Health\": \"FINE\"}]"),
            "line 1, [0].Health: expected HEALTHY, DEGRADED, UNHEALTHY or UNKNOWN, found 'FINE'");
}

TEST(Netq, Recognised) {
  EXPECT_TRUE(recognises_netq(kGraph));
  EXPECT_TRUE(recognises_netq("[" + tray("n1") + "]"));
  EXPECT_FALSE(recognises_netq("{\"nodes\": 4}"));
}

TEST(Netq, RealFiles) {
  const auto graph_text = testing::read_test_data("topologies/topograph/netq-topologyGraph.json");
  const auto trays_text = testing::read_test_data("topologies/topograph/netq-computeNodes.json");
  if (!graph_text) GTEST_SKIP() << testing::kNoTestData;
  ASSERT_TRUE(recognises_netq(*graph_text));
  const Graph graph = read(*graph_text);
  std::map<NodeKind, size_t> kinds;
  for (const Node& each : graph.nodes()) ++kinds[each.kind];
  EXPECT_EQ(kinds[NodeKind::leaf], 2u);
  EXPECT_EQ(kinds[NodeKind::spine], 1u);
  EXPECT_EQ(kinds[NodeKind::nic], 32u);
  EXPECT_EQ(kinds[NodeKind::rank], 8u);
  EXPECT_EQ(count_between(graph, "net-unit-l1", "net-unit-s1"), 28u);
  EXPECT_EQ(count_between(graph, "net-unit-s1", "net-unit-l2"), 19u);
  size_t cables = 0;
  for (const Link& link : graph.links()) cables += link.kind == LinkKind::ethernet ? link.count : 0;
  EXPECT_EQ(cables, 2u * 79);
  ASSERT_TRUE(recognises_netq(*trays_text));
  const Graph trays = read(*trays_text);
  EXPECT_EQ(trays.members().size(), 8u);
  EXPECT_EQ(find_domains(trays).size(), 1u);
  EXPECT_EQ(find_domains(trays)[0].name, "3fbfc98b-7f95-4749-ab11-bd351a2aab3e");
  EXPECT_EQ(node(trays, "node2/gpu3").attribute("tray"), "12");
}

}  // namespace
}  // namespace unirack
