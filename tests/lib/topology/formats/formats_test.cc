#include "lib/topology/formats/formats.h"

#include <gtest/gtest.h>

#include <map>
#include <set>

#include "tests/support/test_data.h"

namespace unirack {
namespace {

// The shortest text of each format that can be told from the others by its beginning.
const std::map<std::string, std::string> kSamples = {
    {"unirack-json", "{\"unirack_topology\": 1, \"nodes\": [], \"links\": []}"},
    {"ibnetdiscover", "vendid=0x2c9\nSwitch\t8 \"S-1\"\t\t# \"leaf\"\n"},
    {"nccl-xml", "<system version=\"1\"><cpu numaid=\"0\"/></system>"},
    {"slurm-tree", "SwitchName=s Nodes=n[1-2]\n"},
    {"slurm-block", "BlockName=b Nodes=n[1-2]\n"},
    {"netq", "[{\"Name\": \"n\", \"DomainUUID\": \"d\", \"GpuIDList\": [\"a\"]}]"},
    {"taccl", "{\"name\": \"x\", \"gpus_per_node\": 2, \"node_betas_list\": [8]}"},
    {"teccl", "{\"capacity\": [[0, 1], [1, 0]]}"},
    {"links", "{\"nodes\": 2, \"links\": [{\"source\": 0, \"target\": 1}]}"},
    {"topograph", "blocks:\n- switch: s\n  nodes: [n]\n"},
};

TEST(Formats, AreRecognisedByTheirBeginning) {
  for (const auto& [name, text] : kSamples) {
    const Format* format = recognise(text);
    ASSERT_NE(format, nullptr) << name;
    EXPECT_EQ(format->name, name);
    EXPECT_TRUE(read_graph(text, "", {})) << name;
  }
  EXPECT_EQ(recognise(""), nullptr);
  EXPECT_EQ(recognise("hello"), nullptr);
}

TEST(Formats, HaveNamesOfTheirOwn) {
  std::set<std::string_view> names;
  for (const Format& format : formats()) {
    EXPECT_TRUE(names.insert(format.name).second) << format.name;
    EXPECT_EQ(find_format(format.name), &format);
    EXPECT_FALSE(format.what.empty());
    EXPECT_NE(format.recognises, nullptr);
    EXPECT_NE(format.read, nullptr);
  }
  EXPECT_EQ(find_format("x"), nullptr);
}

TEST(Formats, ErrorsBeginWithTheFile) {
  EXPECT_EQ(
      read_graph("Ca x\n", "ibnetdiscover", {.file_name = "f.out", .host = {}}).error().detail,
      "f.out: line 1, Ca: expected a number of ports up to 255, found 'x'");
  const auto unknown = read_graph("hello", "", {.file_name = "f", .host = {}});
  EXPECT_TRUE(unknown.error().detail.starts_with("f: is of no known format: expected one of "))
      << unknown.error().detail;
  EXPECT_TRUE(read_graph("", "x", {}).error().detail.starts_with("'x' is no format: expected"));
  EXPECT_EQ(read_graph_file("/no/such/file", "", {}).code(), Code::system);
}

// What each real file of fabrics and models gave.
TEST(Formats, RealFabricsLoad) {
  struct Row {
    const char* file;
    const char* format;
    size_t nodes, links, members;
  };
  const Row rows[] = {
      {"ibnetdiscover/gb200-8-racks.out", "ibnetdiscover", 1066, 3506, 476},
      {"topograph/dual-xclr-irregular.yaml", "topograph", 544, 1086, 255},
      {"topograph/medium.yaml", "topograph", 23, 44, 8},
      {"topograph/nvl72.yaml", "topograph", 151, 300, 72},
      {"topograph/netq-topologyGraph.json", "netq", 43, 132, 8},
      {"topograph/netq-computeNodes.json", "netq", 9, 16, 8},
  };
  for (const Row& row : rows) {
    const auto text = testing::read_test_data(std::string("topologies/") + row.file);
    if (!text) GTEST_SKIP() << testing::kNoTestData;
    const Format* format = recognise(*text);
    ASSERT_NE(format, nullptr) << row.file;
    EXPECT_EQ(format->name, row.format) << row.file;
    const auto graph = read_graph(*text, "", {});
    ASSERT_TRUE(graph) << row.file << ": " << graph.error().detail;
    EXPECT_EQ(graph->nodes().size(), row.nodes) << row.file;
    EXPECT_EQ(graph->links().size(), row.links) << row.file;
    EXPECT_EQ(graph->members().size(), row.members) << row.file;
  }
}

}  // namespace
}  // namespace unirack
