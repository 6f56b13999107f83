// What discovery has read of one machine, as plain data, before it becomes a graph. Every reader
// (sysfs, hwloc, NVML) fills its part; machine_graph.h joins them. Absent facts keep the values
// that say "not known": 0, -1, empty.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "lib/cuda/nvml.h"
#include "lib/topology/discover/pci_config.h"
#include "lib/topology/graph.h"

namespace unirack {

struct NumaFacts {
  int32_t index = 0;
  std::string cpus;     // "0-27,56-83"
  std::string cpu_map;  // the same as the kernel's mask, "ff,ffffffff"
  uint32_t cpu_count = 0;
  uint32_t core_count = 0;
  uint64_t memory_bytes = 0;
  int32_t package = -1;
  std::vector<int32_t> distances;  // to all NUMA nodes, as the firmware says
  std::string caches;              // "L1 48 KiB, L2 2 MiB, L3 60 MiB"
  Provenance provenance = Provenance::sysfs;
};

struct CpuFacts {
  std::string architecture;  // "x86_64"
  std::string vendor;        // "GenuineIntel"
  int family = 0;
  int model = 0;
  std::string name;  // for people
};

enum class PciKind : uint8_t { other, gpu, nic, nvswitch, bridge };

struct PciFacts {
  std::string bus_id;  // "0000:1b:00.0"
  PciKind kind = PciKind::other;
  uint32_t class_code = 0;  // class, subclass, interface
  uint16_t vendor = 0;
  uint16_t device = 0;
  int32_t numa = -1;
  std::vector<std::string> bridges;  // above it, the root port first
  PcieLink link;                     // to what is above it
  std::string physical_function;     // of a virtual one
};

// One port.
struct NicFacts {
  std::string name;  // "mlx5_0", "eth0"
  std::string bus_id;
  uint32_t port = 1;
  bool infiniband = false;  // link layer
  bool rdma = false;
  bool up = false;
  std::string state;       // "ACTIVE", "down"
  uint64_t bandwidth = 0;  // bytes/s
  std::vector<std::pair<std::string, std::string>> attributes;
};

struct NvlinkFacts {
  nvml::RemoteDevice remote = nvml::RemoteDevice::unknown;
  std::string bus_id;  // of the other end, where known
  bool up = false;
  uint32_t count = 1;

  bool operator==(const NvlinkFacts&) const = default;
};

struct FabricFacts {
  std::string state;                // "completed"
  std::string domain;               // "UUID.clique"; empty: in none
  std::vector<std::string> faults;  // what is wrong, in words
};

struct GpuFacts {
  uint32_t index = 0;
  std::string bus_id;
  std::string model;
  std::string uuid;
  int compute_capability = 0;  // 90
  bool mig = false;
  uint32_t mig_count = 0;
  std::vector<NvlinkFacts> nvlinks;  // equal ones joined
  std::optional<FabricFacts> fabric;
  std::string rack;
  std::vector<std::pair<std::string, std::string>> place;  // slot, tray, host in the rack
  bool c2c = false;
  // Other GPUs whose memory it cannot reach directly, by index, and why.
  std::vector<std::pair<uint32_t, std::string>> blocked_peers;
};

struct XgmiFacts {
  std::string bus_id;  // of the other GPU
  uint32_t count = 1;
  uint64_t bandwidth = 0;  // bytes/s of one; 0: not known
};

struct AmdGpuFacts {
  std::string bus_id;
  std::string architecture;  // "gfx942"
  std::vector<XgmiFacts> links;
};

struct MachineFacts {
  std::string host;
  CpuFacts cpu;
  std::vector<NumaFacts> numa;  // those with CPUs, ascending
  std::vector<PciFacts> pci;    // GPUs, NICs, NVSwitches and the bridges above them, ascending
  std::vector<NicFacts> nics;
  bool has_nvml = false;
  std::string driver_version;
  std::vector<GpuFacts> gpus;         // by NVML, its order
  std::vector<AmdGpuFacts> amd_gpus;  // by their driver, its order
  std::vector<std::string> notes;     // what could not be read, and why

  const PciFacts* find_pci(const std::string& bus_id) const {
    for (const PciFacts& device : pci) {
      if (device.bus_id == bus_id) return &device;
    }
    return nullptr;
  }
};

}  // namespace unirack
