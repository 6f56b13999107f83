#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lib/topology/discover/discover_parts.h"
#include "tests/support/fake_tree.h"

namespace unirack {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using unirack::testing::FakePci;
using unirack::testing::FakeTree;

MachineFacts read(const FakeTree& tree) {
  Sysfs sysfs(tree.root());
  MachineFacts facts;
  read_numa(sysfs, facts);
  read_pci(sysfs, facts);
  return facts;
}

TEST(DiscoverPci, KindsByClassAndVendor) {
  struct Case {
    uint32_t class_code;
    uint16_t vendor;
    PciKind kind;
  };
  const Case cases[] = {
      {0x030200, 0x10de, PciKind::gpu},      {0x030000, 0x10de, PciKind::gpu},
      {0x030000, 0x1a03, PciKind::other},    {0x030000, 0x1002, PciKind::other},
      {0x038000, 0x1002, PciKind::gpu},      {0x120000, 0x1002, PciKind::gpu},
      {0x120000, 0x8086, PciKind::other},    {0x020000, 0x15b3, PciKind::nic},
      {0x020700, 0x15b3, PciKind::nic},      {0x0c0600, 0x1077, PciKind::nic},
      {0x068000, 0x10de, PciKind::nvswitch}, {0x068000, 0x8086, PciKind::other},
      {0x010802, 0x144d, PciKind::other},    {0x0c0330, 0x8086, PciKind::other},
  };
  for (const Case& each : cases) {
    FakeTree tree;
    tree.add_pci({.path = {"0000:01:00.0"}, .class_code = each.class_code, .vendor = each.vendor});
    const MachineFacts facts = read(tree);
    if (each.kind == PciKind::other) {
      EXPECT_THAT(facts.pci, IsEmpty()) << std::hex << each.class_code << " " << each.vendor;
    } else {
      ASSERT_EQ(facts.pci.size(), 1u) << std::hex << each.class_code;
      EXPECT_EQ(facts.pci[0].kind, each.kind) << std::hex << each.class_code;
    }
  }
}

TEST(DiscoverPci, HierarchyAndLinks) {
  FakeTree tree;
  const std::vector<std::string> path = {"0000:15:01.0", "0000:16:00.0", "0000:17:00.0",
                                         "0000:18:00.0"};
  for (size_t depth = 1; depth <= 3; ++depth) {
    tree.add_pci({.path = {path.begin(), path.begin() + static_cast<ptrdiff_t>(depth)},
                  .class_code = 0x060400,
                  .vendor = 0x1000});
  }
  tree.add_pci({.path = path,
                .class_code = 0x030200,
                .vendor = 0x10de,
                .device = 0x2330,
                .numa = 1,
                .speed = "16.0 GT/s PCIe",
                .width = "8"});
  tree.add_pci({.path = {"0000:15:02.0"}, .class_code = 0x060400});  // with nothing of ours below
  const MachineFacts facts = read(tree);
  ASSERT_EQ(facts.pci.size(), 4u);
  const PciFacts& gpu = facts.pci[3];
  EXPECT_EQ(gpu.bus_id, "0000:18:00.0");
  EXPECT_THAT(gpu.bridges, ElementsAre("0000:15:01.0", "0000:16:00.0", "0000:17:00.0"));
  EXPECT_EQ(gpu.device, 0x2330);
  EXPECT_EQ(gpu.numa, 1);
  EXPECT_EQ(gpu.link.trained, (PcieRate{16, 8}));
  EXPECT_EQ(gpu.link.possible, (PcieRate{32, 16}));
  EXPECT_THAT(facts.pci[1].bridges, ElementsAre("0000:15:01.0"));
  EXPECT_EQ(facts.pci[1].kind, PciKind::bridge);
}

TEST(DiscoverPci, WhatIsNotKnownStaysSo) {
  FakeTree tree;
  FakePci nic{.path = {"0000:01:00.0"}, .class_code = 0x020000, .vendor = 0x1af4, .numa = -1};
  for (const auto& [speed, width] :
       {std::pair("Unknown", "0"), std::pair("Unknown speed", "255"), std::pair("", "")}) {
    FakeTree each;
    nic.speed = nic.max_speed = speed;
    nic.width = nic.max_width = width;
    each.add_pci(nic);
    const MachineFacts facts = read(each);
    ASSERT_EQ(facts.pci.size(), 1u);
    EXPECT_FALSE(facts.pci[0].link.trained.known()) << speed;
    EXPECT_EQ(facts.pci[0].numa, -1);
  }
  EXPECT_THAT(read(tree).notes, ElementsAre(HasSubstr("/sys/bus/pci/devices does not exist")));
}

TEST(DiscoverPci, NumaNodeByLocalCpus) {
  FakeTree tree;
  tree.add_node(0, "0-3", "10 20");
  tree.add_node(1, "4-7", "20 10");
  tree.add_pci({.path = {"0000:01:00.0"}, .class_code = 0x020000, .numa = -1});
  tree.add_pci({.path = {"0000:02:00.0"}, .class_code = 0x020000, .numa = -1});
  tree.write("/sys/devices/pci0000:01/0000:01:00.0/local_cpulist", "4-7\n");
  tree.write("/sys/devices/pci0000:02/0000:02:00.0/local_cpulist", "0-7\n");
  const MachineFacts facts = read(tree);
  EXPECT_EQ(facts.pci[0].numa, 1);
  EXPECT_EQ(facts.pci[1].numa, -1);
}

TEST(DiscoverPci, VirtualFunctionsNameTheirNic) {
  FakeTree tree;
  tree.add_pci({.path = {"0000:01:00.0"}, .class_code = 0x020000});
  tree.add_pci({.path = {"0000:01:00.1"}, .class_code = 0x020000});
  tree.link("/sys/devices/pci0000:01/0000:01:00.1/physfn", "../0000:01:00.0");
  const MachineFacts facts = read(tree);
  EXPECT_EQ(facts.pci[0].physical_function, "");
  EXPECT_EQ(facts.pci[1].physical_function, "0000:01:00.0");
}

TEST(DiscoverPci, BothEndsLimitWhatIsPossible) {
  const PcieLink gen5{{16, 16}, {32, 16}};
  const PcieLink port{{16, 16}, {16, 16}};
  EXPECT_EQ(combine_ends(gen5, port).possible, (PcieRate{16, 16}));
  EXPECT_EQ(combine_ends(gen5, {}).possible, (PcieRate{32, 16}));
  EXPECT_EQ(combine_ends({}, port).trained, (PcieRate{16, 16}));
}

}  // namespace
}  // namespace unirack
