#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "lib/topology/check/machine_probe.h"
#include "lib/topology/discover/discover.h"
#include "lib/topology/discover/pci_config.h"

namespace unirack {
namespace {

using ::testing::HasSubstr;

// A machine with GPUs and NICs where all is well.
MachineProbe good() {
  MachineProbe probe;
  probe.nvidia_gpu_count = 8;
  probe.rdma_nic_count = 8;
  probe.numa_count = 2;
  probe.in_nvlink_fabric = true;
  probe.ports = {{"0000:01:00.0", 0}, {"0000:02:00.0", std::nullopt}};
  probe.iommu_count = 4;
  probe.kernel_command_line = "ro quiet iommu=pt";
  probe.shm_bytes = uint64_t{64} << 30;
  probe.memlock_bytes = kNoLimit;
  probe.open_files = 65536;
  probe.ptrace_scope = 0;
  probe.numa_balancing = 0;
  probe.transparent_huge_pages = "always [madvise] never";
  probe.cpu_count = 128;
  probe.rank_count = 8;
  probe.knows_libraries = true;
  for (const char* name : {"libcuda.so.1", "libnvidia-ml.so.1", "libibverbs.so.1", "libucp.so.0"}) {
    probe.libraries.push_back({name, true, ""});
  }
  probe.verbs_devices = 8;
  probe.imex_channels = 1;
  probe.peer_memory = true;
  return probe;
}

std::string severity_of(const MachineProbe& probe, std::string_view name) {
  for (const Finding& finding : check_machine(probe)) {
    if (finding.name == name) return std::string(to_text(finding.severity));
  }
  return "none";
}

Finding find(const MachineProbe& probe, std::string_view name) {
  for (const Finding& finding : check_machine(probe)) {
    if (finding.name == name) return finding;
  }
  return {};
}

void lose(MachineProbe& probe, std::string_view library) {
  for (ProbedLibrary& each : probe.libraries) {
    if (each.name != library) continue;
    each.loads = false;
    each.why_not = each.name + ": cannot open shared object file";
  }
}

TEST(CheckMachine, AllIsWell) {
  const auto findings = check_machine(good());
  EXPECT_EQ(findings.size(), 12u);
  for (const Finding& finding : findings) {
    EXPECT_EQ(finding.severity, Severity::ok) << finding.name << ": " << finding.evidence;
    EXPECT_EQ(finding.advice, "") << finding.name;
  }
}

TEST(CheckMachine, AccessControl) {
  MachineProbe probe = good();
  probe.ports[0].acs_control = 0x001d;
  const Finding finding = find(probe, "acs");
  EXPECT_EQ(finding.severity, Severity::error);
  EXPECT_THAT(finding.evidence, HasSubstr("1 of 2 PCIe ports"));
  EXPECT_THAT(finding.evidence, HasSubstr("0000:01:00.0 (0x001d)"));
  EXPECT_THAT(finding.advice, HasSubstr("setpci"));
  probe.ports[0].acs_control = 0x0001;  // source validation alone sends nothing astray
  EXPECT_EQ(severity_of(probe, "acs"), "ok");
  probe.ports.clear();
  probe.ports_unreadable = 3;
  EXPECT_EQ(severity_of(probe, "acs"), "info");
}

TEST(CheckMachine, Iommu) {
  MachineProbe probe = good();
  probe.kernel_command_line = "ro quiet";
  EXPECT_EQ(severity_of(probe, "iommu"), "warning");
  probe.iommu_count = 0;
  EXPECT_EQ(severity_of(probe, "iommu"), "ok");
  probe.nvidia_gpu_count = probe.rdma_nic_count = 0;
  EXPECT_EQ(severity_of(probe, "iommu"), "none");
}

TEST(CheckMachine, LibrariesAndWhatIsLostWithout) {
  MachineProbe probe = good();
  for (const ProbedLibrary& each : good().libraries) lose(probe, each.name);
  EXPECT_EQ(severity_of(probe, "cuda"), "error");
  EXPECT_THAT(find(probe, "cuda").evidence, HasSubstr("GPU memory cannot be used"));
  EXPECT_EQ(severity_of(probe, "nvml"), "warning");
  EXPECT_EQ(severity_of(probe, "verbs"), "error");
  EXPECT_EQ(severity_of(probe, "ucx"), "info");
  probe.nvidia_gpu_count = probe.rdma_nic_count = 0;
  EXPECT_EQ(severity_of(probe, "cuda"), "info") << "nothing is lost";
  EXPECT_EQ(severity_of(probe, "nvml"), "none");
  EXPECT_EQ(severity_of(probe, "verbs"), "info");
}

TEST(CheckMachine, DeviceFiles) {
  MachineProbe probe = good();
  probe.verbs_devices = 0;
  EXPECT_THAT(find(probe, "verbs").advice, HasSubstr("--device=/dev/infiniband"));
  probe.imex_channels = 0;
  EXPECT_EQ(severity_of(probe, "imex"), "error");
  probe.in_nvlink_fabric = false;
  EXPECT_EQ(severity_of(probe, "imex"), "none");
  probe.peer_memory = false;
  EXPECT_EQ(severity_of(probe, "peer_memory"), "info");
}

TEST(CheckMachine, Limits) {
  MachineProbe probe = good();
  probe.shm_bytes = uint64_t{64} << 20;
  EXPECT_EQ(find(probe, "shm").evidence, "/dev/shm has 64 MiB, 0 MiB free: MPI and NCCL may fail");
  probe.shm_bytes.reset();
  EXPECT_EQ(severity_of(probe, "shm"), "warning");

  probe.memlock_bytes = uint64_t{8} << 20;
  EXPECT_EQ(severity_of(probe, "memlock"), "error");
  probe.memlock_bytes = uint64_t{16} << 30;
  EXPECT_EQ(severity_of(probe, "memlock"), "warning");
  probe.rdma_nic_count = 0;
  EXPECT_EQ(severity_of(probe, "memlock"), "info");

  probe.open_files = 1024;
  probe.open_files_possible = 1'048'576;
  EXPECT_EQ(find(probe, "open_files").advice, "ulimit -n 65536");
  probe.open_files_possible = 1024;
  EXPECT_THAT(find(probe, "open_files").advice, HasSubstr("limits.conf"));
}

TEST(CheckMachine, PtraceScope) {
  MachineProbe probe = good();
  probe.ptrace_scope = 1;
  EXPECT_EQ(severity_of(probe, "ptrace"), "warning");
  probe.may_trace_all = true;
  EXPECT_EQ(severity_of(probe, "ptrace"), "ok");
  probe.ptrace_scope = 3;
  EXPECT_EQ(severity_of(probe, "ptrace"), "warning") << "nobody may";
  probe.ptrace_scope.reset();
  EXPECT_EQ(severity_of(probe, "ptrace"), "ok");
}

TEST(CheckMachine, CpusAgainstRanks) {
  MachineProbe probe = good();
  probe.cpu_limit = 2;
  probe.cpu_limit_file = "/sys/fs/cgroup/cpu.max";
  EXPECT_EQ(severity_of(probe, "cpus"), "warning");
  EXPECT_THAT(find(probe, "cpus").evidence, HasSubstr("2.0 of 128 CPUs may be used"));
  probe.rank_count = 0;
  EXPECT_EQ(severity_of(probe, "cpus"), "info");
  probe.rank_count = 2;
  EXPECT_EQ(severity_of(probe, "cpus"), "ok");
}

TEST(CheckMachine, MemoryPolicies) {
  MachineProbe probe = good();
  probe.numa_balancing = 1;
  EXPECT_EQ(severity_of(probe, "numa_balancing"), "warning");
  probe.numa_count = 1;
  EXPECT_EQ(severity_of(probe, "numa_balancing"), "none");
  probe.transparent_huge_pages = "always madvise [never]";
  EXPECT_EQ(severity_of(probe, "huge_pages"), "info");
}

TEST(CheckMachine, ThisMachine) {
  const auto found = discover({.use_hwloc = false});
  ASSERT_TRUE(found);
  const MachineProbe probe = read_probe({}, found->graph);
  EXPECT_TRUE(probe.knows_libraries);
  ASSERT_EQ(probe.libraries.size(), 4u);
  for (const ProbedLibrary& library : probe.libraries) {
    EXPECT_NE(library.loads, !library.why_not.empty()) << library.name;
  }
  EXPECT_GT(probe.cpu_count, 0u);
  EXPECT_TRUE(probe.open_files);
  for (const Finding& finding : check_machine(probe)) {
    EXPECT_NE(finding.evidence, "") << finding.name;
    EXPECT_EQ(finding.severity == Severity::ok && !finding.advice.empty(), false) << finding.name;
  }
}

}  // namespace
}  // namespace unirack
