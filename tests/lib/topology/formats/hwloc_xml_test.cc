#include "lib/topology/formats/hwloc_xml.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "tests/support/test_data.h"

namespace unirack {
namespace {

constexpr const char* kVersion1 = R"(<topology>
  <object type="Machine" os_index="0" cpuset="0x3">
    <object type="NUMANode" os_index="0" cpuset="0x1">
      <object type="Bridge" bridge_type="0-1" bridge_pci="0000:[00-02]">
        <object type="PCIDev" pci_busid="0000:01:00.0" pci_type="0302 [10de:06d2] [10de:0774] a3" pci_link_speed="8.000000">
          <object type="OSDev" name="cuda0" osdev_type="5"/>
        </object>
        <object type="PCIDev" pci_busid="0000:02:00.0" pci_type="0300 [102b:0532] [0000:0000] 00" pci_link_speed="0.000000">
          <object type="OSDev" name="card0" osdev_type="1"/>
        </object>
      </object>
    </object>
    <object type="NUMANode" os_index="1" cpuset="0x2"/>
    <object type="NUMANode" os_index="255" cpuset="0x0"/>
  </object>
</topology>
)";

constexpr const char* kVersion2 = R"(<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE topology SYSTEM "hwloc2.dtd">
<topology version="2.0">
  <object type="Machine" os_index="0" gp_index="1">
    <info name="HostName" value="box"/>
    <info name="Architecture" value="x86_64"/>
    <object type="Package" os_index="0" gp_index="2">
      <info name="CPUVendor" value="GenuineIntel"/>
      <info name="CPUFamilyNumber" value="6"/>
      <info name="CPUModelNumber" value="143"/>
      <object type="NUMANode" os_index="0" cpuset="0x1" gp_index="3" local_memory="1024"/>
      <object type="Bridge" gp_index="4" bridge_type="0-1" bridge_pci="0000:[00-05]">
        <object type="Bridge" gp_index="5" bridge_type="1-1" pci_busid="0000:01:00.0" pci_type="0604 [1000:c030] [0000:0000] a1" pci_link_speed="0.250000">
          <object type="PCIDev" gp_index="6" pci_busid="0000:02:00.0" pci_type="0302 [10de:2330] [10de:1626] a1" pci_link_speed="63.015385">
            <object type="OSDev" gp_index="7" name="nvml1" osdev_type="1"><info name="GPUModel" value="NVIDIA H100 80GB HBM3"/></object>
            <object type="OSDev" gp_index="8" name="cuda0" osdev_type="5"/>
          </object>
          <object type="PCIDev" gp_index="9" pci_busid="0000:03:00.0" pci_type="0207 [15b3:1021] [15b3:0038] 00" pci_link_speed="63.015385">
            <object type="OSDev" gp_index="10" name="ib0" osdev_type="2"/>
            <object type="OSDev" gp_index="11" name="mlx5_0" osdev_type="3">
              <info name="NodeGUID" value="9c63:c003:00f0:0001"/>
              <info name="Port1State" value="4"/>
              <info name="Port2State" value="1"/>
            </object>
          </object>
        </object>
      </object>
      <object type="Bridge" gp_index="12" bridge_type="0-1" bridge_pci="0000:[10-11]">
        <object type="PCIDev" gp_index="13" pci_busid="0000:11:00.0" pci_type="0680 [10de:22a3] [10de:1796] a1" pci_link_speed="0.000000"/>
      </object>
    </object>
  </object>
  <distances2hetero nbobjs="2" kind="25" name="NVLinkBandwidth">
    <indexes length="18">OSDev:7 PCIDev:13 </indexes>
    <u64values length="16">1000000 450000 </u64values>
    <u64values length="16">450000 0 </u64values>
  </distances2hetero>
</topology>
)";

constexpr const char* kVersion3 = R"(<topology version="3.0"><object type="Machine" gp_index="1">
<object type="PCIDev" gp_index="2" pci_busid="0000:01:00.0" pci_type="1200 [1002:74a1] [1002:74a1] 00" pci_link_speed="63.015385"><object type="OSDev" gp_index="3" name="rsmi0" osdev_type="12"/></object>
<object type="PCIDev" gp_index="4" pci_busid="0000:02:00.0" pci_type="1200 [1002:74a1] [1002:74a1] 00" pci_link_speed="63.015385"><object type="OSDev" gp_index="5" name="rsmi1" osdev_type="12"/></object>
<object type="PCIDev" gp_index="6" pci_busid="0000:03:00.0" pci_type="0200 [15b3:1021] [15b3:0038] 00" pci_link_speed="31.5"><object type="OSDev" gp_index="7" name="eth0" osdev_type="16"/><object type="OSDev" gp_index="8" name="eth1" osdev_type="16"/></object>
</object>
<distances2 type="OSDev" nbobjs="2" kind="25" name="XGMIBandwidth" indexing="gp"><indexes>3 5</indexes><u64values>1000000 64000 64000 1000000</u64values></distances2>
</topology>
)";

