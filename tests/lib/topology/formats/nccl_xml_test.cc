#include "lib/topology/formats/nccl_xml.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <pugixml.hpp>
#include <set>

#include "lib/topology/formats/unirack_json.h"
#include "lib/topology/generate/generate.h"
#include "tests/support/graphs.h"
#include "tests/support/test_data.h"

namespace unirack {
namespace {

// Two GPUs on an NVSwitch, a card of two ports behind a bridge, and a port at the CPU.
constexpr const char* kSmall = R"(<system version="1">
  <cpu numaid="0" affinity="ff" arch="x86_64" vendor="GenuineIntel" familyid="6" modelid="143">
    <pci busid="0000:01:00.0" class="0x060400" vendor="0x1" device="0x2" link_speed="32.0 GT/s PCIe" link_width="16">
      <pci busid="0000:0A:00.0" class="0x030200" link_speed="32.0 GT/s PCIe" link_width="16">
        <gpu dev="0" sm="90" rank="4" gdr="1">
          <nvlink target="0000:c1:00.0" count="10" tclass="0x068000"/>
          <nvlink target="0000:c2:00.0" count="8" tclass="0x068000"/>
        </gpu>
      </pci>
      <pci busid="0000:0b:00.0" class="0x020700" link_speed="16.0 GT/s PCIe" link_width="8">
        <nic>
          <net name="mlx5_0" dev="0" speed="200000" port="1" guid="0xa" gdr="1" rail="3" new="x"/>
          <net name="mlx5_0" dev="1" speed="200000" port="2" guid="0xa" gdr="1"/>
        </nic>
      </pci>
    </pci>
    <nic><net name="eth0" dev="2" speed="-1" port="0"/></nic>
  </cpu>
  <cpu numaid="1" affinity="ff00" arch="x86_64" vendor="GenuineIntel" familyid="6" modelid="143">
    <pci busid="0000:8a:00.0" class="0x030200" link_speed="" link_width="0">
      <gpu dev="1" sm="90" rank="5" gdr="1">
        <nvlink target="ff:ff" count="18" tclass="0x068000"/>
        <c2c bw="25000" count="2"/>
      </gpu>
    </pci>
  </cpu>
</system>
)";

std::string error_of(const std::string& text) {
  const auto graph = read_nccl_xml(text, {});
  return graph ? "no error" : graph.error().detail;
}

// The small file with one place changed.
std::string error_with(const std::string& from, const std::string& to) {
  std::string text = kSmall;
  const size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return error_of(text.replace(at, from.size(), to));
}

// The only link of this kind between two nodes in this direction.
Link link_of(const Graph& graph, const std::string& from, const std::string& to, LinkKind kind) {
  std::vector<Link> found;
  for (const Link& link : graph.links()) {
    if (link.kind != kind || graph.node(link.from).name != from) continue;
    if (graph.node(link.to).name == to) found.push_back(link);
  }
  EXPECT_EQ(found.size(), 1u) << from << " " << to;
  return found.empty() ? Link{} : found.front();
}

std::string names_of(const Graph& graph, NodeKind kind) {
  std::string names;
  for (const Node& node : graph.nodes()) {
    if (node.kind == kind) names += (names.empty() ? "" : " ") + node.name;
  }
  return names;
}

TEST(NcclXml, BecomesAGraph) {
  const Graph graph = read_nccl_xml(kSmall, {.host = "h"}).value();
  EXPECT_EQ(names_of(graph, NodeKind::cpu), "h/cpu0 h/cpu1");
  EXPECT_EQ(names_of(graph, NodeKind::pcie), "h/pci/0000:01:00.0 h/pci/0000:0b:00.0");
  EXPECT_EQ(names_of(graph, NodeKind::gpu), "h/gpu0 h/gpu1");
  EXPECT_EQ(names_of(graph, NodeKind::nic), "h/nic/mlx5_0 h/nic/mlx5_0:2 h/nic/eth0");
  EXPECT_EQ(names_of(graph, NodeKind::nvswitch), "h/nvswitch");
  const Node& gpu = graph.node(*graph.find("h/gpu0"));
  EXPECT_EQ(gpu.rank, 4);
  EXPECT_EQ(gpu.host, "h");
  EXPECT_EQ(gpu.attribute("pci"), "0000:0a:00.0");
  EXPECT_EQ(gpu.attribute("sm"), "90");
  EXPECT_EQ(graph.node(*graph.find("h/nic/mlx5_0")).rail, 3);
  EXPECT_EQ(graph.node(*graph.find("h/nic/mlx5_0:2")).attribute("guid"), "0xa");
  EXPECT_EQ(graph.node(*graph.find("h/cpu1")).attribute("numa"), "1");

  const Link nvlink = link_of(graph, "h/gpu0", "h/nvswitch", LinkKind::nvlink);
  EXPECT_EQ(nvlink.count, 18u) << "of both chips";
  EXPECT_EQ(nvlink.bandwidth, 25'000'000'000u);
  EXPECT_EQ(link_of(graph, "h/nvswitch", "h/gpu1", LinkKind::nvlink).count, 18u);
  const auto pcie = [&](const char* from, const char* to) {
    return link_of(graph, from, to, LinkKind::pcie).bandwidth;
  };
  EXPECT_EQ(pcie("h/gpu0", "h/pci/0000:01:00.0"), 63'015'384'615u);
  EXPECT_EQ(pcie("h/pci/0000:01:00.0", "h/pci/0000:0b:00.0"), 15'753'846'153u);
  EXPECT_EQ(pcie("h/pci/0000:0b:00.0", "h/nic/mlx5_0"), 0u) << "ports share the card's link";
  EXPECT_EQ(pcie("h/cpu1", "h/gpu1"), 0u) << "not known";
  const Link c2c = link_of(graph, "h/gpu1", "h/cpu1", LinkKind::c2c);
  EXPECT_EQ(c2c.bandwidth, 25'000'000'000u);
  EXPECT_EQ(c2c.count, 2u);
  const Link smp = link_of(graph, "h/cpu0", "h/cpu1", LinkKind::smp);
  EXPECT_EQ(smp.bandwidth, 22'000'000'000u);
  EXPECT_EQ(smp.provenance, Provenance::assumed);
}

// The fastest device tells that the bridge above it lies.
TEST(NcclXml, VirtualBridgesAreNotBelieved) {
  const auto bridge = [](const std::string& below) {
    const std::string text =
        "<system version='1'><cpu numaid='0'>"
        "<pci busid='0000:01:00.0' class='0x060400' link_speed='2.5 GT/s' link_width='1'>" +
        below + "</pci></cpu></system>";
    const Graph graph = read_nccl_xml(text, {}).value();
    const std::string again = write_nccl_xml(graph).value();
    EXPECT_NE(again.find("link_speed=\"2.5 GT/s\" link_width=\"1\""), std::string::npos);
    return link_of(graph, "host/cpu0", "host/pci/0000:01:00.0", LinkKind::pcie).bandwidth;
  };
  const auto device = [](const std::string& width) {
    return "<pci busid='0000:02:00.0' class='0x030200' link_speed='2.5 GT/s' link_width='" + width +
           "'/>";
  };
  EXPECT_EQ(bridge(device("1")), 250'000'000u);
  EXPECT_EQ(bridge(device("2")), 0u);
  EXPECT_EQ(bridge("<pci busid='0000:03:00.0' class='0x060400'>" + device("2") + "</pci>"), 0u);
}

TEST(NcclXml, MeshesOfGpus) {
  const std::string text = R"(<system version="2">
  <cpu numaid="0"><pci busid="0000:01:00.0" class="0x038000">
    <gpu dev="0" gcn="gfx942"><xgmi target="0000:02:00.0" count="1" tclass="0x038000"/>
      <xgmi target="0000:99:00.0" count="1" tclass="0x038000"/></gpu></pci>
    <pci busid="0000:02:00.0" class="0x038000">
    <gpu dev="1" gcn="gfx942"><xgmi target="0000:01:00.0" count="1" tclass="0x038000"/></gpu></pci>
  </cpu></system>)";
  const Graph graph = read_nccl_xml(text, {}).value();
  const Link link = link_of(graph, "host/gpu0", "host/gpu1", LinkKind::xgmi);
  EXPECT_EQ(link.bandwidth, 64'000'000'000u);
  EXPECT_EQ(link.count, 1u);
  EXPECT_EQ(link_of(graph, "host/gpu1", "host/gpu0", LinkKind::xgmi).count, 1u);
  EXPECT_EQ(graph.find("host/nvswitch"), std::nullopt);
}

TEST(NcclXml, SeveralHostsInOneFile) {
  const auto cpu = [](const std::string& hash) {
    return "<cpu host_hash='" + hash +
           "' numaid='0'><pci busid='0000:01:00.0' class='0x030200'><gpu dev='0' sm='100'>"
           "<nvlink target='ff:ff' count='18' tclass='0x068000'/></gpu></pci></cpu>";
  };
  const std::string text = "<system version='1'>" + cpu("0x1") + cpu("0x2") + "</system>";
  const Graph graph = read_nccl_xml(text, {.host = "tray"}).value();
  EXPECT_EQ(names_of(graph, NodeKind::gpu), "tray0/gpu0 tray1/gpu0");
  EXPECT_EQ(names_of(graph, NodeKind::nvswitch), "tray/nvswitch");
  EXPECT_EQ(graph.node(*graph.find("tray/nvswitch")).host, "");
  EXPECT_EQ(link_of(graph, "tray1/gpu0", "tray/nvswitch", LinkKind::nvlink).bandwidth,
            50'000'000'000u);
  const Graph again = read_nccl_xml(write_nccl_xml(graph).value(), {.host = "tray"}).value();
  EXPECT_EQ(names_of(again, NodeKind::gpu), "tray0/gpu0 tray1/gpu0");
}

TEST(NcclXml, BadFilesAreAnsweredWithTheLine) {
  EXPECT_EQ(error_of("<graphs version='1'/>"),
            "line 1, <graphs>: expected <system>, found another element");
  EXPECT_EQ(error_of("<system/>"),
            "line 1, <system>: expected a number from 1 to 2 in 'version', found none");
  EXPECT_EQ(error_of("<system version='1'/>"), "line 1, <system>: expected a <cpu>, found none");
  EXPECT_EQ(error_with("version=\"1\"", "version=\"3\""),
            "line 1, <system>: expected a number from 1 to 2 in 'version', found '3'");
  EXPECT_EQ(error_with("numaid=\"1\"", "numaid=\"0\""),
            "line 19, <cpu>: expected each 'numaid' once, found 0 as in line 2");
  EXPECT_EQ(error_with("numaid=\"1\"", ""),
            "line 19, <cpu>: expected a number from -1 to 2147483647 in 'numaid', found none");
  EXPECT_EQ(
      error_with("0000:0A:00.0", "somewhere"),
      "line 4, <pci>: expected a bus id such as '0000:0f:00.0' in 'busid', found 'somewhere'");
  EXPECT_EQ(error_with("busid=\"0000:0A:00.0\"", ""),
            "line 4, <pci>: expected 'busid', found none");
  EXPECT_EQ(error_with("0000:8a:00.0", "0000:0a:00.0"),
            "line 20, <pci>: expected each GPU once, found a second at 0000:0a:00.0");
  EXPECT_EQ(error_with("link_width=\"8\"", "link_width=\"-8\""),
            "line 10, <pci>: expected a number from 0 to 255 in 'link_width', found '-8'");
  EXPECT_EQ(error_with("16.0 GT/s PCIe", "fast"),
            "line 10, <pci>: expected a speed such as '16 GT/s' in 'link_speed', found 'fast'");
  EXPECT_EQ(error_with("dev=\"1\" sm", "dev=\"x\" sm"),
            "line 21, <gpu>: expected a number from 0 to 2147483647 in 'dev', found 'x'");
  EXPECT_EQ(error_with("rank=\"5\"", "rank=\"99999999999\""),
            "line 21, <gpu>: expected a number from -1 to 2147483647 in 'rank', found "
            "'99999999999'");
  EXPECT_EQ(error_with("count=\"8\"", "count=\"-8\""),
            "line 7, <nvlink>: expected a number from 0 to 100000 in 'count', found '-8'");
  EXPECT_EQ(error_with("count=\"8\"", ""),
            "line 7, <nvlink>: expected a number from 0 to 100000 in 'count', found none");
  EXPECT_EQ(error_with("c2:00.0\" count=\"8\" tclass=\"0x068000\"",
                       "c2:00.0\" count=\"8\" tclass=\"0x020000\""),
            "line 7, <nvlink>: expected the class of a GPU, an NVSwitch or a CPU in 'tclass', "
            "found '0x020000'");
  EXPECT_EQ(error_with("target=\"0000:c2:00.0\" count=\"8\" tclass=\"0x068000\"",
                       "target=\"0000:0a:00.0\" count=\"8\" tclass=\"0x030000\""),
            "line 7, <nvlink>: expected another GPU in 'target', found its own");
  EXPECT_EQ(error_with("bw=\"25000\"", "bw=\"fast\""),
            "line 23, <c2c>: expected a number from 0 to 100000000 in 'bw', found 'fast'");
  EXPECT_EQ(error_with("speed=\"-1\"", "speed=\"?\""),
            "line 17, <net>: expected a number from -2147483648 to 2147483647 in 'speed', found "
            "'?'");
}

// A small file must not become a large graph.
TEST(NcclXml, CpusAreBounded) {
  std::string one_host = "<system version='1'>";
  for (int i = 0; i < 700; ++i) one_host += "<cpu numaid='" + std::to_string(i) + "'/>";
  EXPECT_EQ(error_of(one_host + "</system>"), "line 1, <cpu>: expected at most 640 of a host");
  std::string many = "<system version='1'>";
  for (int host = 0; host < 40; ++host) {
    for (int i = 0; i < 640; ++i) {
      many += "<cpu host_hash='" + std::to_string(host) + "' numaid='" + std::to_string(i) + "'/>";
    }
  }
  EXPECT_EQ(error_of(many + "</system>"), "line 1, <system>: expected at most 8000000 links");
}

// One element: its name and attributes, sorted, and its children, sorted.
std::string canonical(pugi::xml_node element) {
  std::vector<std::string> attributes;
  for (const pugi::xml_attribute each : element.attributes()) {
    attributes.push_back(std::string(" ") + each.name() + "=" + each.value());
  }
  std::vector<std::string> children;
  for (const pugi::xml_node child : element.children()) {
    if (child.type() == pugi::node_element) children.push_back(canonical(child));
  }
  std::sort(attributes.begin(), attributes.end());
  std::sort(children.begin(), children.end());
  std::string text = std::string("<") + element.name();
  for (const std::string& each : attributes) text += each;
  text += ">\n";
  for (const std::string& each : children) text += each;
  return text + "</>\n";
}

std::string canonical(const std::string& text) {
  pugi::xml_document document;
  EXPECT_TRUE(document.load_buffer(text.data(), text.size()));
  return canonical(document.document_element());
}

TEST(NcclXml, KeepsWhatNcclReads) {
  const Graph graph = read_nccl_xml(kSmall, {}).value();
  std::string expected = kSmall;
  expected.replace(expected.find("0A:00"), 5, "0a:00");
  // What NCCL cannot do without is added.
  EXPECT_EQ(canonical(write_nccl_xml(graph).value()), canonical(expected));
  const Graph through = read_unirack_json(write_unirack_json(graph).value(), {}).value();
  EXPECT_EQ(canonical(write_nccl_xml(through).value()), canonical(expected));
}

struct RealFile {
  const char* path;
  size_t cpus, gpus, nics;
  uint64_t nvlinks;  // of all GPUs together, xGMI too
};

constexpr RealFile kRealFiles[] = {
    {"nccl-xml/aws-p4d-24xl-topo.xml", 2, 8, 4, 0},
    {"nccl-xml/aws-p4de-24xl-topo.xml", 2, 8, 4, 0},
    {"nccl-xml/azure-ndv2-topo.xml", 2, 8, 1, 0},
    {"nccl-xml/azure-ndv4-topo.xml", 4, 8, 8, 0},
    {"nccl-xml/azure-ndv5-topo.xml", 2, 8, 8, 0},
    {"nccl-xml/oci-H100-topology.xml", 2, 8, 16, 144},
    {"nccl-xml/oci-topo-flattened.xml", 4, 8, 8, 0},
    {"rccl-xml/topo_16p1h.xml", 4, 16, 8, 112},
    {"rccl-xml/topo_16p1h_vm.xml", 4, 16, 8, 112},
    {"rccl-xml/topo_3p_pcie_1.xml", 2, 3, 1, 0},
    {"rccl-xml/topo_4p1h.xml", 1, 4, 1, 8},
    {"rccl-xml/topo_4p2h.xml", 1, 8, 1, 16},
    {"rccl-xml/topo_4p2h_1.xml", 1, 8, 1, 16},
    {"rccl-xml/topo_4p3l.xml", 1, 4, 2, 12},
    {"rccl-xml/topo_4p3l_2h.xml", 4, 8, 1, 24},
    {"rccl-xml/topo_4p3l_n2.xml", 4, 8, 1, 24},
    {"rccl-xml/topo_4p3l_n2_1.xml", 4, 8, 1, 24},
    {"rccl-xml/topo_4p4h.xml", 1, 16, 16, 48},
    {"rccl-xml/topo_4p_940.xml", 4, 4, 4, 12},
    {"rccl-xml/topo_8p1h_1.xml", 2, 8, 4, 52},
    {"rccl-xml/topo_8p1h_2.xml", 4, 8, 2, 52},
    {"rccl-xml/topo_8p1h_4.xml", 2, 8, 8, 52},
    {"rccl-xml/topo_8p1h_5.xml", 2, 8, 8, 52},
    {"rccl-xml/topo_8p6l.xml", 2, 8, 1, 48},
    {"rccl-xml/topo_8p6l_1nic.xml", 2, 8, 1, 48},
    {"rccl-xml/topo_8p6l_3nic.xml", 2, 8, 3, 48},
    {"rccl-xml/topo_8p6l_4nic.xml", 2, 8, 4, 48},
    {"rccl-xml/topo_8p6l_6nic.xml", 2, 8, 6, 48},
    {"rccl-xml/topo_8p_4nics.xml", 4, 8, 4, 24},
    {"rccl-xml/topo_8p_90a_1.xml", 3, 8, 1, 24},
    {"rccl-xml/topo_8p_940.xml", 2, 8, 8, 56},
    {"rccl-xml/topo_8p_pcie.xml", 1, 8, 1, 0},
    {"rccl-xml/topo_8p_pcie_1.xml", 1, 8, 1, 0},
    {"rccl-xml/topo_8p_rome.xml", 2, 8, 1, 16},
    {"rccl-xml/topo_8p_rome_4n_1.xml", 4, 8, 4, 24},
    {"rccl-xml/topo_8p_rome_4nics.xml", 4, 8, 4, 24},
    {"rccl-xml/topo_8p_rome_n2.xml", 4, 8, 1, 16},
    {"rccl-xml/topo_8p_rome_n2_2.xml", 4, 8, 2, 16},
    {"rccl-xml/topo_8p_rome_n4.xml", 7, 8, 1, 16},
    {"rccl-xml/topo_8p_rome_pcie.xml", 2, 8, 2, 0},
    {"rccl-xml/topo_8p_rome_vm1.xml", 4, 8, 1, 24},
    {"rccl-xml/topo_8p_ts1_1.xml", 4, 8, 2, 16},
    {"rccl-xml/topo_8p_ts1_n4.xml", 8, 8, 2, 16},
    {"rccl-xml/topo_8p_ts1_n4_2.xml", 8, 8, 3, 16},
    {"rccl-xml/topo_collnet_n1.xml", 4, 8, 1, 24},
};

TEST(NcclXml, RealFilesGoThereAndBack) {
  if (testing::list_test_data("topologies/nccl-xml", ".xml").empty()) {
    GTEST_SKIP() << testing::kNoTestData;
  }
  for (const RealFile& file : kRealFiles) {
    const std::string text =
        testing::read_test_data(std::string("topologies/") + file.path).value();
    ASSERT_EQ(recognise(text)->name, "nccl-xml") << file.path;
    const auto graph = read_nccl_xml(text, {});
    ASSERT_TRUE(graph) << file.path << ": " << graph.error().detail;
    const auto count = [&](NodeKind kind) {
      return static_cast<size_t>(
          std::count_if(graph->nodes().begin(), graph->nodes().end(),
                        [&](const Node& node) { return node.kind == kind; }));
    };
    EXPECT_EQ(count(NodeKind::cpu), file.cpus) << file.path;
    EXPECT_EQ(count(NodeKind::gpu), file.gpus) << file.path;
    EXPECT_EQ(count(NodeKind::nic), file.nics) << file.path;
    uint64_t nvlinks = 0;
    for (const Link& link : graph->links()) {
      if (link.kind != LinkKind::nvlink && link.kind != LinkKind::xgmi) continue;
      if (graph->node(link.from).kind != NodeKind::gpu) continue;
      nvlinks += link.count;
      EXPECT_GT(link.bandwidth, 0u) << file.path;
    }
    EXPECT_EQ(nvlinks, file.nvlinks) << file.path;
    const auto written = write_nccl_xml(*graph);
    ASSERT_TRUE(written) << file.path << ": " << written.error().detail;
    EXPECT_EQ(canonical(*written), canonical(text)) << file.path;
    const Graph through = read_unirack_json(write_unirack_json(*graph).value(), {}).value();
    EXPECT_EQ(through.hash(), graph->hash());
    EXPECT_EQ(canonical(write_nccl_xml(through).value()), canonical(text)) << file.path;
  }
}

TEST(NcclXml, WritesGraphsFromElsewhere) {
  const Graph graph = testing::build(testing::boxes({.boxes = 1, .gpus = 2}));
  const std::string text = write_nccl_xml(graph).value();
  SCOPED_TRACE(text);
  const Graph back = read_nccl_xml(text, {.host = "h0"}).value();
  EXPECT_EQ(names_of(back, NodeKind::gpu), "h0/gpu0 h0/gpu1");
  EXPECT_EQ(names_of(back, NodeKind::nic), "h0/nic/mlx5_0 h0/nic/mlx5_1");
  for (const Link& link : graph.links()) {
    const Node& from = graph.node(link.from);
    if (from.kind != NodeKind::gpu || link.kind != LinkKind::nvlink) continue;
    const Link again = link_of(back, from.name, "h0/nvswitch", LinkKind::nvlink);
    EXPECT_EQ(again.count, link.count);
    EXPECT_EQ(again.bandwidth, link.bandwidth);
  }
}

// What generators make has no bus ids: they are made up, and links lead to them.
TEST(NcclXml, WritesGeneratedMachines) {
  for (const char* spec : {"dgx-a100:boxes=1", "dgx-h100:boxes=2", "nvl72", "mi300x", "mi250"}) {
    const auto graph = generate(spec);
    ASSERT_TRUE(graph) << spec << ": " << graph.error().detail;
    const auto text = write_nccl_xml(*graph);
    ASSERT_TRUE(text) << spec << ": " << text.error().detail;
    const auto back = read_nccl_xml(*text, {});
    ASSERT_TRUE(back) << spec << ": " << back.error().detail << "\n" << *text;
    EXPECT_EQ(back->members().size(), graph->members().size()) << spec;
    const auto bandwidth = [](const Graph& of) {
      uint64_t sum = 0;
      for (const Link& link : of.links()) {
        const bool fabric = link.kind == LinkKind::nvlink || link.kind == LinkKind::xgmi;
        if (fabric) sum += link.total_bandwidth();
      }
      return sum;
    };
    EXPECT_EQ(bandwidth(*back), bandwidth(*graph)) << spec;
    EXPECT_EQ(canonical(write_nccl_xml(*back).value()), canonical(*text)) << spec;
  }
}

// Links between switches lead in circles; <gin> and <rma> say a port again.
TEST(NcclXml, PcilinksAndTwinsOfPorts) {
  const std::string text =
      R"(<system version="1"><cpu numaid="0" arch="x86_64" vendor="x" familyid="0" modelid="0">
    <pci busid="0000:01:00.0" class="0x060400" link_speed="" link_width="0">
      <pci busid="0000:02:00.0" class="0x060400" link_speed="" link_width="0">
        <pcilink target="0000:03:00.0"/><pcilink target="0000:99:00.0"/></pci></pci>
    <pci busid="0000:03:00.0" class="0x060400" link_speed="" link_width="0">
      <pci busid="0000:04:00.0" class="0x020700" link_speed="" link_width="0">
        <nic><net name="mlx5_0" dev="0"/><gin name="mlx5_0" dev="0" gdr="1"/>
          <rma name="mlx5_0" dev="0"/></nic></pci>
      <pcilink target="0000:02:00.0"/></pci>
    <nic><net name="a" dev="1"/><net name="b" dev="2"/></nic><nic><net name="c" dev="3"/></nic>
  </cpu></system>)";
  const Graph graph = read_nccl_xml(text, {}).value();
  EXPECT_EQ(link_of(graph, "host/pci/0000:03:00.0", "host/pci/0000:02:00.0", LinkKind::pcie).count,
            1u);
  EXPECT_EQ(canonical(write_nccl_xml(graph).value()), canonical(text));
  EXPECT_EQ(
      error_of("<system version='1'><cpu numaid='0'><nic><gin name='x'/></nic></cpu></system>"),
      "line 1, <gin>: expected the 'name' of a <net> beside it, found 'x'");
}

// Trees that no machine has: written back they would be other trees.
TEST(NcclXml, BusIdsThatCannotBeAreRefused) {
  const auto in_cpu = [](const std::string& pci) {
    return "<system version='1'><cpu numaid='0'>" + pci + "</cpu></system>";
  };
  EXPECT_EQ(error_of(in_cpu("<pci busid='0000:01:00.0'><pci busid='0000:01:00.0'><nic>"
                            "<net name='x'/></nic></pci></pci>")),
            "line 1, <pci>: expected another bus id than that of the bridge, found '0000:01:00.0'");
  EXPECT_EQ(error_of(in_cpu("<pci busid='0000:01:00.0'><gpu dev='0'/><gpu dev='1'/>"
                            "<pcilink target='0000:01:00.0'/></pci>")),
            "line 1, <pcilink>: expected a switch elsewhere in 'target', found 0000:01:00.0, its "
            "own or one that it is joined to");
  EXPECT_EQ(error_of(in_cpu("<pci busid='0000:01:00.0'><pci busid='0000:02:00.0'/>"
                            "<pcilink target='0000:02:00.0'/></pci>")),
            "line 1, <pcilink>: expected a switch elsewhere in 'target', found 0000:02:00.0, its "
            "own or one that it is joined to");
}

TEST(NcclXml, OfTwoAttributesTheFirstCounts) {
  const Graph graph = read_nccl_xml(
                          "<system version='1'><cpu numaid='0'><pci busid='0000:01:00.0' class='' "
                          "class='0x030200'/></cpu></system>",
                          {})
                          .value();
  EXPECT_EQ(graph.node(*graph.find("host/pci/0000:01:00.0")).kind, NodeKind::pcie);
  EXPECT_EQ(graph.node(*graph.find("host/pci/0000:01:00.0")).attribute("class"), "");
}

// 32 of its own; dev, port and gdr are added.
TEST(NcclXml, TooManyAttributesAreNotWritten) {
  std::string net = "<net name='x'";
  for (int i = 0; i < 31; ++i) net += " a" + std::to_string(i) + "='1'";
  const auto graph = read_nccl_xml(
      "<system version='1'><cpu numaid='0'><nic>" + net + "/></nic></cpu></system>", {});
  EXPECT_EQ(write_nccl_xml(graph.value()).error().detail,
            "an element needs 35 attributes: at most 32 can be read back");
}

TEST(NcclXml, WhatNcclWouldRefuseIsNotWritten) {
  EXPECT_EQ(write_nccl_xml(testing::build(GraphBuilder())).error().detail,
            "the graph has no GPU, NIC or CPU that is in a host: NCCL's file holds nothing else");
  GraphBuilder builder;
  for (int i = 0; i < 300; ++i) {
    testing::add(builder, NodeKind::nic, "h/nic/mlx5_" + std::to_string(i), "h");
  }
  EXPECT_EQ(write_nccl_xml(testing::build(std::move(builder))).error().detail,
            "host 'h' needs 902 XML elements: NCCL accepts at most 256 of one host");
}

}  // namespace
}  // namespace unirack
