#include <fmt/format.h>

#include <algorithm>

#include "lib/topology/check/check_parts.h"
#include "lib/topology/check/machine_probe.h"
#include "lib/topology/discover/pci_config.h"

namespace unirack {
namespace {

constexpr uint64_t kMebi = uint64_t{1} << 20;
constexpr uint64_t kGibi = uint64_t{1} << 30;
constexpr uint64_t kOpenFilesGood = 4096;

std::string binary_size(uint64_t bytes) {
  if (bytes == kNoLimit) return "unlimited";
  if (bytes >= kGibi) {
    return fmt::format("{:.1f} GiB", static_cast<double>(bytes) / static_cast<double>(kGibi));
  }
  return fmt::format("{} MiB", bytes / kMebi);
}

class MachineCheck {
 public:
  explicit MachineCheck(const MachineProbe& probe) : probe_(probe) {}

  std::vector<Finding> run() {
    access_control();
    iommu();
    gpus();
    rdma();
    imex();
    ucx();
    shared_memory();
    locked_memory();
    open_files();
    tracing();
    cpus();
    numa_balancing();
    huge_pages();
    std::stable_sort(findings_.begin(), findings_.end(),
                     [](const Finding& a, const Finding& b) { return a.severity > b.severity; });
    return std::move(findings_);
  }

 private:
  void add(Severity severity, const char* name, std::string evidence, std::string advice = {}) {
    findings_.push_back({severity, name, std::move(evidence), std::move(advice), {}});
  }

  bool has_peers() const { return probe_.nvidia_gpu_count + probe_.rdma_nic_count > 0; }

  const ProbedLibrary* library(std::string_view name) const {
    for (const ProbedLibrary& each : probe_.libraries) {
      if (each.name == name) return &each;
    }
    return nullptr;
  }

  void access_control() {
    std::vector<std::string> redirecting;
    for (const ProbedPort& port : probe_.ports) {
      if (port.acs_control && (*port.acs_control & kAcsRedirects) != 0) {
        redirecting.push_back(fmt::format("{} ({:#06x})", port.bus_id, *port.acs_control));
      }
    }
    if (!redirecting.empty()) {
      return add(
          Severity::error, "acs",
          fmt::format("{} of {} PCIe ports above GPUs and NICs send traffic between devices "
                      "through the CPU (ACS control register): {}",
                      redirecting.size(), probe_.ports.size(), list_up(redirecting)),
          "disable ACS in the firmware, or: sudo setpci -s BUS_ID ECAP_ACS+0x6.w=0 for each; "
          "in a virtual machine this is the host's to do, with ATS on");
    }
    if (probe_.ports_unreadable > 0) {
      return add(Severity::info, "acs",
                 fmt::format("the configuration of {} PCIe ports above GPUs and NICs is for root "
                             "only: whether ACS redirects their traffic is not known",
                             probe_.ports_unreadable),
                 "run once as root");
    }
    if (!probe_.ports.empty()) {
      add(Severity::ok, "acs",
          fmt::format("none of {} PCIe ports redirects traffic between devices",
                      probe_.ports.size()));
    }
  }

  void iommu() {
    if (!has_peers()) return;
    const std::string& line = probe_.kernel_command_line;
    const bool passes = line.find("iommu=pt") != std::string::npos ||
                        line.find("iommu.passthrough=1") != std::string::npos;
    if (probe_.iommu_count == 0) {
      return add(Severity::ok, "iommu", "/sys/class/iommu is empty: no IOMMU is in the way");
    }
    if (passes) {
      return add(Severity::ok, "iommu", "the IOMMU passes devices through (/proc/cmdline)");
    }
    add(Severity::warning, "iommu",
        fmt::format("{} in /sys/class/iommu and no iommu=pt in /proc/cmdline: traffic between "
                    "devices may be translated, or refused",
                    counted(probe_.iommu_count, "IOMMU")),
        "boot with iommu=pt (and intel_iommu=on or amd_iommu=on where virtual functions are used)");
  }

