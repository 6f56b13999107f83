#include "lib/topology/discover/machine_graph.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lib/topology/rates.h"

namespace unirack {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

constexpr PcieLink kGen5{{32, 16}, {32, 16}};

PciFacts pci(const std::string& bus_id, PciKind kind, std::vector<std::string> bridges,
             int32_t numa = 0, PcieLink link = kGen5) {
  PciFacts facts;
  facts.bus_id = bus_id;
  facts.kind = kind;
  facts.vendor = kind == PciKind::bridge ? 0x1000 : 0x10de;
  facts.numa = numa;
  facts.bridges = std::move(bridges);
  facts.link = link;
  return facts;
}

NicFacts nic(const std::string& name, const std::string& bus_id) {
  NicFacts facts;
  facts.name = name;
  facts.bus_id = bus_id;
  facts.infiniband = facts.rdma = facts.up = true;
  facts.bandwidth = 50'000'000'000;
  return facts;
}

// Two sockets; on the second a PCIe switch with a GPU and a NIC.
MachineFacts machine() {
  MachineFacts facts;
  facts.host = "h";
  facts.cpu = {"x86_64", "GenuineIntel", 6, 143, "Xeon"};
  for (int32_t i = 0; i < 2; ++i) {
    NumaFacts& numa = facts.numa.emplace_back();
    numa.index = i;
    numa.package = i;
    numa.cpus = "0-3";
    numa.cpu_map = "f";
  }
  const std::string root = "0000:80:01.0";
  const std::string up = "0000:81:00.0";
  facts.pci = {
      pci(root, PciKind::bridge, {}, 1),
      pci(up, PciKind::bridge, {root}, 1),
      pci("0000:82:00.0", PciKind::bridge, {root, up}, 1),
      pci("0000:82:01.0", PciKind::bridge, {root, up}, 1),
      pci("0000:83:00.0", PciKind::gpu, {root, up, "0000:82:00.0"}, 1),
      pci("0000:84:00.0", PciKind::nic, {root, up, "0000:82:01.0"}, 1, {{16, 16}, {32, 16}}),
  };
  facts.nics = {nic("mlx5_0", "0000:84:00.0")};
  return facts;
}

GpuFacts gpu(uint32_t index, const std::string& bus_id) {
  GpuFacts facts;
  facts.index = index;
  facts.bus_id = bus_id;
  facts.compute_capability = 90;
  return facts;
}

struct Built {
  Graph graph;
  std::vector<std::string> notes;

