#include "lib/topology/formats/unirack_json.h"

#include <gtest/gtest.h>

#include "tests/support/graphs.h"

namespace unirack {
namespace {

std::string file_of(const std::string& nodes, const std::string& links = "") {
  return "{\"unirack_topology\": 1,\n\"nodes\": [\n" + nodes + "],\n\"links\": [\n" + links + "]}";
}

std::string error_of(const std::string& text) {
  const auto graph = read_unirack_json(text, {});
  return graph ? "no error" : graph.error().detail;
}

constexpr const char* kTwo =
    "{\"name\": \"a\", \"kind\": \"gpu\"},\n{\"name\": \"b\", \"kind\": \"gpu\"}\n";

TEST(UnirackJson, WritesWhatTheDocumentSays) {
  GraphBuilder builder;
  Node gpu{.kind = NodeKind::gpu, .name = "h/gpu0", .host = "h", .rack = "r", .domain = "d"};
  gpu.rail = 2;
  gpu.rank = 3;
  gpu.health = Health::degraded;
  gpu.provenance = Provenance::nvml;
  gpu.set_attribute("pci", "0000:0f:00.0");
  gpu.known_by = {{"rack", Provenance::sysfs}};
  const NodeIndex a = *builder.add(gpu);
  const NodeIndex b = *builder.add(
      {.kind = NodeKind::nvswitch, .name = "h/nvswitch \"x\"\n", .host = "h", .reduces = true});
  builder.join({.from = b, .to = a, .kind = LinkKind::nvlink, .bandwidth = 25, .count = 18});
  builder.connect({.from = a,
                   .to = b,
                   .kind = LinkKind::pcie,
                   .bandwidth = 1,
                   .capable = 2,
                   .latency_ns = 3,
                   .health = Health::down,
                   .provenance = Provenance::assumed});
  const Graph graph = std::move(builder).build("by hand").value();
  EXPECT_EQ(write_unirack_json(graph).value(),
            "{\n\"unirack_topology\": 1,\n\"origin\": \"by hand\",\n\"nodes\": [\n"
            "{\"name\": \"h/gpu0\", \"kind\": \"gpu\", \"host\": \"h\", \"rack\": \"r\", "
            "\"domain\": \"d\", \"rail\": 2, \"rank\": 3, \"health\": \"degraded\", "
            "\"provenance\": \"nvml\", \"known_by\": {\"rack\": \"sysfs\"}, "
            "\"attributes\": {\"pci\": \"0000:0f:00.0\"}},\n"
            "{\"name\": \"h/nvswitch \\\"x\\\"\\u000a\", \"kind\": \"nvswitch\", \"host\": \"h\", "
            "\"reduces\": true}\n"
            "],\n\"links\": [\n"
            "{\"from\": \"h/gpu0\", \"to\": \"h/nvswitch \\\"x\\\"\\u000a\", \"kind\": \"nvlink\", "
            "\"bandwidth\": 25, \"count\": 18, \"both_ways\": true},\n"
            "{\"from\": \"h/gpu0\", \"to\": \"h/nvswitch \\\"x\\\"\\u000a\", \"kind\": \"pcie\", "
            "\"bandwidth\": 1, \"capable\": 2, \"latency_ns\": 3, \"health\": \"down\", "
            "\"provenance\": \"default\"}\n"
            "]\n}\n");
}

TEST(UnirackJson, ReadsBackToAnEqualGraph) {
  std::mt19937 random(7);
  for (int round = 0; round < 200; ++round) {
    const Graph graph = testing::random_graph(random, 1 + round % 40, round % 97);
    const std::string text = write_unirack_json(graph).value();
    const auto back = read_unirack_json(text, {});
    ASSERT_TRUE(back) << back.error().detail;
    EXPECT_EQ(back->hash(), graph.hash());
    EXPECT_EQ(back->origin(), graph.origin());
    EXPECT_EQ(write_unirack_json(*back).value(), text);
    EXPECT_EQ(write_unirack_json(testing::shuffled(graph, random)).value(), text);
  }
}

TEST(UnirackJson, EmptyGraph) {
  const Graph graph = read_unirack_json("{\"unirack_topology\": 1, \"nodes\": []}", {}).value();
  EXPECT_EQ(graph.nodes().size(), 0u);
  EXPECT_EQ(graph.origin(), "unirack-json");
  EXPECT_EQ(write_unirack_json(graph).value(),
            "{\n\"unirack_topology\": 1,\n\"origin\": \"unirack-json\",\n\"nodes\": [\n],\n"
            "\"links\": [\n]\n}\n");
}

TEST(UnirackJson, OtherVersionsAreRefused) {
  EXPECT_EQ(error_of("{\n\"unirack_topology\": 2}"),
            "line 2, unirack_topology: expected version 1 of this format, found 2");
  EXPECT_EQ(error_of("{\"unirack_topology\": \"1\"}"),
            "line 1, unirack_topology: expected version 1 of this format, found '1'");
  EXPECT_EQ(error_of("{\"nodes\": []}"),
            "line 1: expected the version in 'unirack_topology', found none");
  EXPECT_EQ(error_of("[]"), "line 1: expected an object, found a list");
  EXPECT_EQ(error_of("{\"unirack_topology\": 1}"),
            "line 1: expected a list in 'nodes', found none");
}

TEST(UnirackJson, BadNodesAreAnsweredWithTheirPlace) {
  EXPECT_EQ(error_of(file_of("7")), "line 3, nodes[0]: expected an object, found 7");
  EXPECT_EQ(error_of(file_of("{\"kind\": \"gpu\"}")),
            "line 3, nodes[0]: expected 'name', found none");
  EXPECT_EQ(error_of(file_of("{\"name\": \"a\"}")),
            "line 3, nodes[0]: expected 'kind', found none");
  EXPECT_EQ(error_of(file_of("{\"name\": \"a\",\n\"kind\": \"gpus\"}")),
            "line 4, nodes[0].kind: expected one of gpu, rank, cpu, pcie, nvswitch, nic, leaf, "
            "spine, switch, found 'gpus'");
  EXPECT_EQ(error_of(file_of("{\"name\": \"\", \"kind\": \"gpu\"}")),
            "line 3, nodes[0]: a node's name has 0 bytes: expected 1 to 512");
  EXPECT_EQ(error_of(file_of("{\"name\": \"a\", \"kind\": \"gpu\"},\n"
                             "{\"name\": \"a\", \"kind\": \"gpu\"}")),
            "line 4, nodes[1]: two nodes are named 'a'");
  EXPECT_EQ(error_of(file_of("{\"name\": \"a\", \"kind\": \"gpu\", \"rail\": -2}")),
            "line 3, nodes[0].rail: expected a whole number from -1 to 2147483647, found -2");
  EXPECT_EQ(error_of(file_of("{\"name\": \"a\", \"kind\": \"gpu\", \"speed\": 1}")),
            "line 3, nodes[0].speed: expected one of name, kind, host, rack, domain, rail, rank, "
            "health, reduces, provenance, known_by, attributes, found another field");
  EXPECT_EQ(error_of(file_of("{\"name\": \"a\", \"kind\": \"gpu\", \"attributes\": {\"pci\": 1}}")),
            "line 3, nodes[0].attributes.pci: expected a text, found 1");
  EXPECT_EQ(
      error_of(file_of("{\"name\": \"a\", \"kind\": \"gpu\", \"known_by\": {\"rack\": \"x\"}}")),
      "line 3, nodes[0].known_by.rack: expected one of measured, nvml, sysfs, hwloc, imported, "
      "configured, default, found 'x'");
}

TEST(UnirackJson, BadLinksAreAnsweredWithTheirPlace) {
  const auto link = [](const std::string& rest) {
    return error_of(file_of(kTwo, "{\"from\": \"a\", \"to\": \"b\", " + rest + "}"));
  };
  EXPECT_EQ(error_of(file_of(kTwo, "{\"from\": \"a\", \"kind\": \"pcie\"}")),
            "line 7, links[0]: expected 'to', found none");
  EXPECT_EQ(error_of(file_of(kTwo, "{\"from\": \"a\", \"to\": \"c\", \"kind\": \"pcie\"}")),
            "line 7, links[0].to: expected the name of a node, found 'c'");
  EXPECT_EQ(error_of(file_of(kTwo, "{\"from\": \"a\", \"to\": \"a\", \"kind\": \"pcie\"}")),
            "line 7, links[0]: expected two nodes in 'from' and 'to', found one");
  EXPECT_EQ(link("\"count\": 1"), "line 7, links[0]: expected 'kind', found none");
  EXPECT_EQ(link("\"kind\": \"pci\""),
            "line 7, links[0].kind: expected one of nvlink, xgmi, c2c, pcie, smp, infiniband, "
            "ethernet, shared_memory, found 'pci'");
  EXPECT_EQ(link("\"kind\": \"pcie\", \"bandwidth\": -1"),
            "line 7, links[0].bandwidth: expected a whole number from 0 to 1152921504606846976, "
            "found -1");
  EXPECT_EQ(link("\"kind\": \"pcie\", \"bandwidth\": 99999999999999999999"),
            "line 7, links[0].bandwidth: expected a whole number from 0 to 1152921504606846976, "
            "found 1e+20");
  EXPECT_EQ(link("\"kind\": \"pcie\", \"count\": 0"),
            "line 7, links[0].count: expected a whole number from 1 to 4294967295, found 0");
  EXPECT_EQ(link("\"kind\": \"pcie\", \"count\": 3, \"capable\": 1152921504606846976"),
            "line 7, links[0]: expected at most 2^60 bytes/s, found 3 times 1152921504606846976");
  EXPECT_EQ(link("\"kind\": \"pcie\", \"both_ways\": 1"),
            "line 7, links[0].both_ways: expected true or false, found 1");
}

TEST(UnirackJson, WhatIsNotTextIsNotWritten) {
  GraphBuilder builder;
  ASSERT_TRUE(builder.add({.kind = NodeKind::gpu, .name = "a\xff"}));
  const Graph graph = std::move(builder).build("").value();
  EXPECT_EQ(write_unirack_json(graph).error().detail, "node 'a\\xff': JSON holds only UTF-8");
}

TEST(UnirackJson, IsRecognised) {
  EXPECT_EQ(recognise(" {\"nodes\": [], \"unirack_topology\": 1}")->name, "unirack-json");
  const auto graph = read_graph("{\"unirack_topology\": 3}", "", {.file_name = "f.json"});
  EXPECT_EQ(graph.error().detail,
            "f.json: line 1, unirack_topology: expected version 1 of this format, found 3");
}

}  // namespace
}  // namespace unirack
