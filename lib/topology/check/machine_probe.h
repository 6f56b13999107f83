// What of a machine, besides its devices, decides how well a pool runs on it: limits, kernel
// settings, libraries. read_probe() reads it; check_machine() judges it and touches nothing, so
// tests make probes up. Values that could not be read are absent.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "lib/topology/check/check.h"
#include "lib/topology/graph.h"

namespace unirack {

inline constexpr uint64_t kNoLimit = UINT64_MAX;

struct ProbedPort {  // a PCIe port above a GPU or an RDMA NIC
  std::string bus_id;
  std::optional<uint16_t> acs_control;
};

struct ProbedLibrary {
  std::string name;  // "libcuda.so.1"
  bool loads = false;
  std::string why_not;  // the loader's words
};

struct MachineProbe {
  // What the machine has, from its graph.
  size_t nvidia_gpu_count = 0;
  size_t rdma_nic_count = 0;
  size_t numa_count = 0;
  bool in_nvlink_fabric = false;  // wider than the machine

  std::vector<ProbedPort> ports;
  size_t ports_unreadable = 0;  // their configuration is for root only
  size_t iommu_count = 0;
  std::string kernel_command_line;

  std::optional<uint64_t> shm_bytes;  // of /dev/shm; absent: not mounted
  uint64_t shm_free_bytes = 0;
  std::optional<uint64_t> memlock_bytes;
  std::optional<uint64_t> open_files;
  uint64_t open_files_possible = 0;  // the hard limit
  std::optional<int64_t> ptrace_scope;
  bool may_trace_all = false;          // CAP_SYS_PTRACE
  std::string transparent_huge_pages;  // "always [madvise] never"
  std::optional<int64_t> numa_balancing;
  uint32_t cpu_count = 0;      // that this process may run on
  double cpu_limit = 0;        // of the container, in CPUs; 0: none
  std::string cpu_limit_file;  // that says so
  size_t rank_count = 0;       // planned on this machine; 0: not known

  bool knows_libraries = false;  // of an archived tree nothing can be loaded
  std::vector<ProbedLibrary> libraries;
  size_t verbs_devices = 0;  // /dev/infiniband/uverbs*
  size_t imex_channels = 0;  // /dev/nvidia-caps-imex-channels/channel*
  bool peer_memory = false;  // nvidia_peermem is loaded
};

struct ProbeOptions {
  std::string root = "/";  // as in DiscoverOptions
  size_t rank_count = 0;
};

// `graph` is that of this machine (discover.h). Whether libraries load is tried in a child process;
// for programs without other threads.
MachineProbe read_probe(const ProbeOptions& options, const Graph& graph);

// One finding a check, `ok` where all is well; checks that do not concern the machine are left out.
std::vector<Finding> check_machine(const MachineProbe& probe);

}  // namespace unirack
