#include "lib/topology/formats/link_list.h"

#include <gtest/gtest.h>

namespace unirack {
namespace {

constexpr uint64_t kGiga = 1'000'000'000;

std::string error_of(const std::string& text) {
  const auto graph = read_links(text, {});
  return graph ? "no error" : graph.error().detail;
}

TEST(LinkList, NodesAndLinks) {
  const auto graph = read_links(
      R"({"nodes": ["a", {"name": "sw", "kind": "switch"}, {"name": "b", "host": "h", "rail": 1}],
          "links": [{"source": "a", "target": 1, "bandwidth": 12.5, "latency": 0.7, "count": 2},
                    {"source": "b", "target": "sw", "bandwidth": 50, "kind": "infiniband",
                     "both_ways": true}]})",
      {.file_name = "x.json", .host = {}});
  ASSERT_TRUE(graph) << graph.error().detail;
  EXPECT_EQ(graph->origin(), "links x.json");
  EXPECT_EQ(graph->node(1).kind, NodeKind::network_switch);
  EXPECT_EQ(graph->node(2).host, "h");
  EXPECT_EQ(graph->node(2).rail, 1);
  EXPECT_EQ(graph->members().size(), 2u);
  ASSERT_EQ(graph->links().size(), 3u);
  const Link& first = graph->link(0);
  EXPECT_EQ(first.bandwidth, 12'500'000'000u);
  EXPECT_EQ(first.latency_ns, 700u);
  EXPECT_EQ(first.count, 2u);
  EXPECT_EQ(first.kind, LinkKind::nvlink);
  EXPECT_EQ(graph->link(1).kind, LinkKind::infiniband);
  EXPECT_EQ(graph->link(1).bandwidth, 50 * kGiga);
}

TEST(LinkList, ANumberOfGpus) {
  const auto graph = read_links(
      "{\"nodes\": 3, \"links\": [{\"source\": 0, \"target\": 2, \"bandwidth\": 1}]}", {});
  ASSERT_TRUE(graph) << graph.error().detail;
  EXPECT_EQ(graph->members().size(), 3u);
  EXPECT_EQ(graph->node(2).name, "gpu2");
}

TEST(LinkList, Back) {
  const std::string text =
      "{\"nodes\": [\n"
      "{\"name\": \"a\", \"host\": \"h\", \"rack\": \"r\", \"domain\": \"d\"},\n"
      "{\"name\": \"s\\\"w\", \"kind\": \"nvswitch\"},\n"
      "{\"name\": \"b\", \"rail\": 2}\n"
      "],\n\"links\": [\n"
      "{\"source\": \"a\", \"target\": \"s\\\"w\", \"bandwidth\": 25.5, \"latency\": 0.001, "
      "\"count\": 18, \"kind\": \"nvlink\", \"both_ways\": true},\n"
      "{\"source\": \"s\\\"w\", \"target\": \"b\", \"kind\": \"pcie\"}\n"
      "]}\n";
  const auto graph = read_links(text, {});
  ASSERT_TRUE(graph) << graph.error().detail;
  EXPECT_EQ(write_links(*graph).value(), text);
}

TEST(LinkList, BadFiles) {
  EXPECT_EQ(error_of("[]"), "line 1: expected an object, found a list");
  EXPECT_EQ(error_of("{}"), "line 1: expected 'nodes', found none");
  EXPECT_EQ(error_of("{\"nodes\": 2}"), "line 1: expected 'links', found none");
  EXPECT_EQ(error_of("{\"nodes\": true}"),
            "line 1, nodes: expected a number or a list, found true or false");
  EXPECT_EQ(error_of("{\"nodes\": 0, \"links\": []}"),
            "line 1, nodes: expected a whole number from 1 to 100000, found 0");
  EXPECT_EQ(error_of("{\"nodes\": [1], \"links\": []}"),
            "line 1, nodes[0]: expected a name or an object, found 1");
  EXPECT_EQ(error_of("{\"nodes\": [\"a\", \"a\"], \"links\": []}"),
            "line 1, nodes[1]: two nodes are named 'a'");
  EXPECT_EQ(error_of("{\"nodes\": [{\"name\": \"a\", \"kind\": \"tpu\"}], \"links\": []}"),
            "line 1, nodes[0].kind: expected a kind of node as 'gpu', 'nic' or 'switch', found "
            "'tpu'");
  const auto link = [](const std::string& fields) {
    return error_of("{\"nodes\": 2, \"links\": [\n{" + fields + "}]}");
  };
  EXPECT_EQ(link("\"source\": 0"), "line 2, links[0]: expected a 'target', found none");
  EXPECT_EQ(link("\"source\": 2, \"target\": 0"),
            "line 2, links[0].source: expected one of the 2 nodes, by name or place, found 2");
  EXPECT_EQ(link("\"source\": \"x\", \"target\": 0"),
            "line 2, links[0].source: expected one of the 2 nodes, by name or place, found 'x'");
  EXPECT_EQ(link("\"source\": 1, \"target\": 1"),
            "line 2, links[0]: expected a link between two nodes");
  EXPECT_EQ(link("\"source\": 0, \"target\": 1, \"bandwidth\": -1"),
            "line 2, links[0].bandwidth: expected a bandwidth in GB/s, found -1");
  EXPECT_EQ(link("\"source\": 0, \"target\": 1, \"bandwidth\": 1e30"),
            "line 2, links[0].bandwidth: expected a bandwidth in GB/s, found 1e+30");
  EXPECT_EQ(link("\"source\": 0, \"target\": 1, \"bandwidth\": 1e9, \"count\": 10000"),
            "line 2, links[0]: expected less than 2^60 bytes/s of all links together");
  EXPECT_EQ(link("\"source\": 0, \"target\": 1, \"latency\": -1"),
            "line 2, links[0].latency: expected a latency in microseconds, found -1");
  EXPECT_EQ(link("\"source\": 0, \"target\": 1, \"kind\": \"rope\""),
            "line 2, links[0].kind: expected a kind of link as 'nvlink' or 'pcie', found 'rope'");
  EXPECT_EQ(link("\"source\": 0, \"dest\": 1"),
            "line 2, links[0].dest: expected one of source, target, bandwidth, latency, count, "
            "kind, both_ways, found another field");
}

TEST(LinkList, Recognised) {
  EXPECT_TRUE(recognises_links("{\"nodes\": 2, \"links\": [{\"source\": 0}]}"));
  EXPECT_FALSE(recognises_links("[{\"nodes\": [], \"links\": [{\"source\": 0}]}]"));
  EXPECT_FALSE(recognises_links("{\"unirack_topology\": 1, \"links\": [{\"source\": 0}]}"));
}

}  // namespace
}  // namespace unirack
