#include "lib/topology/check/machine_probe.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lib/base/bytes.h"
#include "lib/topology/discover/discover.h"
#include "lib/topology/discover/pci_config.h"
#include "tests/support/fake_tree.h"

namespace unirack {
namespace {

using unirack::testing::FakePci;
using unirack::testing::FakeTree;

MachineProbe read(const FakeTree& tree) {
  const auto found = discover({.root = tree.root(), .use_hwloc = false, .host = "h"});
  EXPECT_TRUE(found);
  return read_probe({.root = tree.root(), .rank_count = 3}, found->graph);
}

TEST(MachineProbe, KernelSettings) {
  FakeTree tree;
  tree.write("/proc/cmdline", "ro iommu=pt\n");
  tree.write("/proc/sys/kernel/yama/ptrace_scope", "1\n");
  tree.write("/proc/sys/kernel/numa_balancing", "1\n");
  tree.write("/sys/kernel/mm/transparent_hugepage/enabled", "always [madvise] never\n");
  tree.write("/sys/class/iommu/dmar0/x", "");
  tree.write("/sys/module/nvidia_peermem/version", "");
  const MachineProbe probe = read(tree);
  EXPECT_EQ(probe.kernel_command_line, "ro iommu=pt");
  EXPECT_EQ(probe.ptrace_scope, 1);
  EXPECT_EQ(probe.numa_balancing, 1);
  EXPECT_EQ(probe.transparent_huge_pages, "always [madvise] never");
  EXPECT_EQ(probe.iommu_count, 1u);
  EXPECT_TRUE(probe.peer_memory);
  EXPECT_EQ(probe.rank_count, 3u);
  // An archive says nothing of processes.
  EXPECT_FALSE(probe.knows_libraries);
  EXPECT_FALSE(probe.shm_bytes);
  EXPECT_EQ(probe.cpu_count, 0u);
}

TEST(MachineProbe, TightestControlGroupCounts) {
  FakeTree tree;
  tree.write("/proc/self/cgroup", "0::/pods/one\n");
  tree.write("/sys/fs/cgroup/pods/one/cpu.max", "max 100000\n");
  tree.write("/sys/fs/cgroup/pods/cpu.max", "150000 100000\n");
  MachineProbe probe = read(tree);
  EXPECT_EQ(probe.cpu_limit, 1.5);
  EXPECT_EQ(probe.cpu_limit_file, "/sys/fs/cgroup/pods/cpu.max");

  FakeTree old;
  old.write("/proc/self/cgroup", "4:cpu,cpuacct:/docker/x\n");
  old.write("/sys/fs/cgroup/cpu/cpu.cfs_quota_us", "-1\n");
  old.write("/sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n");
  EXPECT_EQ(read(old).cpu_limit, 0);
  old.write("/sys/fs/cgroup/cpu/cpu.cfs_quota_us", "200000\n");
  EXPECT_EQ(read(old).cpu_limit, 2);
}

TEST(MachineProbe, PortsAboveGpus) {
  FakeTree tree;
  const FakePci port{.path = {"0000:00:01.0"}, .class_code = 0x060400};
  tree.add_pci(port);
  tree.add_pci(
      {.path = {"0000:00:01.0", "0000:01:00.0"}, .class_code = 0x030200, .vendor = 0x10de});
  tree.add_pci({.path = {"0000:00:02.0"}, .class_code = 0x060400});  // with nothing below
  MachineProbe probe = read(tree);
  EXPECT_EQ(probe.nvidia_gpu_count, 1u);
  EXPECT_EQ(probe.ports_unreadable, 1u);

  std::vector<std::byte> config(kPciConfigBytesMax);
  store_little<uint32_t>(config.data() + 0x100, 0x0001000d);
  store_little<uint16_t>(config.data() + 0x106, 0x001c);
  tree.write("/sys/devices/pci0000:00/0000:00:01.0/config", text_of(config));
  probe = read(tree);
  ASSERT_EQ(probe.ports.size(), 1u);
  EXPECT_EQ(probe.ports[0].bus_id, "0000:00:01.0");
  EXPECT_EQ(probe.ports[0].acs_control, 0x001c);
  EXPECT_EQ(probe.ports_unreadable, 0u);
}

}  // namespace
}  // namespace unirack
