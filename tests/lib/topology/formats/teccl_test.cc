#include <gtest/gtest.h>

#include "lib/topology/formats/link_list.h"

namespace unirack {
namespace {

constexpr const char* kTwoOnASwitch =
    "{\"capacity\": [[0, 125, 125], [125, 0, 0], [125, 0, 0]],\n"
    "\"alpha\": [[-1, 3.5e-7, 3.5e-7], [3.5e-7, -1, -1], [3.5e-7, -1, -1]],\n"
    "\"switch_indices\": [0]}\n";

std::string error_of(const std::string& text) {
  const auto graph = read_teccl(text, {});
  return graph ? "no error" : graph.error().detail;
}

TEST(Teccl, Matrices) {
  const auto graph = read_teccl(kTwoOnASwitch, {});
  ASSERT_TRUE(graph) << graph.error().detail;
  EXPECT_EQ(graph->node(0).kind, NodeKind::network_switch);
  EXPECT_EQ(graph->node(0).name, "switch0");
  EXPECT_EQ(graph->members().size(), 2u);
  ASSERT_EQ(graph->links().size(), 4u);
  EXPECT_EQ(graph->link(0).bandwidth, 125'000'000'000u);
  EXPECT_EQ(graph->link(0).latency_ns, 350u);
}

// Names are kept; parallel links become one, and what limits nothing stays so.
TEST(Teccl, Back) {
  GraphBuilder builder;
  for (const auto& [name, kind] :
       {std::pair("a", NodeKind::gpu), {"nic", NodeKind::nic}, {"sw", NodeKind::nvswitch}}) {
    Node node;
    node.name = name;
    node.kind = kind;
    EXPECT_TRUE(builder.add(std::move(node)));
  }
  builder.join({.from = 0, .to = 2, .bandwidth = 25'000'000'000, .latency_ns = 700, .count = 2});
  builder.join({.from = 0, .to = 1});
  const Graph graph = std::move(builder).build("test").value();
  const std::string text = write_teccl(graph).value();
  EXPECT_EQ(text,
            "{\"nodes\": [\"a\", \"nic\", \"sw\"],\n\"switch_indices\": [1, 2],\n"
            "\"capacity\": [\n[0, 50, 50],\n[50, 0, 0],\n[50, 0, 0]\n],\n"
            "\"alpha\": [\n[0, 0, 7e-07],\n[0, 0, 0],\n[7e-07, 0, 0]\n]}\n");
  const auto again = read_teccl(text, {});
  ASSERT_TRUE(again) << again.error().detail;
  EXPECT_EQ(write_teccl(*again).value(), text);
  EXPECT_EQ(write_teccl(Graph()).error().detail,
            "cannot be written as matrices: expected 1 to 1500 nodes and links of known bandwidth, "
            "found 0 nodes");
}

TEST(Teccl, BadFiles) {
  EXPECT_EQ(error_of("{}"), "line 1: expected 'capacity', found none");
  EXPECT_EQ(error_of("{\"capacity\": []}"),
            "line 1, capacity: expected 1 to 1500 rows, as many as 'capacity' has, found 0");
  EXPECT_EQ(error_of("{\"capacity\": [[0, 1]]}"),
            "line 1, capacity[0]: expected a list of 1 numbers");
  EXPECT_EQ(error_of("{\"capacity\": [[\"x\"]]}"),
            "line 1, capacity[0][0]: expected a number, found 'x'");
  EXPECT_EQ(error_of("{\"capacity\": [[1]]}"),
            "line 1, capacity[0][0]: expected 0 from a node to itself");
  EXPECT_EQ(error_of("{\"capacity\": [[0, -1], [0, 0]]}"),
            "line 1, capacity[0][1]: expected a bandwidth in GB/s, found -1");
  EXPECT_EQ(error_of("{\"capacity\": [[0, 1], [0, 0]], \"alpha\": [[0, -1], [0, 0]]}"),
            "line 1, alpha[0][1]: expected a latency in seconds, found -1");
  EXPECT_EQ(error_of("{\"capacity\": [[0]], \"switch_indices\": [1]}"),
            "line 1, switch_indices[0]: expected a node from 0 to 0, found 1");
  EXPECT_EQ(error_of("{\"capacity\": [[0]], \"nodes\": []}"),
            "line 1, nodes: expected 1 names, found 0");
  EXPECT_EQ(error_of("{\"capacity\": [[0, 0], [0, 0]], \"nodes\": [\"a\", \"a\"]}"),
            "line 1, nodes: two nodes are named 'a'");
}

TEST(Teccl, Recognised) {
  EXPECT_TRUE(recognises_teccl(kTwoOnASwitch));
  EXPECT_FALSE(recognises_teccl("{\"links\": []}"));
}

}  // namespace
}  // namespace unirack
