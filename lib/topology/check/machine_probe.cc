#include "lib/topology/check/machine_probe.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <set>
#include <sstream>

#include "lib/base/clock.h"
#include "lib/base/unique_fd.h"
#include "lib/topology/discover/discover_parts.h"

namespace unirack {
namespace {

constexpr const char* kLibraries[] = {"libcuda.so.1", "libnvidia-ml.so.1", "libibverbs.so.1",
                                      "libucp.so.0"};
constexpr milliseconds kLoadingMax{5'000};
constexpr int kCapabilitySysPtrace = 19;

void read_graph_facts(const Graph& graph, MachineProbe& probe) {
  for (const Node& node : graph.nodes()) {
    if (node.kind == NodeKind::cpu) ++probe.numa_count;
    if (node.kind == NodeKind::nic && node.attribute("rdma") == "yes") ++probe.rdma_nic_count;
    if (node.kind == NodeKind::gpu && !node.domain.empty()) probe.in_nvlink_fabric = true;
  }
}

// The ports between GPUs or NICs and the CPUs: a switch's downstream ports may turn traffic between
// two devices below it away.
void read_ports(Sysfs& sysfs, MachineProbe& probe) {
  MachineFacts facts;
  read_pci(sysfs, facts);
  std::set<std::string> above;
  for (const PciFacts& device : facts.pci) {
    if (device.kind == PciKind::gpu && device.vendor == 0x10de) ++probe.nvidia_gpu_count;
    const bool reached_by_peers =
        device.kind == PciKind::gpu || (device.kind == PciKind::nic && probe.rdma_nic_count > 0);
    if (reached_by_peers) above.insert(device.bridges.begin(), device.bridges.end());
  }
  for (const std::string& bus_id : above) {
    const auto config =
        sysfs.read_bytes(fmt::format("/sys/bus/pci/devices/{}/config", bus_id), kPciConfigBytesMax);
    if (config.size() <= 64) {  // all that others than root may read
      ++probe.ports_unreadable;
      continue;
    }
    probe.ports.push_back({bus_id, acs_control_in(config)});
  }
}

// The tightest of this process's control groups, from its own up to the root.
void read_cpu_limit(Sysfs& sysfs, MachineProbe& probe) {
  const auto consider = [&](const std::string& file, std::optional<int64_t> quota,
                            std::optional<int64_t> period) {
    if (!quota || !period || *quota <= 0 || *period <= 0) return;
    const double cpus = static_cast<double>(*quota) / static_cast<double>(*period);
    if (probe.cpu_limit > 0 && probe.cpu_limit <= cpus) return;
    probe.cpu_limit = cpus;
    probe.cpu_limit_file = file;
  };
  std::string group = sysfs.read("/proc/self/cgroup").value_or("");
  const size_t unified = group.rfind("0::/");
  group = unified == std::string::npos ? "" : group.substr(unified + 3);
  group = group.substr(0, group.find('\n'));
  while (true) {
    const std::string file = fmt::format("/sys/fs/cgroup{}/cpu.max", group == "/" ? "" : group);
    const std::string text = sysfs.read(file).value_or("");  // "200000 100000", "max 100000"
    const size_t space = text.find(' ');
    if (space != std::string::npos) {
      consider(file, parse_integer(std::string_view(text).substr(0, space)),
               parse_integer(std::string_view(text).substr(space + 1)));
    }
    if (group.empty() || group == "/") break;
    group.resize(group.rfind('/'));
  }
  const std::string old = "/sys/fs/cgroup/cpu/cpu.cfs_quota_us";
  consider(old, sysfs.read_integer(old),
           sysfs.read_integer("/sys/fs/cgroup/cpu/cpu.cfs_period_us"));
}

uint64_t limit(rlim_t value) { return value == RLIM_INFINITY ? kNoLimit : uint64_t{value}; }

size_t count_with_prefix(const Sysfs& sysfs, std::string_view folder, std::string_view prefix) {
  const auto names = sysfs.list(folder);
  return static_cast<size_t>(std::count_if(
      names.begin(), names.end(), [&](const auto& name) { return name.starts_with(prefix); }));
}

bool may_trace_all(Sysfs& sysfs) {
  const std::string status = sysfs.read("/proc/self/status").value_or("");
  const size_t at = status.find("CapEff:\t");
  if (at == std::string::npos) return false;
  const auto mask = parse_integer("0x" + status.substr(at + 8, 16));
  return mask && (*mask >> kCapabilitySysPtrace & 1) != 0;
}

// One line a library: empty if it loads, else why not.
[[noreturn]] void load_and_tell(int pipe) {
  std::string lines;
  for (const char* name : kLibraries) {
    if (dlopen(name, RTLD_LAZY | RTLD_LOCAL) == nullptr) {
      const char* why = dlerror();
      lines += why == nullptr || *why == '\0' ? "no reason given" : why;
    }
    lines += '\n';
  }
  const ssize_t written = write(pipe, lines.data(), lines.size());
  _exit(written == static_cast<ssize_t>(lines.size()) ? 0 : 1);
}

// In a child: libraries run code when they are loaded, and UCX leaves memory behind.
std::vector<ProbedLibrary> try_libraries() {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return {};
  const UniqueFd from(ends[0]);
  UniqueFd to(ends[1]);
  const pid_t child = fork();
  if (child < 0) return {};
  if (child == 0) load_and_tell(to.get());
  to.reset();
  std::string lines;
  const Deadline deadline = deadline_in(kLoadingMax);
  std::array<char, 4096> buffer;
  while (true) {
    struct pollfd ready {
      from.get(), POLLIN, 0
    };
    const int64_t left_ms = to_ms(deadline - now());
    if (left_ms <= 0 || poll(&ready, 1, static_cast<int>(left_ms)) <= 0) break;
    const ssize_t size = read(from.get(), buffer.data(), buffer.size());
    if (size <= 0) break;
    lines.append(buffer.data(), static_cast<size_t>(size));
  }
  kill(child, SIGKILL);  // it is done, or it hangs
  waitpid(child, nullptr, 0);
  std::vector<ProbedLibrary> libraries;
  std::istringstream text(lines);
  std::string why;
  for (const char* name : kLibraries) {
    if (!std::getline(text, why)) why = fmt::format("{}: does not load in time", name);
    libraries.push_back({name, why.empty(), why});
  }
  return libraries;
}

// Of this process, so only of this machine.
void read_process(Sysfs& sysfs, MachineProbe& probe) {
  struct statvfs shm {};
  if (statvfs("/dev/shm", &shm) == 0) {
    probe.shm_bytes = uint64_t{shm.f_blocks} * shm.f_frsize;
    probe.shm_free_bytes = uint64_t{shm.f_bavail} * shm.f_frsize;
  }
  struct rlimit bounds {};
  if (getrlimit(RLIMIT_MEMLOCK, &bounds) == 0) probe.memlock_bytes = limit(bounds.rlim_cur);
  if (getrlimit(RLIMIT_NOFILE, &bounds) == 0) {
    probe.open_files = limit(bounds.rlim_cur);
    probe.open_files_possible = limit(bounds.rlim_max);
  }
  cpu_set_t cpus;
  if (sched_getaffinity(0, sizeof(cpus), &cpus) == 0) {
    probe.cpu_count = static_cast<uint32_t>(CPU_COUNT(&cpus));
  }
  probe.may_trace_all = may_trace_all(sysfs);
  probe.knows_libraries = true;
  probe.libraries = try_libraries();
  probe.verbs_devices = count_with_prefix(sysfs, "/dev/infiniband", "uverbs");
  probe.imex_channels = count_with_prefix(sysfs, "/dev/nvidia-caps-imex-channels", "channel");
}

}  // namespace

MachineProbe read_probe(const ProbeOptions& options, const Graph& graph) {
  Sysfs sysfs(options.root);
  MachineProbe probe;
  probe.rank_count = options.rank_count;
  read_graph_facts(graph, probe);
  read_ports(sysfs, probe);
  probe.iommu_count = sysfs.list("/sys/class/iommu").size();
  probe.kernel_command_line = sysfs.read("/proc/cmdline").value_or("");
  probe.ptrace_scope = sysfs.read_integer("/proc/sys/kernel/yama/ptrace_scope");
  probe.transparent_huge_pages =
      sysfs.read("/sys/kernel/mm/transparent_hugepage/enabled").value_or("");
  probe.numa_balancing = sysfs.read_integer("/proc/sys/kernel/numa_balancing");
  probe.peer_memory = sysfs.exists("/sys/module/nvidia_peermem");
  read_cpu_limit(sysfs, probe);
  if (sysfs.is_this_machine()) read_process(sysfs, probe);
  return probe;
}

}  // namespace unirack
