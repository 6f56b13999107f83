#include "lib/topology/formats/ibnetdiscover_text.h"

#include <gtest/gtest.h>

#include "tests/support/ib_fabric_text.h"
#include "tests/support/test_data.h"

namespace unirack {
namespace {

using testing::IbFabricText;

std::string error_of(const std::string& text) {
  const auto fabric = parse_ibnetdiscover(text);
  if (fabric) return "no error";
  EXPECT_EQ(fabric.code(), Code::invalid_argument);
  return fabric.error().detail;
}

// What the file says besides, with a blank line in front of each.
std::string warnings_of(const std::string& text) {
  const auto fabric = parse_ibnetdiscover(text);
  if (!fabric) return fabric.error().detail;
  std::string all;
  for (const auto& [node, warning] : fabric->warnings) {
    all += fmt::format("{}: {}\n", fabric->nodes[node].description, warning);
  }
  return all;
}

constexpr const char* kSwitch = "Switch\t64 \"S-1\"\t\t# \"MF0;leaf:MQM9701/U1\" enhanced port 0\n";
constexpr const char* kAdapter = "Ca\t2 \"H-1\"\t\t# \"node1 mlx5_0\"\n";

TEST(IbnetdiscoverText, RecordsOfBothEnds) {
  const std::string text = std::string(kSwitch) +
                           "[7]\t\"H-1\"[1](e09d) \t\t# \"node1 mlx5_0\" lid 647 4xNDR\n\n" +
                           kAdapter +
                           "[1](e09d) \t\"S-1\"[7]\t\t# lid 647 lmc 0 \"MF0;leaf:MQM9701/U1\" lid "
                           "73 4xNDR\n";
  const auto fabric = parse_ibnetdiscover(text);
  ASSERT_TRUE(fabric) << fabric.error().detail;
  EXPECT_EQ(fabric->record_count, 2u);
  ASSERT_EQ(fabric->nodes.size(), 2u);
  EXPECT_EQ(fabric->nodes[0].kind, IbKind::network_switch);
  EXPECT_EQ(fabric->nodes[0].description, "MF0;leaf:MQM9701/U1");
  EXPECT_EQ(fabric->nodes[1].kind, IbKind::adapter);
  EXPECT_EQ(fabric->nodes[1].line, 4u);
  ASSERT_EQ(fabric->nodes[1].records.size(), 1u);
  EXPECT_EQ(fabric->nodes[1].records[0].rate, "4xNDR");
  EXPECT_EQ(fabric->nodes[1].records[0].peer_description, "MF0;leaf:MQM9701/U1");
  ASSERT_EQ(fabric->cables.size(), 1u);
  EXPECT_EQ(fabric->cables[0].from_port, 7u);
  EXPECT_EQ(fabric->cables[0].to_port, 1u);
  EXPECT_EQ(fabric->cables[0].from_bandwidth, 50'000'000'000u);
  EXPECT_EQ(fabric->cables[0].to_bandwidth, 50'000'000'000u);
  EXPECT_TRUE(fabric->warnings.empty());
}

// -g groups by chassis and names external ports, -f adds numbers, ibsim's files say less.
TEST(IbnetdiscoverText, OtherWaysOfPrinting) {
  const auto grouped = parse_ibnetdiscover(
      "\nChassis 1 (guid 0x2c9)\nHostname: x\n\n# Spine Nodes\nvendid=0x2c9\nsysimgguid=0x1\t\t# "
      "Chassis 1\nswitchguid=0x1(1)\t# ISR9024\n"
      "Switch 24 \"S-1\"\t\t# \"a\" base port 0 lid 3 lmc 0\n"
      "[3][ext 4]\t\"S-2\"[5][ext 6]\t\t# \"b\" lid 4 12xQDR s=4 w=8 v=3\n"
      "\nNon-Chassis Nodes\n"
      "Switch 24 \"S-2\"\t\t# \"b\" base port 0 lid 4 lmc 0\n"
      "[5][ext 6]\t\"S-1\"[3][ext 4]\t\t# \"a\" lid 3 12xQDR s=4 w=8 v=3\n"
      "rtguid=0x7\nRt\t2 \"R-7\"\t\t# \"router\"\n");
  ASSERT_TRUE(grouped) << grouped.error().detail;
  ASSERT_EQ(grouped->cables.size(), 1u);
  EXPECT_EQ(grouped->cables[0].from_bandwidth, 12'000'000'000u);
  EXPECT_EQ(grouped->nodes[2].kind, IbKind::router);

  const auto simulated = parse_ibnetdiscover(
      "# Net configuration\nSwitch\t8 \"Switch1\"\r\n[1]\t\"Hca1\"[2]\r\n\r\n"
      "Hca\t2 \"Hca1\"\n[2] \"Switch1\" [1]\n");
  ASSERT_TRUE(simulated) << simulated.error().detail;
  ASSERT_EQ(simulated->cables.size(), 1u);
  EXPECT_EQ(simulated->cables[0].from_bandwidth, 0u);
}

TEST(IbnetdiscoverText, BadLines) {
  EXPECT_EQ(error_of(""), "expected at least one 'Switch' or 'Ca', found none");
  EXPECT_EQ(error_of("# nothing\n"), "expected at least one 'Switch' or 'Ca', found none");
  EXPECT_EQ(error_of("vendid=0x1\nwhat is this\n"),
            "line 2: expected 'Switch', 'Ca', 'Rt', a port as '[1]' or a value as "
            "'devid=0x1021', found 'what is this'");
  EXPECT_EQ(error_of("Switch\t : 0x0002c9 ports 36 devid 0xd2f2\n"),
            "line 1, Switch: expected a number of ports up to 255, found ': 0x0002c9 ports 36 "
            "devid 0xd2f2'");
  EXPECT_EQ(error_of("Switch 256 \"S-1\"\n"),
            "line 1, Switch: expected a number of ports up to 255, found '256 \"S-1\"'");
  EXPECT_EQ(error_of("Ca 1 H-1\n"), "line 1, Ca: expected a node in quotes, found 'H-1'");
  EXPECT_EQ(error_of("Ca 1 \"H-1\n"), "line 1, Ca: expected a node in quotes, found '\"H-1'");
  EXPECT_EQ(error_of("Ca 1 \"\"\n"), "line 1, Ca: expected a node in quotes, found '\"\"'");
  EXPECT_EQ(error_of("Ca 1 \"H-1\" what\n"),
            "line 1, Ca: expected the end of the line or '#', found 'what'");
  EXPECT_EQ(error_of(std::string(kAdapter) + kAdapter),
            "line 2, Ca: 'H-1' is described twice, first on line 1");
  EXPECT_EQ(error_of("[1] \"H-1\"[1]\n"),
            "line 1: expected 'Switch', 'Ca' or 'Rt' before the first port, found '[1] "
            "\"H-1\"[1]'");
  EXPECT_EQ(error_of(std::string(kAdapter) + "[3] \"S-1\"[1]\n"),
            "line 2, [3]: expected a port from [1] to [2], found '[3] \"S-1\"[1]'");
  EXPECT_EQ(error_of(std::string(kAdapter) + "[0] \"S-1\"[1]\n"),
            "line 2, [0]: expected a port from [1] to [2], found '[0] \"S-1\"[1]'");
  EXPECT_EQ(error_of(std::string(kAdapter) + "[1] \"S-1\"[256]\n"),
            "line 2, [1]: expected a port from [1] to [255], found '[256]'");
  EXPECT_EQ(error_of(std::string(kAdapter) + "[1](e09d \"S-1\"[1]\n"),
            "line 2, [1]: expected ')', found 'e09d \"S-1\"[1]'");
  EXPECT_EQ(error_of(std::string(kAdapter) + "[1] \"S-1\"[1] lid\n"),
            "line 2, [1]: expected the end of the line or '#', found 'lid'");
  EXPECT_EQ(error_of("Ca 1 \"H-\xff\"\n"), "line 1: expected UTF-8, found 'Ca 1 \"H-\\xff\"'");
}

// A file may end at any byte: it is an error with the line, or what remains with warnings.
TEST(IbnetdiscoverText, CutFiles) {
  IbFabricText fabric;
  fabric.add_switch("leaf");
  fabric.add_host("node1", {"mlx5_0"}, {"leaf"});
  const std::string text = fabric.text();
  for (size_t size = 0; size < text.size(); ++size) {
    const auto cut = parse_ibnetdiscover(text.substr(0, size));
    if (cut || size < text.find("Switch") + 6) continue;
    EXPECT_TRUE(cut.error().detail.starts_with("line ")) << cut.error().detail;
  }
  EXPECT_EQ(warnings_of(text), "");
  EXPECT_EQ(warnings_of(text.substr(0, text.rfind("vendid"))),
            "node1 mlx5_0: line 8: named by a port, but not described\n");
  EXPECT_EQ(warnings_of(text.substr(0, text.rfind("\n[1]") + 1)),
            "node1 mlx5_0: line 8: the cable at port 1 is listed by its other end only\n");
  EXPECT_EQ(error_of(text.substr(0, text.find("\"[1](0"))),
            "line 8, [1]: expected a node in quotes, found '\"H-0000000000000002'");
}

TEST(IbnetdiscoverText, EndsThatDisagree) {
  const std::string other = "Ca\t1 \"H-2\"\t\t# \"node2 mlx5_0\"\n";
  EXPECT_EQ(error_of(std::string(kSwitch) + "[1] \"H-1\"[1]\n[1] \"H-2\"[1]\n" + kAdapter + other),
            "line 3, [1]: expected what line 2 says, that it is joined to 'H-1'[1]; found "
            "'H-2'[1]");
  EXPECT_EQ(error_of(std::string(kSwitch) + "[1] \"H-1\"[1]\n[2] \"H-2\"[1]\n" + kAdapter +
                     "[1] \"S-1\"[2]\n" + other + "[1] \"S-1\"[2]\n"),
            "line 2, [1]: expected 'H-1'[1] to be joined to it, found on line 5 that it is joined "
            "to 'S-1'[2]");
  EXPECT_EQ(error_of(std::string(kSwitch) + "[4] \"S-1\"[4]\n"),
            "line 2, [4]: expected another port, found that it is joined to itself");
  const std::string rate = "\t# \"x\" lid 1 4xNDR\n";
  EXPECT_EQ(warnings_of(std::string(kSwitch) + "[1] \"H-1\"[1]" + rate + "[1] \"H-1\"[1]" + rate +
                        kAdapter + "[1] \"S-1\"[1]" + rate),
            "MF0;leaf:MQM9701/U1: line 3: port 1 is listed twice, first on line 2\n");
  EXPECT_EQ(warnings_of(std::string(kSwitch) + "[1] \"S-1\"[2]" + rate + "[2] \"S-1\"[1]" + rate),
            "MF0;leaf:MQM9701/U1: line 2: the cable joins two ports of the same node\n");
}

TEST(IbnetdiscoverText, RatesThatAreNotKnown) {
  const std::string text = std::string(kSwitch) + "[1] \"H-1\"[1] # \"n\" lid 1 4xABC\n" +
                           kAdapter + "[1] \"S-1\"[1] # lid 1 lmc 0 \"leaf\" lid 2 4xEDR\n";
  EXPECT_EQ(warnings_of(text),
            "MF0;leaf:MQM9701/U1: line 2: port 1 has a rate that is not known, '4xABC'\n"
            "MF0;leaf:MQM9701/U1: lines 2 and 4: the ends of a cable differ in rate\n");
  const auto fabric = parse_ibnetdiscover(text);
  EXPECT_EQ(fabric->cables[0].from_bandwidth, 0u);
  EXPECT_EQ(fabric->cables[0].to_bandwidth, 12'500'000'000u);
}

TEST(IbnetdiscoverText, Recognised) {
  EXPECT_TRUE(recognises_ibnetdiscover("#\n# Topology file: generated on Wed Aug  6\n"));
  EXPECT_TRUE(recognises_ibnetdiscover("\nvendid=0x2c9\n"));
  EXPECT_TRUE(recognises_ibnetdiscover("Switch\t8 \"Switch1\"\n"));
  EXPECT_FALSE(recognises_ibnetdiscover("SwitchName=s1 Nodes=n[1-2]\n"));
  EXPECT_FALSE(recognises_ibnetdiscover("switches:\n  core:\n"));
  EXPECT_FALSE(recognises_ibnetdiscover(""));
}

TEST(IbnetdiscoverText, LiveFabric) {
  const auto text = testing::read_test_data("topologies/ibnetdiscover/gb200-8-racks.out");
  if (!text) GTEST_SKIP() << testing::kNoTestData;
  const auto fabric = parse_ibnetdiscover(*text);
  ASSERT_TRUE(fabric) << fabric.error().detail;
  EXPECT_EQ(fabric->nodes.size(), 622u);
  EXPECT_EQ(fabric->record_count, 2228u);
  EXPECT_EQ(fabric->cables.size(), 1114u);
  EXPECT_TRUE(fabric->warnings.empty());
  for (const IbCable& cable : fabric->cables) {
    EXPECT_EQ(cable.from_bandwidth, 50'000'000'000u);
    EXPECT_EQ(cable.to_bandwidth, 50'000'000'000u);
  }
}

}  // namespace
}  // namespace unirack
