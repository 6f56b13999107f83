#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lib/topology/discover/discover_parts.h"
#include "tests/support/fake_tree.h"

namespace unirack {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Pair;
using unirack::testing::FakePci;
using unirack::testing::FakeTree;

MachineFacts read(const FakeTree& tree) {
  Sysfs sysfs(tree.root());
  MachineFacts facts;
  read_pci(sysfs, facts);
  read_nics(sysfs, facts);
  return facts;
}

FakePci nic_at(const std::string& bus_id) {
  return {.path = {"0000:00:01.0", bus_id}, .class_code = 0x020700, .vendor = 0x15b3};
}

TEST(DiscoverNic, InfinibandPort) {
  FakeTree tree;
  const FakePci card = nic_at("0000:18:00.0");
  tree.add_pci(card);
  tree.add_rdma(card, "mlx5_0", "a088:c203:0012:3456", "400 Gb/sec (4X NDR)");
  tree.add_interface(card, "ib0", -1);
  const MachineFacts facts = read(tree);
  ASSERT_EQ(facts.nics.size(), 1u);
  const NicFacts& nic = facts.nics[0];
  EXPECT_EQ(nic.name, "mlx5_0");
  EXPECT_EQ(nic.bus_id, "0000:18:00.0");
  EXPECT_TRUE(nic.infiniband);
  EXPECT_TRUE(nic.rdma);
  EXPECT_TRUE(nic.up);
  EXPECT_EQ(nic.state, "ACTIVE");
  EXPECT_EQ(nic.bandwidth, 50'000'000'000u);
  EXPECT_THAT(nic.attributes, Contains(Pair("guid", "0xa088c20300123456")));
  EXPECT_THAT(nic.attributes, Contains(Pair("model", "MT4129")));
  EXPECT_THAT(nic.attributes, Contains(Pair("interface", "ib0")));
  EXPECT_THAT(nic.attributes, Contains(Pair("lid", "0x12")));
  EXPECT_THAT(facts.notes, IsEmpty());
}

TEST(DiscoverNic, PortsOfOneCardShareItsGuid) {
  FakeTree tree;
  const FakePci card = nic_at("0000:18:00.0");
  tree.add_pci(card);
  tree.add_rdma(card, "mlx4_0", "a088:c203:0012:3456", "40 Gb/sec (4X QDR)");
  tree.add_rdma(card, "mlx4_0", "a088:c203:0012:3456", "10 Gb/sec", "1: DOWN", "Ethernet", 2);
  const MachineFacts facts = read(tree);
  ASSERT_EQ(facts.nics.size(), 2u);
  EXPECT_EQ(facts.nics[0].port, 1u);
  EXPECT_EQ(facts.nics[1].port, 2u);
  EXPECT_FALSE(facts.nics[1].infiniband);
  EXPECT_FALSE(facts.nics[1].up);
  EXPECT_EQ(facts.nics[1].state, "DOWN");
  EXPECT_EQ(facts.nics[1].bandwidth, 0u);
  for (const NicFacts& nic : facts.nics) {
    EXPECT_THAT(nic.attributes, Contains(Pair("card", "0xa088c20300123456")));
  }
}

TEST(DiscoverNic, EthernetByItsInterface) {
  FakeTree tree;
  const FakePci fast = nic_at("0000:18:00.0");
  const FakePci dark = nic_at("0000:19:00.0");
  const FakePci virtio = nic_at("0000:1a:00.0");
  for (const FakePci& each : {fast, dark, virtio}) tree.add_pci(each);
  tree.add_interface(fast, "eth0", 100'000);
  tree.add_interface(dark, "eth1", -1, "down");
  tree.add_interface(virtio, "eth2", -1, "unknown");
  tree.write("/sys/devices/virtual/net/lo/operstate", "unknown\n");
  tree.link("/sys/class/net/lo", "../../devices/virtual/net/lo");
  const MachineFacts facts = read(tree);
  ASSERT_EQ(facts.nics.size(), 3u) << "lo has no device";
  EXPECT_EQ(facts.nics[0].bandwidth, 12'500'000'000u);
  EXPECT_FALSE(facts.nics[0].rdma);
  EXPECT_FALSE(facts.nics[1].up);
  EXPECT_TRUE(facts.nics[2].up) << "virtual devices do not know";
  EXPECT_EQ(facts.nics[2].bandwidth, 0u) << "-1 is not known";
}

TEST(DiscoverNic, VirtualFunctionsBesideTheirNicAreLeftOut) {
  FakeTree tree;
  const FakePci card = nic_at("0000:18:00.0");
  tree.add_pci(card);
  tree.add_interface(card, "eth0", 100'000);
  for (int i = 1; i < 8; ++i) {
    const FakePci function = nic_at("0000:18:00." + std::to_string(i));
    tree.add_pci(function);
    tree.link("/sys/devices/pci0000:00/0000:00:01.0/" + function.path.back() + "/physfn",
              "../0000:18:00.0");
    if (i < 4) tree.add_interface(function, "eth0v" + std::to_string(i), 100'000);
  }
  const MachineFacts facts = read(tree);
  ASSERT_EQ(facts.nics.size(), 1u);
  EXPECT_EQ(facts.nics[0].name, "eth0");
  EXPECT_THAT(facts.notes, ElementsAre(HasSubstr("3 virtual functions are left out")));
}

// In a virtual machine or a container the function is all there is.
TEST(DiscoverNic, VirtualFunctionAloneIsANic) {
  FakeTree tree;
  const FakePci function = nic_at("0000:18:00.1");
  tree.add_pci(function);
  tree.link("/sys/devices/pci0000:00/0000:00:01.0/0000:18:00.1/physfn", "../0000:18:00.0");
  tree.add_interface(function, "eth0", 100'000);
  EXPECT_EQ(read(tree).nics.size(), 1u);
}

TEST(DiscoverNic, WhatIsNotUsableIsANote) {
  FakeTree tree;
  tree.add_pci(nic_at("0000:18:00.0"));
  tree.write("/sys/devices/virtual/infiniband/rxe0/parent", "eth0\n");
  tree.link("/sys/class/infiniband/rxe0", "../../devices/virtual/infiniband/rxe0");
  const MachineFacts facts = read(tree);
  EXPECT_THAT(facts.nics, IsEmpty());
  EXPECT_THAT(facts.notes, ElementsAre(HasSubstr("rxe0 is RDMA in software, over eth0"),
                                       HasSubstr("1 NICs on the bus have neither")));
}

}  // namespace
}  // namespace unirack