  void gpus() {
    const ProbedLibrary* cuda = library("libcuda.so.1");
    const ProbedLibrary* nvml = library("libnvidia-ml.so.1");
    if (cuda == nullptr || nvml == nullptr) return;
    if (probe_.nvidia_gpu_count == 0) {
      if (!cuda->loads) {
        add(Severity::info, "cuda", "no NVIDIA GPU on the bus and no driver: host memory only");
      }
      return;
    }
    const std::string count = counted(probe_.nvidia_gpu_count, "NVIDIA GPU");
    if (!cuda->loads) {
      add(Severity::error, "cuda",
          fmt::format("{} on the bus, but {}: GPU memory cannot be used", count, cuda->why_not),
          "install the driver, or give the container its GPUs: docker run --gpus all");
    } else {
      add(Severity::ok, "cuda", fmt::format("{}, libcuda.so.1 loads", count));
    }
    if (!nvml->loads) {
      add(Severity::warning, "nvml",
          fmt::format("{}: NVLinks, cliques and MIG are not seen, the GPUs' places are guessed",
                      nvml->why_not),
          "give the container the driver's utilities: NVIDIA_DRIVER_CAPABILITIES=compute,utility");
    }
  }

  void rdma() {
    const ProbedLibrary* verbs = library("libibverbs.so.1");
    if (verbs == nullptr) return;
    if (probe_.rdma_nic_count == 0) {
      return add(Severity::info, "verbs",
                 fmt::format("/sys/class/infiniband has no NIC{}: messages go over TCP",
                             verbs->loads ? "" : ", and libibverbs.so.1 is not installed"));
    }
    const std::string count = counted(probe_.rdma_nic_count, "RDMA port");
    if (!verbs->loads) {
      add(Severity::error, "verbs",
          fmt::format("{}, but {}: messages go over TCP", count, verbs->why_not),
          "apt install libibverbs1 ibverbs-providers");
    } else if (probe_.verbs_devices == 0) {
      add(Severity::error, "verbs",
          fmt::format("{}, but no /dev/infiniband/uverbs*: messages go over TCP", count),
          "modprobe ib_uverbs; in a container: docker run --device=/dev/infiniband");
    } else {
      add(Severity::ok, "verbs",
          fmt::format("{}, {} in /dev/infiniband", count, counted(probe_.verbs_devices, "device")));
    }
    if (probe_.nvidia_gpu_count > 0 && !probe_.peer_memory) {
      add(Severity::info, "peer_memory",
          "the module nvidia_peermem is not loaded: NICs reach GPU memory by dma-buf only",
          "with an open GPU kernel module and Linux 5.12 nothing is lost; else: sudo modprobe "
          "nvidia_peermem");
    }
  }

  void imex() {
    if (!probe_.in_nvlink_fabric || !probe_.knows_libraries) return;
    if (probe_.imex_channels > 0) {
      return add(
          Severity::ok, "imex",
          counted(probe_.imex_channels, "IMEX channel") + " in /dev/nvidia-caps-imex-channels");
    }
    add(Severity::error, "imex",
        "GPUs are in an NVLink fabric, but /dev/nvidia-caps-imex-channels has no channel: GPUs of "
        "other trays are reached over the network only",
        "systemctl status nvidia-imex; create a channel: nvidia-modprobe -c 0, or give the pod a "
        "ComputeDomain claim");
  }

  void ucx() {
    const ProbedLibrary* ucp = library("libucp.so.0");
    if (ucp == nullptr) return;
    if (ucp->loads) return add(Severity::ok, "ucx", "libucp.so.0 loads");
    add(Severity::info, "ucx", fmt::format("{}: no transport over UCX", ucp->why_not),
        "apt install libucx0, if it is wanted");
  }

  void shared_memory() {
    if (!probe_.knows_libraries) return;
    const char* advice =
        "docker run --shm-size=8g, or an emptyDir of medium Memory at /dev/shm; Unirack itself "
        "uses memory files and does without";
    if (!probe_.shm_bytes) {
      return add(Severity::warning, "shm",
                 "/dev/shm is not mounted: MPI and NCCL in this place fail", advice);
    }
    const std::string size = fmt::format("/dev/shm has {}, {} free", binary_size(*probe_.shm_bytes),
                                         binary_size(probe_.shm_free_bytes));
    if (*probe_.shm_bytes < kGibi) {
      return add(Severity::warning, "shm", size + ": MPI and NCCL may fail", advice);
    }
    add(Severity::ok, "shm", size);
  }

