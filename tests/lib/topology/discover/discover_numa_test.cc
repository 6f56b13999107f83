#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lib/topology/discover/discover_parts.h"
#include "tests/support/fake_tree.h"

namespace unirack {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using unirack::testing::FakeTree;

MachineFacts read(const FakeTree& tree) {
  Sysfs sysfs(tree.root());
  MachineFacts facts;
  read_numa(sysfs, facts);
  return facts;
}

TEST(DiscoverNuma, NodesWithCpus) {
  FakeTree tree;
  tree.add_node(10, "64-127", "20 10 40");
  tree.add_node(2, "0-63", "10 20 40");
  tree.add_node(11, "", "40 40 10");
  tree.write("/sys/devices/system/node/online", "0-2\n");
  tree.write("/sys/devices/system/cpu/cpu0/topology/physical_package_id", "0\n");
  tree.write("/sys/devices/system/cpu/cpu64/topology/physical_package_id", "1\n");
  tree.write("/proc/cpuinfo",
             "processor\t: 0\nvendor_id\t: GenuineIntel\ncpu family\t: 6\nmodel\t\t: 143\n"
             "model name\t: Intel(R) Xeon(R) Platinum 8480C\n\nprocessor\t: 1\nmodel\t: 1\n");
  const MachineFacts facts = read(tree);
  ASSERT_EQ(facts.numa.size(), 2u);
  EXPECT_EQ(facts.numa[0].index, 2);
  EXPECT_EQ(facts.numa[0].cpus, "0-63");
  EXPECT_EQ(facts.numa[0].cpu_count, 64u);
  EXPECT_EQ(facts.numa[0].memory_bytes, 1024u * 1024);
  EXPECT_EQ(facts.numa[0].package, 0);
  EXPECT_THAT(facts.numa[0].distances, ElementsAre(10, 20, 40));
  EXPECT_EQ(facts.numa[1].index, 10);
  EXPECT_EQ(facts.numa[1].package, 1);
  EXPECT_EQ(facts.cpu.architecture, "x86_64");
  EXPECT_EQ(facts.cpu.vendor, "GenuineIntel");
  EXPECT_EQ(facts.cpu.family, 6);
  EXPECT_EQ(facts.cpu.model, 143);
  EXPECT_EQ(facts.cpu.name, "Intel(R) Xeon(R) Platinum 8480C");
  EXPECT_THAT(facts.notes, ElementsAre(HasSubstr("1 NUMA nodes have no CPUs")));
}

TEST(DiscoverNuma, MachineWithoutNumaIsOneNode) {
  FakeTree tree;
  MachineFacts facts = read(tree);
  ASSERT_EQ(facts.numa.size(), 1u);
  EXPECT_EQ(facts.numa[0].index, 0);
  EXPECT_EQ(facts.numa[0].provenance, Provenance::assumed);

  tree.write("/sys/devices/system/cpu/online", "0-1\n");
  tree.write("/proc/meminfo", "MemTotal:        2048 kB\nMemFree: 1 kB\n");
  facts = read(tree);
  EXPECT_EQ(facts.numa[0].cpu_count, 2u);
  EXPECT_EQ(facts.numa[0].memory_bytes, 2048u * 1024);
  EXPECT_EQ(facts.numa[0].provenance, Provenance::sysfs);
  EXPECT_THAT(facts.notes, IsEmpty());
}

TEST(DiscoverNuma, OtherArchitectures) {
  FakeTree tree;
  tree.write("/proc/cpuinfo", "processor\t: 0\ncpu\t\t: POWER9, altivec supported\n\n");
  EXPECT_EQ(read(tree).cpu.architecture, "ppc64");
  EXPECT_EQ(read(tree).cpu.name, "POWER9, altivec supported");
  tree.write("/proc/cpuinfo", "processor\t: 0\nCPU implementer\t: 0x41\n");
  EXPECT_EQ(read(tree).cpu.architecture, "arm64");
}

}  // namespace
}  // namespace unirack
