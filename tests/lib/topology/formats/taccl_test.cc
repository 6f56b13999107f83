#include "lib/topology/formats/taccl.h"

#include <gtest/gtest.h>

namespace unirack {
namespace {

constexpr uint64_t kGiga = 1'000'000'000;

Graph read(const std::string& text) {
  auto graph = read_taccl(text, {.file_name = "topo.json", .host = "box"});
  EXPECT_TRUE(graph) << graph.error().detail;
  return graph ? std::move(*graph) : Graph();
}

std::string error_of(const std::string& text) {
  const auto graph = read_taccl(text, {});
  return graph ? "no error" : graph.error().detail;
}

const Link* link_between(const Graph& graph, const std::string& from, const std::string& to) {
  for (const LinkIndex index : graph.links_from(graph.find(from).value())) {
    if (graph.node(graph.link(index).to).name == to) return &graph.link(index);
  }
  return nullptr;
}

uint64_t bytes_out(const Graph& graph, const std::string& name) {
  uint64_t sum = 0;
  for (const LinkIndex index : graph.links_from(graph.find(name).value())) {
    sum += graph.link(index).total_bandwidth();
  }
  return sum;
}

TEST(Taccl, ProfileOfAnNdv2) {
  const Graph graph = read(
      "{\"name\": \"NDv2\", \"gpus_per_node\": 8, \"nics_per_node\": 1, \"alpha\": 0.7, "
      "\"node_betas_list\": [20, 40], \"node_invbws_list\": [20, 40], \"remote_invbw\": 107, "
      "\"remote_alpha\": 2.6, \"remote_beta\": 80}");
  EXPECT_EQ(graph.origin(), "taccl topo.json");
  EXPECT_EQ(graph.members().size(), 8u);
  for (int i = 0; i < 8; ++i) {
    EXPECT_EQ(bytes_out(graph, "box/gpu" + std::to_string(i)), 150 * kGiga);
  }
  EXPECT_EQ(link_between(graph, "box/gpu0", "box/gpu1")->bandwidth, 50 * kGiga);
  EXPECT_EQ(link_between(graph, "box/gpu0", "box/gpu2")->latency_ns, 700u);
  EXPECT_EQ(link_between(graph, "box/gpu0", "box/gpu5"), nullptr);
  EXPECT_EQ(link_between(graph, "box/nic/net0", "fabric")->bandwidth, 12'500'000'000u);
  EXPECT_EQ(link_between(graph, "box/nic/net0", "fabric")->latency_ns, 2600u);
  EXPECT_NE(link_between(graph, "box/gpu7", "box/nic/net0"), nullptr);
}

TEST(Taccl, ProfileOfADgx2) {
  const Graph graph = read(
      "{\"name\": \"DGX2_1MB\", \"gpus_per_node\": 16, \"nics_per_node\": 8, \"alpha\": 0.3, "
      "\"node_betas_list\": [8], \"remote_alpha\": 2.6, \"remote_beta\": 105}");
  EXPECT_EQ(link_between(graph, "box/gpu3", "box/nvswitch")->bandwidth, 125 * kGiga);
  EXPECT_EQ(link_between(graph, "box/gpu3", "box/nvswitch")->latency_ns, 150u);
  EXPECT_NE(link_between(graph, "box/gpu3", "box/nic/net1"), nullptr);
  EXPECT_EQ(link_between(graph, "box/gpu3", "box/nic/net2"), nullptr);
}

// The smaller chunks of the same machine, whose values are scaled.
TEST(Taccl, ScaledProfiles) {
  const Graph kilo = read(
      "{\"name\": \"DGX2_1KB\", \"gpus_per_node\": 16, \"alpha\": 30, \"node_betas_list\": [1]}");
  EXPECT_EQ(link_between(kilo, "box/gpu0", "box/nvswitch")->bandwidth, 100 * kGiga);
  EXPECT_EQ(link_between(kilo, "box/gpu0", "box/nvswitch")->latency_ns, 150u);
  const Graph more =
      read("{\"name\": \"X_32KB\", \"gpus_per_node\": 2, \"alpha\": 3, \"node_betas_list\": [8]}");
  EXPECT_EQ(link_between(more, "box/gpu0", "box/nvswitch")->bandwidth, 40 * kGiga);
  EXPECT_EQ(link_between(more, "box/gpu0", "box/nvswitch")->latency_ns, 150u);
}

TEST(Taccl, MatricesAndBack) {
  const std::string text =
      "{\"name\": \"box\",\n\"gpus_per_node\": 3,\n\"alpha\": 0.7,\n"
      "\"links\": [\n[0, 1, 1],\n[1, 0, 0],\n[0, 0, 0]\n],\n"
      "\"betas\": [\n[0, 20, 12.5],\n[40, 0, 0],\n[0, 0, 0]\n],\n"
      "\"invbws\": [\n[0, 20, 12.5],\n[40, 0, 0],\n[0, 0, 0]\n]}\n";
  const Graph graph = read(text);
  EXPECT_EQ(link_between(graph, "box/gpu1", "box/gpu0")->bandwidth, 50 * kGiga)
      << "rows are targets";
  EXPECT_EQ(link_between(graph, "box/gpu0", "box/gpu1")->bandwidth, 25 * kGiga);
  EXPECT_EQ(link_between(graph, "box/gpu0", "box/gpu2"), nullptr);
  EXPECT_EQ(write_taccl(graph).value(), text);
}

TEST(Taccl, SwitchesAreWrittenAsPairs) {
  const Graph graph =
      read("{\"name\": \"x\", \"gpus_per_node\": 2, \"alpha\": 0.3, \"node_betas_list\": [8]}");
  EXPECT_EQ(write_taccl(graph).value(),
            "{\"name\": \"box\",\n\"gpus_per_node\": 2,\n\"alpha\": 0.3,\n"
            "\"links\": [\n[0, 1],\n[1, 0]\n],\n\"betas\": [\n[0, 8],\n[8, 0]\n],\n"
            "\"invbws\": [\n[0, 8],\n[8, 0]\n]}\n");
  EXPECT_EQ(write_taccl(Graph()).error().detail,
            "cannot be written for TACCL: expected one machine whose GPUs are joined by NVLink or "
            "xGMI of known bandwidth");
}

TEST(Taccl, SavedTopologies) {
  const Graph graph = read(
      "{\"sccl_type\": \"topology\", \"name\": \"x\", \"copies\": 2, \"ngpus_per_node\": 2, "
      "\"node_links\": [[0, 1], [1, 0]], \"node_invbws\": [[0, 20], [20, 0]], "
      "\"remote_invbw\": 80, \"remote_alpha\": 2.6, \"internode_conn\": {\"1\": [0]}}");
  EXPECT_EQ(graph.members().size(), 4u);
  EXPECT_EQ(link_between(graph, "box1/gpu0", "box1/gpu1")->bandwidth, 50 * kGiga);
  EXPECT_EQ(link_between(graph, "box1/gpu1", "box0/gpu0")->bandwidth, 12'500'000'000u);
  EXPECT_EQ(link_between(graph, "box1/gpu1", "box0/gpu0")->kind, LinkKind::infiniband);
  EXPECT_EQ(link_between(graph, "box1/gpu0", "box0/gpu1"), nullptr);
}

TEST(Taccl, BadFiles) {
  EXPECT_EQ(error_of("[]"), "line 1: expected an object, found a list");
  EXPECT_EQ(error_of("{}"), "line 1: expected 'gpus_per_node', found none");
  EXPECT_EQ(error_of("{\"gpus_per_node\": 0}"),
            "line 1, gpus_per_node: expected a whole number from 1 to 1024, found 0");
  EXPECT_EQ(error_of("{\"gpus_per_node\": 2}"), "line 1: expected 'links', found none");
  EXPECT_EQ(error_of("{\"gpus_per_node\": 2, \"links\": [[0, 1]]}"),
            "line 1, links: expected 2 rows, one a GPU, found 1");
  EXPECT_EQ(error_of("{\"gpus_per_node\": 1, \"links\": [[0, 1]]}"),
            "line 1, links[0]: expected a list of 1 numbers, one a GPU");
  EXPECT_EQ(error_of("{\"gpus_per_node\": 1, \"links\": [[0]]}"),
            "line 1: expected 'invbws', found none");
  EXPECT_EQ(error_of("{\"gpus_per_node\": 1, \"links\": [[1]], \"betas\": [[1]]}"),
            "line 1, links[0][0]: expected 0 links from a GPU to itself, found 1");
  EXPECT_EQ(error_of("{\"gpus_per_node\": 2, \"links\": [[0, 1], [0, 0]], \"betas\": [[0, 0], [0, "
                     "0]]}"),
            "line 1, betas[0][1]: expected microseconds per MB, found 0");
  EXPECT_EQ(error_of("{\"gpus_per_node\": 4, \"node_betas_list\": [1, 2]}"),
            "line 1, node_betas_list: expected one value for GPUs on a switch, or two for the 8 of "
            "a DGX-1V");
  EXPECT_EQ(error_of("{\"gpus_per_node\": 2, \"alpha\": -1, \"node_betas_list\": [1]}"),
            "line 1, alpha: expected a latency in microseconds, found -1");
  EXPECT_EQ(error_of("{\"gpus_per_node\": 2, \"nics_per_node\": 1, \"node_betas_list\": [1]}"),
            "line 1: expected 'remote_beta', found none");
  EXPECT_EQ(error_of("{\"ngpus_per_node\": 1, \"copies\": 2, \"node_links\": [[0]], "
                     "\"node_invbws\": [[0]], \"remote_invbw\": 1, \"internode_conn\": {\"0\": "
                     "[1]}}"),
            "line 1, internode_conn.0[0]: expected a GPU from 0 to 0, found 1");
}

TEST(Taccl, Recognised) {
  EXPECT_TRUE(recognises_taccl("{\"gpus_per_node\": 2}"));
  EXPECT_FALSE(recognises_taccl("{\"links\": []}"));
}

}  // namespace
}  // namespace unirack
