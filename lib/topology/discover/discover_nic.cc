#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "lib/topology/discover/discover_parts.h"
#include "lib/topology/rates.h"

namespace unirack {
namespace {

constexpr std::string_view kInfiniband = "/sys/class/infiniband";
constexpr std::string_view kNet = "/sys/class/net";
constexpr size_t kPortsMax = 16;

struct Interface {
  std::string name;
  std::string bus_id;
  uint32_t port = 1;
  int64_t megabits = 0;
  std::string state;
};

// The PCI device that an entry of /sys/class belongs to; empty: software.
std::string bus_id_of(const Sysfs& sysfs, const std::string& entry) {
  for (const std::string& path : {entry, entry + "/device"}) {
    if (const auto link = sysfs.read_link(path)) {
      const auto ids = pci_bus_ids_in(*link);
      if (!ids.empty()) return ids.back();
    }
  }
  return {};
}

// Two ports of one function tell themselves apart by dev_port, in older drivers by dev_id.
uint32_t port_of(Sysfs& sysfs, const std::string& folder) {
  const int64_t port = sysfs.read_integer(folder + "/dev_port").value_or(0);
  const int64_t id = sysfs.read_integer(folder + "/dev_id").value_or(0);
  return static_cast<uint32_t>(std::clamp<int64_t>(std::max(port, id), 0, kPortsMax - 1)) + 1;
}

std::vector<Interface> read_interfaces(Sysfs& sysfs) {
  std::vector<Interface> interfaces;
  for (const std::string& name : sysfs.list(kNet)) {
    const std::string folder = fmt::format("{}/{}", kNet, name);
    Interface interface;
    interface.name = name;
    interface.bus_id = bus_id_of(sysfs, folder);
    if (interface.bus_id.empty()) continue;
    interface.port = port_of(sysfs, folder);
    interface.state = sysfs.read(folder + "/operstate").value_or("unknown");
    // Reading the speed of a port that is down is an error, which is slow on some drivers.
    if (interface.state != "down") {
      interface.megabits = sysfs.read_integer(folder + "/speed").value_or(0);
    }
    interfaces.push_back(std::move(interface));
  }
  return interfaces;
}

void add_attribute(NicFacts& nic, const char* key, const std::optional<std::string>& value) {
  if (value) nic.attributes.emplace_back(key, *value);
}

// "a088:c203:0012:3456" as a number, as other tools write it.
std::optional<std::string> read_guid(Sysfs& sysfs, const std::string& path) {
  auto text = sysfs.read(path);
  if (!text) return std::nullopt;
  std::erase(*text, ':');
  return "0x" + *text;
}

// The first identifier of the port that is not all zeros, by which its subnet knows it.
std::optional<std::string> read_gid(Sysfs& sysfs, const std::string& port) {
  auto gid = sysfs.read(port + "/gids/0");
  if (gid && gid->find_first_not_of("0:") == std::string::npos) gid.reset();
  return gid;
}

NicFacts read_port(Sysfs& sysfs, const std::string& device, const std::string& port,
                   const std::vector<Interface>& interfaces) {
  const std::string folder = fmt::format("{}/{}", kInfiniband, device);
  const std::string port_folder = fmt::format("{}/ports/{}", folder, port);
  NicFacts nic;
  nic.name = device;
  nic.rdma = true;
  nic.bus_id = bus_id_of(sysfs, folder);
  nic.port =
      static_cast<uint32_t>(std::clamp<int64_t>(parse_integer(port).value_or(1), 1, kPortsMax));
  // "4: ACTIVE"
  const std::string state = sysfs.read(port_folder + "/state").value_or("");
  nic.state = state.substr(state.rfind(' ') + 1);
  nic.up = nic.state == "ACTIVE" || state.empty();
  nic.infiniband = sysfs.read(port_folder + "/link_layer").value_or("InfiniBand") == "InfiniBand";
  const std::string rate = sysfs.read(port_folder + "/rate").value_or("");
  if (nic.up) nic.bandwidth = infiniband_bandwidth(rate).value_or(0);
  if (!rate.empty()) nic.attributes.emplace_back("rate", rate);
  add_attribute(nic, "guid", read_guid(sysfs, folder + "/node_guid"));
  add_attribute(nic, "card", read_guid(sysfs, folder + "/sys_image_guid"));
  add_attribute(nic, "model", sysfs.read(folder + "/hca_type"));
  add_attribute(nic, "firmware", sysfs.read(folder + "/fw_ver"));
  add_attribute(nic, "gid", read_gid(sysfs, port_folder));
  if (nic.infiniband) add_attribute(nic, "lid", sysfs.read(port_folder + "/lid"));
  for (const Interface& interface : interfaces) {
    if (interface.bus_id != nic.bus_id) continue;
    // One port a function is the rule; then the interface is its, whatever its number.
    if (interface.port != nic.port && interfaces.size() > 1 &&
        std::any_of(interfaces.begin(), interfaces.end(), [&](const Interface& other) {
          return other.bus_id == nic.bus_id && other.port == nic.port;
        })) {
      continue;
    }
    nic.attributes.emplace_back("interface", interface.name);
    break;
  }
  return nic;
}

void read_rdma(Sysfs& sysfs, const std::vector<Interface>& interfaces, MachineFacts& facts) {
  for (const std::string& device : sysfs.list(kInfiniband)) {
    const std::string folder = fmt::format("{}/{}", kInfiniband, device);
    if (bus_id_of(sysfs, folder).empty()) {
      facts.notes.push_back(fmt::format("{} is RDMA in software, over {}: no NIC of its own",
                                        device,
                                        sysfs.read(folder + "/parent").value_or("another device")));
      continue;
    }
    auto ports = sysfs.list(folder + "/ports");
    if (ports.size() > kPortsMax) ports.resize(kPortsMax);
    for (const std::string& port : ports) {
      facts.nics.push_back(read_port(sysfs, device, port, interfaces));
    }
  }
}

NicFacts from_interface(Sysfs& sysfs, const Interface& interface) {
  NicFacts nic;
  nic.name = interface.name;
  nic.bus_id = interface.bus_id;
  nic.infiniband =
      sysfs.read_integer(fmt::format("{}/{}/type", kNet, interface.name)).value_or(1) == 32;
  // Virtual devices do not know whether they are up.
  nic.up = interface.state != "down" && interface.state != "lowerlayerdown";
  nic.state = interface.state;
  nic.bandwidth = nic.up ? ethernet_bandwidth(interface.megabits) : 0;
  return nic;
}

// A virtual function beside its physical one is the same cable again.
void drop_virtual_functions(MachineFacts& facts) {
  std::set<std::string> listed;
  for (const NicFacts& nic : facts.nics) listed.insert(nic.bus_id);
  const size_t dropped = std::erase_if(facts.nics, [&](const NicFacts& nic) {
    const PciFacts* device = facts.find_pci(nic.bus_id);
    return device != nullptr && !device->physical_function.empty() &&
           listed.contains(device->physical_function);
  });
  if (dropped > 0) {
    facts.notes.push_back(
        fmt::format("{} virtual functions are left out: their NICs are here too", dropped));
  }
}

// Devices of the bus that offer no interface to this process.
void note_unused(MachineFacts& facts) {
  std::set<std::string> used;
  for (const NicFacts& nic : facts.nics) used.insert(nic.bus_id);
  std::vector<std::string> unused;
  for (const PciFacts& device : facts.pci) {
    if (device.kind == PciKind::nic && device.physical_function.empty() &&
        !used.contains(device.bus_id)) {
      unused.push_back(device.bus_id);
    }
  }
  if (unused.empty()) return;
  facts.notes.push_back(fmt::format(
      "{} NICs on the bus have neither an RDMA device nor a network interface here (no driver, or "
      "another network namespace), the first is {}",
      unused.size(), unused.front()));
}

}  // namespace

void read_nics(Sysfs& sysfs, MachineFacts& facts) {
  const std::vector<Interface> interfaces = read_interfaces(sysfs);
  read_rdma(sysfs, interfaces, facts);
  std::set<std::string> with_rdma;
  for (const NicFacts& nic : facts.nics) with_rdma.insert(nic.bus_id);
  for (const Interface& interface : interfaces) {
    if (!with_rdma.contains(interface.bus_id)) {
      facts.nics.push_back(from_interface(sysfs, interface));
    }
  }
  drop_virtual_functions(facts);
  note_unused(facts);
}

}  // namespace unirack