  void locked_memory() {
    if (!probe_.memlock_bytes) return;
    const std::string size =
        fmt::format("RLIMIT_MEMLOCK is {}", binary_size(*probe_.memlock_bytes));
    if (*probe_.memlock_bytes == kNoLimit) return add(Severity::ok, "memlock", size);
    const char* advice =
        "ulimit -l unlimited; /etc/security/limits.conf: * - memlock unlimited; docker run "
        "--ulimit memlock=-1";
    if (probe_.rdma_nic_count == 0) {
      return add(Severity::info, "memlock", size + "; without RDMA NICs nothing needs more", "");
    }
    add(*probe_.memlock_bytes < kGibi ? Severity::error : Severity::warning, "memlock",
        size + ": memory for RDMA must be locked, and registering more fails", advice);
  }

  void open_files() {
    if (!probe_.open_files) return;
    const std::string text = fmt::format("ulimit -n is {}", *probe_.open_files);
    if (*probe_.open_files >= kOpenFilesGood) return add(Severity::ok, "open_files", text);
    const uint64_t possible = std::min<uint64_t>(probe_.open_files_possible, 65536);
    add(Severity::warning, "open_files",
        text + ": each peer takes a few files, so pools beyond some hundred ranks fail",
        possible > *probe_.open_files ? fmt::format("ulimit -n {}", possible)
                                      : "raise the hard limit: /etc/security/limits.conf");
  }

  // Direct copies between processes are ptrace to the kernel.
  void tracing() {
    const int64_t scope = probe_.ptrace_scope.value_or(0);
    const std::string text = fmt::format("/proc/sys/kernel/yama/ptrace_scope is {}", scope);
    if (scope == 0) {
      return add(Severity::ok, "ptrace", "processes of one user may copy directly (no Yama limit)");
    }
    if (scope <= 2 && probe_.may_trace_all) {
      return add(Severity::ok, "ptrace", text + ", and this process may trace all");
    }
    add(Severity::warning, "ptrace",
        text + ": ranks may not copy each other's private memory directly and copy it twice",
        "sudo sysctl kernel.yama.ptrace_scope=0, or docker run --cap-add=SYS_PTRACE, or allocate "
        "buffers with unirackMemAlloc");
  }

  void cpus() {
    if (probe_.cpu_count == 0) return;
    const bool limited = probe_.cpu_limit > 0 && probe_.cpu_limit < probe_.cpu_count;
    const double usable = limited ? probe_.cpu_limit : probe_.cpu_count;
    std::string text = fmt::format("{} may be used", counted(probe_.cpu_count, "CPU"));
    if (limited) {
      text = fmt::format("{:.1f} of {} may be used ({})", probe_.cpu_limit,
                         counted(probe_.cpu_count, "CPU"), probe_.cpu_limit_file);
    }
    if (probe_.rank_count > 0 && usable < static_cast<double>(probe_.rank_count)) {
      return add(Severity::warning, "cpus",
                 fmt::format("{} by {} ranks: waiting ranks take turns with working ones", text,
                             probe_.rank_count),
                 "a CPU for each rank: docker run --cpus, or the pod's CPU limit, or fewer ranks");
    }
    add(limited && probe_.rank_count == 0 ? Severity::info : Severity::ok, "cpus", text);
  }

  void numa_balancing() {
    if (!probe_.numa_balancing || probe_.numa_count < 2) return;
    if (*probe_.numa_balancing == 0) {
      return add(Severity::ok, "numa_balancing", "/proc/sys/kernel/numa_balancing is 0");
    }
    add(Severity::warning, "numa_balancing",
        fmt::format("/proc/sys/kernel/numa_balancing is {}: the kernel unmaps memory to watch who "
                    "uses it, which stalls ranks at random",
                    *probe_.numa_balancing),
        "sudo sysctl kernel.numa_balancing=0");
  }

  void huge_pages() {
    const std::string& text = probe_.transparent_huge_pages;
    if (text.find("[never]") == std::string::npos) return;
    add(Severity::info, "huge_pages",
        "/sys/kernel/mm/transparent_hugepage/enabled is never: large buffers take many pages",
        "echo madvise | sudo tee /sys/kernel/mm/transparent_hugepage/enabled");
  }

  const MachineProbe& probe_;
  std::vector<Finding> findings_;
};

}  // namespace

std::vector<Finding> check_machine(const MachineProbe& probe) { return MachineCheck(probe).run(); }

}  // namespace unirack