  const Link* link(std::string_view from, std::string_view to) const {
    const auto a = graph.find(from);
    const auto b = graph.find(to);
    EXPECT_TRUE(a && b) << from << " " << to;
    if (!a || !b) return nullptr;
    for (const LinkIndex each : graph.links_from(*a)) {
      if (graph.link(each).to == *b) return &graph.link(each);
    }
    return nullptr;
  }
};

Built build(const MachineFacts& facts) {
  Built built;
  auto graph = machine_graph(facts, built.notes);
  EXPECT_TRUE(graph) << graph.error().to_string();
  if (graph) built.graph = std::move(graph).value();
  return built;
}

std::vector<std::string> names(const Graph& graph) {
  std::vector<std::string> names;
  for (const Node& node : graph.nodes()) names.push_back(node.name);
  return names;
}

TEST(MachineGraph, SwitchesAreNodesAndRootPortsAreNot) {
  const Built built = build(machine());
  EXPECT_THAT(names(built.graph), UnorderedElementsAre("h/cpu0", "h/cpu1", "h/pci/0000:81:00.0",
                                                       "h/gpu0", "h/nic/mlx5_0"));
  const Link* up = built.link("h/pci/0000:81:00.0", "h/cpu1");
  ASSERT_NE(up, nullptr);
  EXPECT_EQ(up->bandwidth, pcie_bandwidth(32, 16));
  EXPECT_EQ(up->provenance, Provenance::sysfs);
  const Link* nic = built.link("h/nic/mlx5_0", "h/pci/0000:81:00.0");
  ASSERT_NE(nic, nullptr);
  EXPECT_EQ(nic->bandwidth, pcie_bandwidth(16, 16));
  EXPECT_EQ(nic->capable, pcie_bandwidth(32, 16)) << "trained below what it can";
  const Link* smp = built.link("h/cpu0", "h/cpu1");
  ASSERT_NE(smp, nullptr);
  EXPECT_EQ(smp->kind, LinkKind::smp);
  EXPECT_EQ(smp->bandwidth, smp_bandwidth("x86_64", "GenuineIntel", 6, 143));
  EXPECT_EQ(smp->provenance, Provenance::assumed);
  const Node& node = built.graph.node(*built.graph.find("h/nic/mlx5_0"));
  EXPECT_EQ(node.attribute("speed_mbps"), "400000");
  EXPECT_EQ(node.attribute("pcie"), "16 GT/s x16, possible 32 GT/s x16");
  EXPECT_EQ(node.host, "h");
  // As NCCL writes them.
  EXPECT_EQ(node.attribute("link_speed"), "16.0 GT/s PCIe");
  EXPECT_EQ(node.attribute("link_width"), "16");
  EXPECT_EQ(node.attribute("vendor"), "0x10de");
  const Node& cpu = built.graph.node(*built.graph.find("h/cpu1"));
  EXPECT_EQ(cpu.attribute("arch"), "x86_64");
  EXPECT_EQ(cpu.attribute("vendor"), "GenuineIntel");
  EXPECT_EQ(cpu.attribute("familyid"), "6");
  EXPECT_EQ(cpu.attribute("modelid"), "143");
  EXPECT_EQ(cpu.attribute("affinity"), "f");
}

// As bridges of QEMU do, whatever is plugged in below them.
TEST(MachineGraph, VirtualBridgesAreNoBottleneck) {
  for (const PcieLink virtual_link :
       {PcieLink{{2.5, 1}, {2.5, 1}}, PcieLink{{2.5, 1}, {16, 32}}, PcieLink{{8, 4}, {8, 4}}}) {
    MachineFacts facts = machine();
    for (PciFacts& device : facts.pci) {
      if (device.kind == PciKind::bridge) device.link = virtual_link;
    }
    const Built built = build(facts);
    const Link* up = built.link("h/pci/0000:81:00.0", "h/cpu1");
    ASSERT_NE(up, nullptr);
    EXPECT_EQ(up->bandwidth, 0u);
    EXPECT_EQ(up->capable, 0u);
    EXPECT_EQ(built.link("h/gpu0", "h/pci/0000:81:00.0")->bandwidth, pcie_bandwidth(32, 16));
    EXPECT_THAT(built.notes, ElementsAre(HasSubstr("1 PCIe bridges say they are slower")));
  }
}

TEST(MachineGraph, BridgeTrainedDownIsABottleneck) {
  MachineFacts facts = machine();
  facts.pci[1].link = {{32, 4}, {32, 16}};
  const Built built = build(facts);
  const Link* up = built.link("h/pci/0000:81:00.0", "h/cpu1");
  EXPECT_EQ(up->bandwidth, pcie_bandwidth(32, 4));
  EXPECT_EQ(up->capable, pcie_bandwidth(32, 16));
  EXPECT_THAT(built.notes, IsEmpty());
}

TEST(MachineGraph, UnknownNumaIsMarked) {
  MachineFacts facts = machine();
  facts.pci = {pci("0000:05:00.0", PciKind::nic, {}, -1, {})};
  facts.nics = {nic("eth0", "0000:05:00.0")};
  Built built = build(facts);
  EXPECT_EQ(built.link("h/nic/eth0", "h/cpu0")->provenance, Provenance::assumed);
  EXPECT_EQ(built.link("h/nic/eth0", "h/cpu0")->bandwidth, 0u);
  facts.numa.pop_back();
  built = build(facts);
  EXPECT_EQ(built.link("h/nic/eth0", "h/cpu0")->provenance, Provenance::sysfs) << "only one";
}

TEST(MachineGraph, OwnSwitchesAreOneNode) {
  MachineFacts facts = machine();
  facts.has_nvml = true;
  facts.pci.push_back(pci("0000:90:00.0", PciKind::nvswitch, {"0000:80:02.0"}, 1));
  facts.gpus = {gpu(0, "0000:83:00.0")};
  facts.gpus[0].nvlinks = {{nvml::RemoteDevice::nvswitch, "", true, 17},
                           {nvml::RemoteDevice::unknown, "", false, 1}};
  // A UUID that a machine with its own switches reports is no domain wider than it.
  facts.gpus[0].fabric = FabricFacts{"completed", "u.1", {}};
  const Built built = build(facts);
  const auto at = built.graph.find("h/nvswitch");
  ASSERT_TRUE(at);
  EXPECT_TRUE(built.graph.node(*at).reduces);
  const auto gpu0 = *built.graph.find("h/gpu0");
  EXPECT_EQ(built.graph.node(gpu0).domain, "");
  uint32_t up = 0;
  uint32_t down = 0;
  for (const LinkIndex each : built.graph.links_from(gpu0)) {
    const Link& link = built.graph.link(each);
    if (link.kind != LinkKind::nvlink) continue;
    EXPECT_EQ(link.to, *at);
    EXPECT_EQ(link.bandwidth, 25'000'000'000u);
    (link.health == Health::ok ? up : down) += link.count;
  }
  EXPECT_EQ(up, 17u);
  EXPECT_EQ(down, 1u);
}

TEST(MachineGraph, RackWideDomain) {
  MachineFacts facts = machine();
  facts.has_nvml = true;
  facts.gpus = {gpu(0, "0000:83:00.0")};
  GpuFacts& only = facts.gpus[0];
  only.compute_capability = 100;
  only.rack = "R7";
  only.place = {{"slot", "24"}, {"tray", "9"}};
  only.c2c = true;
  only.nvlinks = {{nvml::RemoteDevice::nvswitch, "", true, 18}};
  only.fabric = FabricFacts{"completed", "u.1", {"degraded bandwidth"}};
  const Built built = build(facts);
  const Node& node = built.graph.node(*built.graph.find("h/gpu0"));
  EXPECT_EQ(node.domain, "u.1");
  EXPECT_EQ(node.rack, "R7");
  EXPECT_EQ(node.attribute("tray"), "9");
  EXPECT_EQ(node.health, Health::degraded);
  EXPECT_EQ(node.attribute("fabric_faults"), "degraded bandwidth");
  const Node& nvswitch = built.graph.node(*built.graph.find("u.1/nvswitch"));
  EXPECT_EQ(nvswitch.host, "") << "it belongs to no one machine";
  EXPECT_EQ(nvswitch.domain, "u.1");
  EXPECT_EQ(built.link("h/gpu0", "u.1/nvswitch")->total_bandwidth(), 900'000'000'000u);
  EXPECT_EQ(built.link("h/gpu0", "h/cpu1")->kind, LinkKind::c2c);
}

TEST(MachineGraph, MeshOfGpus) {
  MachineFacts facts = machine();
  facts.has_nvml = true;
  facts.pci.push_back(pci("0000:93:00.0", PciKind::gpu, {"0000:80:02.0"}, 1));
  facts.gpus = {gpu(0, "0000:83:00.0"), gpu(1, "0000:93:00.0")};
  facts.gpus[0].compute_capability = facts.gpus[1].compute_capability = 70;
  facts.gpus[0].nvlinks = {{nvml::RemoteDevice::gpu, "0000:93:00.0", true, 2},
                           {nvml::RemoteDevice::ibm_npu, "0004:00:00.0", true, 3},
                           {nvml::RemoteDevice::gpu, "0000:a3:00.0", true, 1}};
  facts.gpus[1].nvlinks = {{nvml::RemoteDevice::gpu, "0000:83:00.0", true, 2}};
  const Built built = build(facts);
  const Link* across = built.link("h/gpu0", "h/gpu1");
  ASSERT_NE(across, nullptr);
  EXPECT_EQ(across->count, 2u) << "each end reports its direction once";
  EXPECT_EQ(across->total_bandwidth(), 50'000'000'000u);
  EXPECT_EQ(built.link("h/gpu1", "h/gpu0")->count, 2u);
  EXPECT_EQ(built.link("h/gpu0", "h/cpu1")->kind, LinkKind::nvlink);
  EXPECT_THAT(built.notes, ElementsAre(HasSubstr("1 NVLinks of gpu0 end at a device that is not")));
}

TEST(MachineGraph, PartitionedGpuHasNoFaultyLinks) {
  MachineFacts facts = machine();
  facts.has_nvml = true;
  facts.gpus = {gpu(0, "0000:83:00.0")};
  facts.gpus[0].mig = true;
  facts.gpus[0].mig_count = 7;
  facts.gpus[0].nvlinks = {{nvml::RemoteDevice::unknown, "", false, 18}};
  const Built built = build(facts);
  EXPECT_EQ(built.graph.node(*built.graph.find("h/gpu0")).attribute("mig"), "7");
  EXPECT_THAT(built.notes, IsEmpty());
}

TEST(MachineGraph, GpusThatTheDriverDoesNotOfferAreNotMembers) {
  MachineFacts facts = machine();
  facts.has_nvml = true;
  facts.pci.push_back(pci("0000:93:00.0", PciKind::gpu, {"0000:80:02.0"}, 1));
  facts.gpus = {gpu(0, "0000:93:00.0")};
  const Built built = build(facts);
  EXPECT_EQ(built.graph.members().size(), 1u);
  EXPECT_THAT(built.notes, ElementsAre(HasSubstr("1 GPUs on the bus are not offered")));
}

}  // namespace
}  // namespace unirack
