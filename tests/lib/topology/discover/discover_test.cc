#include "lib/topology/discover/discover.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "lib/base/clock.h"
#include "tests/support/fake_nvml_handle.h"
#include "tests/support/fake_tree.h"

namespace unirack {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using unirack::testing::FakeGpu;
using unirack::testing::FakeNvmlHandle;
using unirack::testing::FakePci;
using unirack::testing::FakeTree;

DiscoverOptions options(const FakeTree& tree) {
  DiscoverOptions options;
  options.root = tree.root();
  options.use_hwloc = false;
  options.host = "h";
  return options;
}

// Four pairs of GPU and NIC behind switches on two sockets, four NVSwitches: half a DGX H100.
void add_machine(FakeTree& tree) {
  tree.add_node(0, "0-55", "10 21");
  tree.add_node(1, "56-111", "21 10");
  for (int i = 0; i < 4; ++i) {
    const std::string bus = std::to_string(i + 1);
    const std::vector<std::string> upper = {"0000:0" + bus + ":01.0", "0000:1" + bus + ":00.0"};
    const auto below = [&](const std::string& device, uint32_t class_code, uint16_t vendor) {
      FakePci pci{.class_code = class_code, .vendor = vendor, .numa = i / 2};
      pci.path = upper;
      pci.path.push_back("0000:2" + bus + ":0" + device + ".0");
      tree.add_pci({.path = pci.path, .class_code = 0x060400, .numa = i / 2});
      pci.path.push_back("0000:" + device + bus + ":00.0");
      return pci;
    };
    tree.add_pci({.path = {upper[0]}, .class_code = 0x060400, .numa = i / 2});
    tree.add_pci({.path = upper, .class_code = 0x060400, .numa = i / 2});
    tree.add_pci(below("3", 0x030200, 0x10de));
    const FakePci card = below("4", 0x020700, 0x15b3);
    tree.add_pci(card);
    tree.add_rdma(card, "mlx5_" + std::to_string(i), "a088:c203:0012:000" + bus,
                  "400 Gb/sec (4X NDR)");
    tree.add_pci({.path = {"0000:05:0" + bus + ".0", "0000:0" + std::to_string(i + 6) + ":00.0"},
                  .class_code = 0x068000,
                  .vendor = 0x10de});
  }
}

void fill_gpus(FakeNvmlHandle& fake) {
  fake->gpu_count = 4;
  for (uint32_t i = 0; i < 4; ++i) {
    FakeGpu& gpu = fake->gpus[i];
    gpu.bus = 0x31 + i;
    gpu.name = "NVIDIA H100 80GB HBM3";
    for (uint32_t link = 0; link < 18; ++link) {
      gpu.links[link] = {true, true, nvml::RemoteDevice::nvswitch, 0x6 + link % 4};
    }
  }
}

uint32_t count(const Graph& graph, NodeKind kind) {
  return static_cast<uint32_t>(std::count_if(graph.nodes().begin(), graph.nodes().end(),
                                             [&](const Node& node) { return node.kind == kind; }));
}

TEST(Discover, MachineWithSwitches) {
  FakeTree tree;
  add_machine(tree);
  FakeNvmlHandle fake;
  fill_gpus(fake);
  DiscoverOptions asked = options(tree);
  asked.nvml_library = fake.path();
  const auto found = discover(asked);
  ASSERT_TRUE(found) << found.error().to_string();
  EXPECT_THAT(found->notes, IsEmpty());
  const Graph& graph = found->graph;
  EXPECT_EQ(count(graph, NodeKind::gpu), 4u);
  EXPECT_EQ(count(graph, NodeKind::nic), 4u);
  EXPECT_EQ(count(graph, NodeKind::pcie), 4u);
  EXPECT_EQ(count(graph, NodeKind::cpu), 2u);
  EXPECT_EQ(count(graph, NodeKind::nvswitch), 1u) << "four chips, one domain";
  // The switches' own links to the CPUs carry no payload: only their domain is a node.
  EXPECT_EQ(graph.nodes().size(), 15u);
  const NodeIndex gpu = *graph.find("h/gpu2");
  EXPECT_EQ(graph.node(gpu).provenance, Provenance::nvml);
  EXPECT_EQ(graph.node(gpu).attribute("pci"), "0000:33:00.0");
  EXPECT_EQ(graph.node(gpu).attribute("numa"), "1");
  EXPECT_EQ(graph.origin(), "discovery of h");
}

// The same machine when only the kernel is asked, or the driver is too old to name the switches.
TEST(Discover, WithLessToAsk) {
  FakeTree tree;
  add_machine(tree);
  const auto plain = discover(options(tree));
  ASSERT_TRUE(plain);
  EXPECT_EQ(count(plain->graph, NodeKind::gpu), 4u);
  EXPECT_EQ(count(plain->graph, NodeKind::nvswitch), 0u);
  EXPECT_EQ(plain->graph.node(*plain->graph.find("h/gpu2")).attribute("pci"), "0000:33:00.0")
      << "numbered as NVML would";

  FakeNvmlHandle old(true);
  fill_gpus(old);
  DiscoverOptions asked = options(tree);
  asked.nvml_library = old.path();
  const auto found = discover(asked);
  ASSERT_TRUE(found);
  EXPECT_EQ(count(found->graph, NodeKind::nvswitch), 1u) << "found by their PCI class";
  EXPECT_THAT(found->notes, IsEmpty());
}

TEST(Discover, TrayOfARack) {
  FakeTree tree;
  tree.add_node(0, "0-71", "10");
  FakeNvmlHandle fake;
  fill_gpus(fake);
  for (uint32_t i = 0; i < 4; ++i) {
    FakeGpu& gpu = fake->gpus[i];
    tree.add_pci({.path = {"0000:00:0" + std::to_string(i) + ".0",
                           "0000:3" + std::to_string(i + 1) + ":00.0"},
                  .class_code = 0x030200,
                  .vendor = 0x10de});
    gpu.major = 10;
    gpu.fabric_version = 3;
    gpu.fabric_state = 3;
    gpu.cluster_uuid[0] = 0xab;
    gpu.clique = 32766;
    gpu.health_mask = 0x1aa;
    gpu.chassis = "1820124680012";
    gpu.slot = 24;
  }
  fake->gpus[3].health_mask = 0x1a9;
  fake->gpus[2].links[4].up = false;
  DiscoverOptions asked = options(tree);
  asked.nvml_library = fake.path();
  const auto found = discover(asked);
  ASSERT_TRUE(found);
  const Graph& graph = found->graph;
  const std::string domain = "ab000000-0000-0000-0000-000000000000.32766";
  ASSERT_TRUE(graph.find(domain + "/nvswitch"));
  const Node& last = graph.node(*graph.find("h/gpu3"));
  EXPECT_EQ(last.domain, domain);
  EXPECT_EQ(last.rack, "1820124680012");
  EXPECT_EQ(last.health, Health::degraded);
  EXPECT_EQ(graph.node(*graph.find("h/gpu0")).health, Health::ok) << "0x1aa is four times no";
}

TEST(Discover, RootMustHoldAMachine) {
  const auto missing = discover({.root = "/nowhere"});
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.code(), Code::unavailable);
  EXPECT_THAT(missing.error().detail, HasSubstr("/nowhere holds no sys/"));
  FakeTree empty;
  const auto found = discover(options(empty));
  ASSERT_TRUE(found) << "a machine of which nothing is known";
  EXPECT_EQ(found->graph.nodes().size(), 1u);
  EXPECT_THAT(found->notes, Contains(HasSubstr("/sys/bus/pci/devices")));
}

TEST(Discover, ThisMachine) {
  const auto found = discover({});
  ASSERT_TRUE(found) << found.error().to_string();
  EXPECT_GE(count(found->graph, NodeKind::cpu), 1u);
}

TEST(DiscoverTimed, ThisMachineWithinATenthOfASecond) {
  for (const bool use_hwloc : {false, true}) {
    Duration best = std::chrono::seconds(100);
    for (int i = 0; i < 5; ++i) {
      const auto begin = now();
      ASSERT_TRUE(discover({.use_hwloc = use_hwloc}));
      best = std::min<Duration>(best, now() - begin);
    }
    RecordProperty(use_hwloc ? "with_hwloc_us" : "without_hwloc_us",
                   static_cast<int>(best / microseconds(1)));
    EXPECT_LT(best, milliseconds(100)) << (use_hwloc ? "with" : "without") << " hwloc";
  }
}

}  // namespace
}  // namespace unirack
