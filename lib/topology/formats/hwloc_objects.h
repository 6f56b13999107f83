// The objects of an hwloc file, as facts: what hwloc_xml.h makes a graph of. Keeps elements of the
// file, which must outlive it; for one thread.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lib/topology/formats/xml_file.h"

namespace unirack {

struct HwlocNuma {
  pugi::xml_node element;
  int64_t index = 0;  // of the operating system
};

// A port or a GPU as the operating system offers it.
struct HwlocOsDevice {
  pugi::xml_node element;
  std::string name;
  bool network = false;
  bool openfabrics = false;
  bool gpu = false;  // offered by CUDA, NVML, ROCm or OpenCL, not only as a display
};

// A PCI device or bridge.
struct HwlocPci {
  pugi::xml_node element;
  std::string busid;
  uint32_t pci_class = 0;  // 0x0302
  uint32_t vendor = 0;
  uint32_t device = 0;
  uint64_t bandwidth = 0;        // of its link upwards
  std::optional<size_t> parent;  // among the PCI objects
  size_t numa = 0;               // nearest NUMA node, among those
  bool numa_is_sure = false;
  std::vector<HwlocOsDevice> os_devices;

  bool is_gpu() const;
  bool is_nvswitch() const;
};

struct HwlocMatrix {
  std::string name;
  pugi::xml_node element;
  std::vector<pugi::xml_node> objects;
  std::vector<uint64_t> values;  // row by row
};

struct HwlocObjects {
  std::string host;
  std::map<std::string, std::string> infos;  // of the machine and its first package
  std::vector<HwlocNuma> numas;
  std::vector<HwlocPci> pcis;  // parents first
  std::vector<HwlocMatrix> matrices;
};

Result<HwlocObjects> read_hwloc_objects(const XmlFile& file);

// The value of its <info>; empty: there is none.
std::string_view hwloc_info(pugi::xml_node object, const char* name);

}  // namespace unirack
