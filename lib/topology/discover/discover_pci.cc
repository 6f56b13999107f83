#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "lib/topology/discover/discover_parts.h"

namespace unirack {
namespace {

constexpr std::string_view kDevices = "/sys/bus/pci/devices";
constexpr uint16_t kNvidia = 0x10de;
constexpr uint16_t kAmd = 0x1002;

// By class and subclass; vendors put GPUs into several.
PciKind kind_of(uint32_t class_code, uint16_t vendor) {
  switch (class_code >> 8) {
    case 0x0200:
    case 0x0207:
    case 0x0c06:  // InfiniBand, in older devices
      return PciKind::nic;
    case 0x0300:
      return vendor == kNvidia ? PciKind::gpu : PciKind::other;  // others' are for screens
    case 0x0302:
      return PciKind::gpu;
    case 0x0380:
    case 0x1200:
      return vendor == kAmd || vendor == kNvidia ? PciKind::gpu : PciKind::other;
    case 0x0604:
      return PciKind::bridge;
    case 0x0680:
      return vendor == kNvidia ? PciKind::nvswitch : PciKind::other;
    default:
      return PciKind::other;
  }
}

// "16.0 GT/s PCIe", "8 GT/s", "Unknown speed"
double read_speed(Sysfs& sysfs, const std::string& path) {
  const std::string text = sysfs.read(path).value_or("");
  // Written with one decimal at most; std::from_chars for double is locale-free.
  double value = 0;
  const auto at = text.find(" GT/s");
  if (at == std::string::npos) return 0;
  uint64_t whole = 0;
  const size_t dot = std::min(text.find('.'), at);
  if (const auto parsed = parse_integer(std::string_view(text).substr(0, dot))) {
    whole = static_cast<uint64_t>(std::clamp<int64_t>(*parsed, 0, 1000));
  }
  value = static_cast<double>(whole);
  if (dot + 1 < at && text[dot + 1] >= '0' && text[dot + 1] <= '9') {
    value += (text[dot + 1] - '0') / 10.0;
  }
  return value;
}

// 0 and 255 are what ports without a link say.
uint32_t read_width(Sysfs& sysfs, const std::string& path) {
  const auto width = sysfs.read_integer(path);
  return width && *width > 0 && *width <= 32 ? static_cast<uint32_t>(*width) : 0;
}

PcieLink read_link(Sysfs& sysfs, const std::string& folder) {
  PcieLink link;
  if (!sysfs.exists(folder + "/current_link_speed")) {
    // Kernels before 4.13, and archives of them.
    return pcie_link_in(sysfs.read_bytes(folder + "/config", kPciConfigBytesMax)).value_or(link);
  }
  link.trained = {read_speed(sysfs, folder + "/current_link_speed"),
                  read_width(sysfs, folder + "/current_link_width")};
  link.possible = {read_speed(sysfs, folder + "/max_link_speed"),
                   read_width(sysfs, folder + "/max_link_width")};
  return link;
}

// -1 on machines whose firmware does not say; the CPUs beside the device may.
int32_t read_numa_node(Sysfs& sysfs, const std::string& folder, const MachineFacts& facts) {
  const auto node = sysfs.read_integer(folder + "/numa_node");
  if (node && *node >= 0 && *node <= INT32_MAX) return static_cast<int32_t>(*node);
  const auto cpus = sysfs.read(folder + "/local_cpulist");
  for (const NumaFacts& numa : facts.numa) {
    if (cpus && facts.numa.size() > 1 && numa.cpus == *cpus) return numa.index;
  }
  return -1;
}

void read_identity(Sysfs& sysfs, const std::string& folder, PciFacts& device) {
  const auto number = [&](const char* name) {
    return static_cast<uint16_t>(sysfs.read_integer(folder + name).value_or(0) & 0xffff);
  };
  device.vendor = number("/vendor");
  device.device = number("/device");
  if (device.vendor != 0) return;
  const auto config = sysfs.read_bytes(folder + "/config", 64);
  if (config.size() < 4) return;
  device.vendor = load_little<uint16_t>(config.data());
  device.device = load_little<uint16_t>(config.data() + 2);
}

PciFacts read_device(Sysfs& sysfs, const std::string& bus_id, const MachineFacts& facts) {
  const std::string folder = fmt::format("{}/{}", kDevices, bus_id);
  PciFacts device;
  device.bus_id = bus_id;
  device.class_code =
      static_cast<uint32_t>(sysfs.read_integer(folder + "/class").value_or(0) & 0xffffff);
  // Most devices of a server are of other kinds; of these no more files are read.
  const uint32_t family = device.class_code >> 16;
  if (family != 0x02 && family != 0x03 && family != 0x06 && family != 0x0c && family != 0x12) {
    return device;
  }
  read_identity(sysfs, folder, device);
  device.kind = kind_of(device.class_code, device.vendor);
  if (device.kind == PciKind::other || device.kind == PciKind::bridge) return device;
  device.numa = read_numa_node(sysfs, folder, facts);
  device.link = read_link(sysfs, folder);
  if (const auto link = sysfs.read_link(folder)) {
    device.bridges = pci_bus_ids_in(*link);
    if (!device.bridges.empty()) device.bridges.pop_back();
  }
  if (const auto physical = sysfs.read_link(folder + "/physfn")) {
    const auto ids = pci_bus_ids_in(*physical);
    if (!ids.empty()) device.physical_function = ids.back();
  }
  return device;
}

double slower(double a, double b) { return a > 0 && b > 0 ? std::min(a, b) : std::max(a, b); }
uint32_t slower(uint32_t a, uint32_t b) { return a > 0 && b > 0 ? std::min(a, b) : std::max(a, b); }

}  // namespace

PcieLink combine_ends(const PcieLink& device, const PcieLink& port) {
  PcieLink link = device;
  if (!link.trained.known()) link.trained = port.trained;
  link.possible.gigatransfers = slower(device.possible.gigatransfers, port.possible.gigatransfers);
  link.possible.lanes = slower(device.possible.lanes, port.possible.lanes);
  return link;
}

void read_pci(Sysfs& sysfs, MachineFacts& facts) {
  if (!sysfs.exists(kDevices)) {
    facts.notes.push_back(fmt::format("{} does not exist: no PCI devices are known", kDevices));
    return;
  }
  std::map<std::string, PciFacts> bridges;
  size_t without_path = 0;
  for (const std::string& bus_id : sysfs.list(kDevices)) {
    if (!is_pci_bus_id(bus_id)) continue;
    PciFacts device = read_device(sysfs, bus_id, facts);
    if (device.kind == PciKind::other || device.kind == PciKind::bridge) continue;
    if (!sysfs.read_link(fmt::format("{}/{}", kDevices, bus_id))) ++without_path;
    for (const std::string& above : device.bridges) bridges.try_emplace(above);
    facts.pci.push_back(std::move(device));
  }
  for (auto& [bus_id, bridge] : bridges) {
    const std::string folder = fmt::format("{}/{}", kDevices, bus_id);
    bridge = read_device(sysfs, bus_id, facts);
    bridge.kind = PciKind::bridge;
    bridge.numa = read_numa_node(sysfs, folder, facts);
    bridge.link = read_link(sysfs, folder);
    if (const auto link = sysfs.read_link(folder)) {
      bridge.bridges = pci_bus_ids_in(*link);
      if (!bridge.bridges.empty()) bridge.bridges.pop_back();
    }
    facts.pci.push_back(bridge);
  }
  std::sort(facts.pci.begin(), facts.pci.end(),
            [](const PciFacts& a, const PciFacts& b) { return a.bus_id < b.bus_id; });
  if (without_path > 0) {
    facts.notes.push_back(
        fmt::format("{} PCI devices do not say which bridges they are behind", without_path));
  }
}

}  // namespace unirack
