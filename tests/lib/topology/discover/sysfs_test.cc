#include "lib/topology/discover/sysfs.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/fake_tree.h"

namespace unirack {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using unirack::testing::FakeTree;

TEST(Sysfs, ReadsBelowItsRoot) {
  FakeTree tree;
  tree.write("/sys/a/text", "one two \n");
  tree.write("/sys/a/hex", "0x10de\n");
  tree.write("/sys/a/minus", "-1\n");
  tree.write("/sys/a/empty", "\n");
  tree.link("/sys/a/link", "../b/c");
  Sysfs sysfs(tree.root() + "//");
  EXPECT_EQ(sysfs.root(), tree.root());
  EXPECT_FALSE(sysfs.is_this_machine());
  EXPECT_EQ(sysfs.read("/sys/a/text"), "one two");
  EXPECT_EQ(sysfs.read("/sys/a/empty"), std::nullopt);
  EXPECT_EQ(sysfs.read("/sys/a/none"), std::nullopt);
  EXPECT_EQ(sysfs.read("/sys/a"), std::nullopt) << "a folder";
  EXPECT_EQ(sysfs.read_integer("/sys/a/hex"), 0x10de);
  EXPECT_EQ(sysfs.read_integer("/sys/a/minus"), -1);
  EXPECT_EQ(sysfs.read_integer("/sys/a/text"), std::nullopt);
  EXPECT_EQ(sysfs.read_link("/sys/a/link"), "../b/c");
  EXPECT_EQ(sysfs.read_link("/sys/a/text"), std::nullopt);
  EXPECT_THAT(sysfs.list("/sys/a"), ElementsAre("empty", "hex", "link", "minus", "text"));
  EXPECT_THAT(sysfs.list("/sys/none"), IsEmpty());
  EXPECT_THAT(sysfs.denied(), IsEmpty());
}

TEST(Sysfs, BoundsWhatItReads) {
  FakeTree tree;
  tree.write("/sys/large", std::string(200'000, 'x'));
  Sysfs sysfs(tree.root());
  EXPECT_EQ(sysfs.read("/sys/large")->size(), 64u * 1024);
  EXPECT_EQ(sysfs.read_bytes("/sys/large", 7).size(), 7u);
}

TEST(Sysfs, KnowsBusIds) {
  EXPECT_TRUE(is_pci_bus_id("0000:1b:00.0"));
  EXPECT_TRUE(is_pci_bus_id("10000:E1:1f.7"));
  for (const char* wrong : {"", "0000:1b:00", "1b:00.0", "0000:1b:00.0x", "pci0000:00",
                            "0000:1g:00.0", "000000000:1b:00.0", "0000:1b-00.0"}) {
    EXPECT_FALSE(is_pci_bus_id(wrong)) << wrong;
  }
  EXPECT_THAT(pci_bus_ids_in("../../../devices/pci0000:00/0000:00:01.0/0000:1b:00.0/net/eth0"),
              ElementsAre("0000:00:01.0", "0000:1b:00.0"));
  EXPECT_THAT(pci_bus_ids_in("../../devices/virtual/net/lo"), IsEmpty());
}

TEST(Sysfs, CountsCpuLists) {
  EXPECT_EQ(count_cpu_list("0-27,56-83"), 56u);
  EXPECT_EQ(count_cpu_list("0,4,8"), 3u);
  EXPECT_EQ(count_cpu_list("5"), 1u);
  EXPECT_EQ(count_cpu_list(""), 0u);
  EXPECT_EQ(count_cpu_list("none"), 0u);
  EXPECT_EQ(count_cpu_list("7-3"), 0u);
  EXPECT_EQ(count_cpu_list("0-99999999999"), 0u);
}

}  // namespace
}  // namespace unirack
