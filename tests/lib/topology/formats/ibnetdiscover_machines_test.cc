#include "lib/topology/formats/ibnetdiscover_machines.h"

#include <gtest/gtest.h>

#include <numeric>

#include "tests/support/ib_fabric_text.h"

namespace unirack {
namespace {

using testing::IbFabricText;
using Names = std::vector<std::string>;

const Names kTray = {"mlx5_0", "mlx5_1", "mlx5_4", "mlx5_5"};

Names leaves_of_rack(int rack) {
  Names leaves;
  for (int rail = 0; rail < 4; ++rail) leaves.push_back(fmt::format("leaf-{}-{}", rail, rack));
  return leaves;
}

void add_rack(IbFabricText& fabric, int rack, int trays) {
  for (const auto& leaf : leaves_of_rack(rack)) fabric.add_switch(leaf);
  for (int tray = 1; tray <= trays; ++tray) {
    fabric.add_host(fmt::format("r{}-c{}", rack, tray), kTray, leaves_of_rack(rack));
  }
}

struct Found {
  IbFabric fabric;
  IbMachines machines;

  const IbHost& host(const std::string& name) const {
    for (const IbHost& each : machines.hosts) {
      if (each.name == name) return each;
    }
    ADD_FAILURE() << "no host " << name;
    static const IbHost kMissing;
    return kMissing;
  }
  // "mlx5_0=0 mlx5_1=1": devices and their rails.
  std::string rails(const std::string& name) const {
    std::string text;
    for (const uint32_t nic : host(name).nics) {
      text += fmt::format("{}{}={}", text.empty() ? "" : " ", machines.nics[nic].device,
                          machines.nics[nic].rail);
    }
    return text;
  }
  const IbSwitch& at(const std::string& name) const {
    for (size_t i = 0; i < fabric.nodes.size(); ++i) {
      if (fabric.nodes[i].description == name) return machines.switches[i];
    }
    ADD_FAILURE() << "no switch " << name;
    static const IbSwitch kMissing;
    return kMissing;
  }
};

// `text` must outlive what is returned.
Found find_in(const std::string& text) {
  Found found;
  auto fabric = parse_ibnetdiscover(text);
  EXPECT_TRUE(fabric);
  if (!fabric) return found;
  found.fabric = std::move(*fabric);
  found.machines = find_machines(found.fabric);
  return found;
}

TEST(IbnetdiscoverMachines, RacksAndRails) {
  IbFabricText text;
  add_rack(text, 1, 3);
  add_rack(text, 2, 11);
  const std::string all = text.text();
  const Found found = find_in(all);
  ASSERT_EQ(found.machines.racks.size(), 2u);
  EXPECT_EQ(found.machines.racks[0].name, "r1");
  EXPECT_EQ(found.machines.racks[1].name, "r2");
  EXPECT_TRUE(found.machines.racks[1].of_trays);
  EXPECT_EQ(found.machines.racks[1].hosts.size(), 11u);
  EXPECT_EQ(found.machines.hosts[found.machines.racks[1].hosts[10]].name, "r2-c11");
  EXPECT_EQ(found.host("r1-c2").gpu_count, 4u);
  EXPECT_EQ(found.rails("r1-c2"), "mlx5_0=0 mlx5_1=1 mlx5_4=2 mlx5_5=3");
  EXPECT_EQ(found.at("leaf-2-1").rail, 2);
  EXPECT_EQ(found.at("leaf-2-1").rack, 0);
  EXPECT_EQ(found.at("leaf-3-2").rack, 1);
}

// A tray whose leaf is missing has as many GPUs as its like, and keeps its rails.
TEST(IbnetdiscoverMachines, MissingLeaf) {
  IbFabricText text;
  add_rack(text, 1, 3);
  auto leaves = leaves_of_rack(2);
  for (const auto& leaf : leaves) {
    if (leaf != leaves[2]) text.add_switch(leaf);
  }
  leaves[2] = "";
  for (int i = 0; i < 2; ++i) text.add_host(fmt::format("r2-c{}", i), kTray, leaves);
  const std::string all = text.text();
  const Found found = find_in(all);
  EXPECT_EQ(found.rails("r2-c0"), "mlx5_0=0 mlx5_1=1 mlx5_5=3");
  EXPECT_EQ(found.host("r2-c0").gpu_count, 4u);
  EXPECT_TRUE(found.machines.racks[1].of_trays);
}

// Two cables that were mixed up, and one in the wrong rack, change neither racks nor rails.
TEST(IbnetdiscoverMachines, MisplacedCables) {
  IbFabricText text;
  add_rack(text, 1, 5);
  add_rack(text, 2, 5);
  text.add_host("r1-c6", kTray, {"leaf-1-1", "leaf-0-1", "leaf-2-1", "leaf-3-2"});
  const std::string all = text.text();
  const Found found = find_in(all);
  ASSERT_EQ(found.machines.racks.size(), 2u);
  EXPECT_EQ(found.host("r1-c6").rack, 0);
  EXPECT_EQ(found.rails("r1-c6"), "mlx5_0=0 mlx5_1=1 mlx5_4=2 mlx5_5=3");
  EXPECT_EQ(found.at("leaf-0-1").rail, 0);
  EXPECT_EQ(found.at("leaf-3-2").rack, 1);
}

// Management and storage beside the trays, and what nobody has named, get no GPUs.
TEST(IbnetdiscoverMachines, OtherHosts) {
  IbFabricText text;
  add_rack(text, 1, 4);
  text.add_host("manager", {"mlx5_0", "mlx5_1"}, {"leaf-0-1", "leaf-1-1"});
  text.add_host("store-1", {"mlx5_2"}, {"leaf-2-1"});
  text.add_host("localhost", {"HCA-1", "HCA-2"}, {"leaf-0-1", "leaf-1-1"});
  text.add_adapter("MT4129 ConnectX7   Mellanox Technologies");
  text.join("leaf-2-1", "MT4129 ConnectX7   Mellanox Technologies");
  text.add_adapter("Mellanox Technologies Aggregation Node");
  text.join("leaf-3-1", "Mellanox Technologies Aggregation Node");
  const std::string all = text.text();
  const Found found = find_in(all);
  EXPECT_EQ(found.machines.hosts.size(), 6u);
  EXPECT_EQ(found.host("manager").gpu_count, 0u);
  EXPECT_EQ(found.host("manager").rack, kNone);
  EXPECT_EQ(found.rails("manager"), "mlx5_0=-1 mlx5_1=-1");
  EXPECT_EQ(found.host("store-1").gpu_count, 0u);
  EXPECT_EQ(found.machines.nics.size(), 16u + 2 + 1 + 2 + 1);
  EXPECT_TRUE(found.at("leaf-3-1").aggregates);
  EXPECT_FALSE(found.at("leaf-2-1").aggregates);
  EXPECT_EQ(found.at("leaf-0-1").rail, 0) << "only hosts with GPUs count";
}

// Boxes of eight NICs in a rail-optimised group: one rack of leaves, no trays. Two-NIC servers
// beside them are not of their kind, whatever their devices are called.
TEST(IbnetdiscoverMachines, BoxesOfEight) {
  IbFabricText text;
  Names devices, leaves;
  for (int rail = 0; rail < 8; ++rail) {
    devices.push_back(fmt::format("mlx5_{}", rail + 4));
    leaves.push_back(fmt::format("leaf{}", rail));
    text.add_switch(leaves.back());
  }
  for (int i = 0; i < 20; ++i) text.add_host(fmt::format("dgx{:02}", i), devices, leaves);
  for (int i = 0; i < 30; ++i) {
    text.add_host(fmt::format("nfs{}", i), {"mlx5_0", "mlx5_1"}, {"leaf0", "leaf1"});
  }
  const std::string all = text.text();
  const Found found = find_in(all);
  ASSERT_EQ(found.machines.racks.size(), 1u);
  EXPECT_EQ(found.machines.racks[0].name, "rack0") << "their names have no part that is a rack's";
  EXPECT_EQ(found.machines.racks[0].hosts.size(), 20u);
  EXPECT_FALSE(found.machines.racks[0].of_trays);
  EXPECT_EQ(found.host("dgx07").gpu_count, 8u);
  EXPECT_EQ(found.rails("dgx07"),
            "mlx5_4=0 mlx5_5=1 mlx5_6=2 mlx5_7=3 mlx5_8=4 mlx5_9=5 mlx5_10=6 mlx5_11=7");
  EXPECT_EQ(found.host("nfs3").gpu_count, 0u);
}

// Two racks of trays on one set of leaves are told apart by name, where names can.
TEST(IbnetdiscoverMachines, RacksThatShareLeaves) {
  for (const bool by_name : {true, false}) {
    IbFabricText text;
    for (const auto& leaf : leaves_of_rack(1)) text.add_switch(leaf);
    for (int i = 0; i < 36; ++i) {
      const auto name = by_name ? fmt::format("r{}-c{}", i / 18, i % 18) : fmt::format("n{}", i);
      text.add_host(name, kTray, leaves_of_rack(1));
    }
    const std::string all = text.text();
    const Found found = find_in(all);
    ASSERT_EQ(found.machines.racks.size(), by_name ? 2u : 1u);
    EXPECT_EQ(found.machines.racks[0].of_trays, by_name);
    EXPECT_EQ(found.machines.racks[0].name, by_name ? "r0" : "rack0");
    EXPECT_EQ(found.at("leaf-0-1").rack, by_name ? kNone : 0);
    EXPECT_EQ(found.at("leaf-0-1").rail, 0);
  }
}

TEST(IbnetdiscoverMachines, DevicesWithoutNamesAndWithTwoPorts) {
  IbFabricText text;
  text.add_switch("leaf");
  text.add_adapter("node1 mlx4_0");
  text.join("leaf", "node1 mlx4_0");
  text.join("leaf", "node1 mlx4_0");
  text.add_adapter("node2");
  text.join("leaf", "node2");
  const std::string all = text.text();
  const Found found = find_in(all);
  EXPECT_EQ(found.rails("node1"), "mlx4_0=0 mlx4_0:2=1");
  EXPECT_EQ(found.host("node1").gpu_count, 2u);
  EXPECT_EQ(found.rails("node2"), "ca0=-1") << "not of the make of node1";
}

TEST(IbnetdiscoverMachines, TwoAdaptersOfOneName) {
  const std::string text =
      "Switch 8 \"S-1\"\t\t# \"leaf\"\n"
      "Ca 1 \"H-1\"\t\t# \"node1 mlx5_0\"\n[1] \"S-1\"[1]\n"
      "Ca 1 \"H-2\"\t\t# \"node1 mlx5_0\"\n[1] \"S-1\"[2]\n";
  const Found found = find_in(text);
  EXPECT_EQ(found.host("node1").nics.size(), 1u);
  ASSERT_EQ(found.machines.warnings.size(), 1u);
  EXPECT_EQ(found.machines.warnings[0].second,
            "line 4: another adapter is 'node1 mlx5_0' too, on line 2");
  EXPECT_EQ(found.machines.nics[found.machines.warnings[0].first].host, kNone);
}

}  // namespace
}  // namespace unirack