std::string error_of(const std::string& text) {
  const auto graph = read_hwloc_xml(text, {});
  return graph ? "no error" : graph.error().detail;
}

// The file of version 2 with one place changed.
std::string error_with(const std::string& from, const std::string& to) {
  std::string text = kVersion2;
  const size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return error_of(text.replace(at, from.size(), to));
}

std::string names_of(const Graph& graph, NodeKind kind) {
  std::string names;
  for (const Node& node : graph.nodes()) {
    if (node.kind == kind) names += (names.empty() ? "" : " ") + node.name;
  }
  return names;
}

Link link_of(const Graph& graph, const std::string& from, const std::string& to, LinkKind kind) {
  for (const Link& link : graph.links()) {
    if (link.kind == kind && graph.node(link.from).name == from && graph.node(link.to).name == to) {
      return link;
    }
  }
  ADD_FAILURE() << "no link from " << from << " to " << to;
  return {};
}

TEST(HwlocXml, Version2) {
  const Graph graph = read_hwloc_xml(kVersion2, {}).value();
  EXPECT_EQ(names_of(graph, NodeKind::cpu), "box/cpu0") << "the file names the host";
  EXPECT_EQ(names_of(graph, NodeKind::gpu), "box/gpu1") << "by NVML's number";
  EXPECT_EQ(names_of(graph, NodeKind::nic), "box/nic/mlx5_0 box/nic/mlx5_0:2");
  EXPECT_EQ(names_of(graph, NodeKind::pcie), "box/pci/0000:01:00.0 box/pci/0000:03:00.0");
  EXPECT_EQ(names_of(graph, NodeKind::nvswitch), "box/nvswitch");
  const Node& gpu = graph.node(*graph.find("box/gpu1"));
  EXPECT_EQ(gpu.attribute("pci"), "0000:02:00.0");
  EXPECT_EQ(gpu.attribute("sm"), "90");
  EXPECT_EQ(gpu.provenance, Provenance::hwloc);
  EXPECT_EQ(graph.node(*graph.find("box/cpu0")).attribute("modelid"), "143");
  EXPECT_EQ(graph.node(*graph.find("box/nic/mlx5_0")).attribute("guid"), "9c63:c003:00f0:0001");
  EXPECT_EQ(graph.node(*graph.find("box/nic/mlx5_0")).health, Health::ok);
  EXPECT_EQ(graph.node(*graph.find("box/nic/mlx5_0:2")).health, Health::down);

  const Link nvlink = link_of(graph, "box/gpu1", "box/nvswitch", LinkKind::nvlink);
  EXPECT_EQ(nvlink.count, 18u);
  EXPECT_EQ(nvlink.bandwidth, 25'000'000'000u);
  const auto pcie = [&](const char* from, const char* to) {
    return link_of(graph, from, to, LinkKind::pcie).bandwidth;
  };
  EXPECT_EQ(pcie("box/gpu1", "box/pci/0000:01:00.0"), 63'015'384'615u) << "not hwloc's rounding";
  EXPECT_EQ(pcie("box/cpu0", "box/pci/0000:01:00.0"), 0u) << "a virtual bridge is not believed";
  EXPECT_EQ(pcie("box/pci/0000:01:00.0", "box/pci/0000:03:00.0"), 63'015'384'615u);
  EXPECT_EQ(pcie("box/pci/0000:03:00.0", "box/nic/mlx5_0:2"), 0u) << "ports share the card's";
}

TEST(HwlocXml, Version1) {
  const Graph graph = read_hwloc_xml(kVersion1, {.host = "old"}).value();
  EXPECT_EQ(names_of(graph, NodeKind::cpu), "old/cpu0 old/cpu1") << "without memory of devices";
  EXPECT_EQ(names_of(graph, NodeKind::gpu), "old/gpu0") << "a display is none";
  EXPECT_EQ(link_of(graph, "old/cpu0", "old/gpu0", LinkKind::pcie).bandwidth, 8'000'000'000u);
  EXPECT_EQ(link_of(graph, "old/cpu0", "old/cpu1", LinkKind::smp).provenance, Provenance::assumed);
}

TEST(HwlocXml, Version3) {
  const Graph graph = read_hwloc_xml(kVersion3, {}).value();
  EXPECT_EQ(names_of(graph, NodeKind::cpu), "host/cpu0") << "no NUMA node: one";
  EXPECT_EQ(names_of(graph, NodeKind::gpu), "host/gpu0 host/gpu1");
  EXPECT_EQ(names_of(graph, NodeKind::nic), "host/nic/eth0 host/nic/eth1");
  const Link xgmi = link_of(graph, "host/gpu0", "host/gpu1", LinkKind::xgmi);
  EXPECT_EQ(xgmi.bandwidth, 64'000'000'000u);
  EXPECT_EQ(xgmi.count, 1u);
}

TEST(HwlocXml, BadFilesAreAnsweredWithTheLine) {
  EXPECT_EQ(error_of("<topology/>"), "line 1, <topology>: expected an <object>, found none");
  EXPECT_EQ(error_of("<system/>"), "line 1, <system>: expected <topology>, found another element");
  EXPECT_EQ(error_with("version=\"2.0\"", "version=\"4.0\""),
            "line 3, <topology>: expected version 1 to 3 of hwloc's format, found '4.0'");
  EXPECT_EQ(error_with("type=\"PCIDev\"", ""), "line 14, <object>: expected 'type', found none");
  EXPECT_EQ(
      error_with("0000:02:00.0", "x"),
      "line 14, <object>: expected a bus id such as '0000:0f:00.0' in 'pci_busid', found 'x'");
  EXPECT_EQ(error_with("0302 [10de", "GPU [10de"),
            "line 14, <object>: expected a class such as '0302' in 'pci_type', found "
            "'GPU [10de:2330] [10de:1626] a1'");
  EXPECT_EQ(error_with("63.015385", "-1"),
            "line 14, <object>: expected GB/s in 'pci_link_speed', found '-1'");
  EXPECT_EQ(error_with("63.015385", "1e400"),
            "line 14, <object>: expected GB/s in 'pci_link_speed', found '1e400'");
  EXPECT_EQ(error_with("os_index=\"0\" cpuset", "os_index=\"-1\" cpuset"),
            "line 11, <object>: expected a number from 0 to 2147483647 in 'os_index', found '-1'");
  EXPECT_EQ(error_with("name=\"mlx5_0\"", ""), "line 20, <object>: expected 'name', found none");
  EXPECT_EQ(error_with("osdev_type=\"3\"", "osdev_type=\"x\""),
            "line 20, <object>: expected a number from 0 to 2147483647 in 'osdev_type', found 'x'");
  EXPECT_EQ(error_with("nbobjs=\"2\"", "nbobjs=\"3\""),
            "line 33, <distances2hetero>: expected 3 objects and 9 values, found 2 and 4");
  EXPECT_EQ(error_with("nbobjs=\"2\"", "nbobjs=\"99999999\""),
            "line 33, <distances2hetero>: expected a number from 1 to 2048 in 'nbobjs', found "
            "'99999999'");
  EXPECT_EQ(error_with("OSDev:7 ", "OSDev:99 "),
            "line 33, <distances2hetero>: expected an object in 'indexes', found 'OSDev:99'");
  EXPECT_EQ(error_with("1000000 450000", "1000000 fast"),
            "line 35, <u64values>: expected MB/s, found 'fast'");
}

struct RealFile {
  const char* name;
  size_t cpus, gpus, nics;
  uint64_t nvlinks;  // of all GPUs together, to switches, CPUs and each other
};

constexpr RealFile kRealFiles[] = {
    {"16intel64-manyVFs.xml", 2, 0, 6, 0},
    {"96em64t-4n4d3ca2co-pci.xml", 4, 0, 8, 0},
    {"nvidiaDGX2.xml", 2, 16, 0, 96},
    {"power8gpudistances.xml", 2, 4, 0, 16},
};

TEST(HwlocXml, RealFilesLoad) {
  if (testing::list_test_data("topologies/hwloc-xml", ".xml").empty()) {
    GTEST_SKIP() << testing::kNoTestData;
  }
  for (const RealFile& file : kRealFiles) {
    const auto text = testing::read_test_data(std::string("topologies/hwloc-xml/") + file.name);
    ASSERT_EQ(recognise(*text)->name, "hwloc-xml") << file.name;
    const auto graph = read_hwloc_xml(*text, {});
    ASSERT_TRUE(graph) << file.name << ": " << graph.error().detail;
    const auto count = [&](NodeKind kind) {
      return static_cast<size_t>(
          std::count_if(graph->nodes().begin(), graph->nodes().end(),
                        [&](const Node& node) { return node.kind == kind; }));
    };
    EXPECT_EQ(count(NodeKind::cpu), file.cpus) << file.name;
    EXPECT_EQ(count(NodeKind::gpu), file.gpus) << file.name;
    EXPECT_EQ(count(NodeKind::nic), file.nics) << file.name;
    uint64_t nvlinks = 0;
    for (const Link& link : graph->links()) {
      if (link.kind == LinkKind::nvlink && graph->node(link.from).kind == NodeKind::gpu) {
        nvlinks += link.count;
      }
    }
    EXPECT_EQ(nvlinks, file.nvlinks) << file.name;
  }
}

}  // namespace
}  // namespace unirack
