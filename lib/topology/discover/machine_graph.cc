#include "lib/topology/discover/machine_graph.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "lib/topology/discover/discover_parts.h"
#include "lib/topology/rates.h"

namespace unirack {
namespace {

// What bridges of virtual machines say, whatever is below them.
constexpr PcieRate kVirtual{2.5, 1};
constexpr uint16_t kNvidia = 0x10de;
constexpr uint16_t kAmd = 0x1002;

uint64_t bandwidth_of(const PcieRate& rate) {
  return rate.known() ? pcie_bandwidth(rate.gigatransfers, rate.lanes) : 0;
}

std::string to_text(const PcieRate& rate) {
  return rate.known() ? fmt::format("{} GT/s x{}", rate.gigatransfers, rate.lanes) : "unknown";
}

void set_pci_attributes(const PciFacts& device, const PcieLink& link, Node& node) {
  node.set_attribute("pci", device.bus_id);
  if (device.vendor != 0) {
    node.set_attribute("class", fmt::format("0x{:06x}", device.class_code));
    node.set_attribute("vendor", fmt::format("0x{:04x}", device.vendor));
    node.set_attribute("device", fmt::format("0x{:04x}", device.device));
  }
  if (!link.trained.known()) return;
  node.set_attribute("link_speed", fmt::format("{:.1f} GT/s PCIe", link.trained.gigatransfers));
  node.set_attribute("link_width", std::to_string(link.trained.lanes));
  node.set_attribute("pcie",
                     fmt::format("{}, possible {}", to_text(link.trained), to_text(link.possible)));
}

class MachineGraph {
 public:
  MachineGraph(const MachineFacts& facts, std::vector<std::string>& notes)
      : facts_(facts), notes_(notes) {}

  Result<Graph> build() {
    UNIRACK_TRY(add_cpus());
    UNIRACK_TRY(add_gpus());
    UNIRACK_TRY(add_nics());
    UNIRACK_TRY(add_nvlinks());
    add_xgmi();
    judge_bridges();
    return std::move(builder_).build(fmt::format("discovery of {}", facts_.host));
  }

 private:
  // What hangs from a bridge, for judging it.
  struct Bridge {
    NodeIndex node = 0;
    size_t up = 0;  // its link in the builder, towards the root; the other direction follows it
    PcieLink link;
    uint64_t fastest_below = 0;
  };

  Node make(NodeKind kind, const std::string& name, Provenance provenance) const {
    Node node;
    node.kind = kind;
    node.name = fmt::format("{}/{}", facts_.host, name);
    node.host = facts_.host;
    node.provenance = provenance;
    return node;
  }

  void join(NodeIndex from, NodeIndex to, LinkKind kind, uint64_t bandwidth, uint32_t count,
            Provenance provenance, Health health = Health::ok) {
    Link link;
    link.from = from;
    link.to = to;
    link.kind = kind;
    link.bandwidth = bandwidth;
    link.count = count;
    link.provenance = provenance;
    link.health = health;
    builder_.join(link);
  }

  Status add_cpus() {
    for (const NumaFacts& numa : facts_.numa) {
      Node node = make(NodeKind::cpu, fmt::format("cpu{}", numa.index), numa.provenance);
      node.set_attribute("numa", std::to_string(numa.index));
      const auto set = [&](const char* key, const std::string& value) {
        if (!value.empty()) node.set_attribute(key, value);
      };
      const auto number = [](uint64_t value) {
        return value == 0 ? std::string() : std::to_string(value);
      };
      set("cpus", numa.cpus);
      set("cores", number(numa.core_count));
      set("memory_bytes", number(numa.memory_bytes));
      set("caches", numa.caches);
      set("model", facts_.cpu.name);
      set("affinity", numa.cpu_map);
      set("arch", facts_.cpu.architecture);
      set("vendor", facts_.cpu.vendor);
      if (!facts_.cpu.vendor.empty()) {
        node.set_attribute("familyid", std::to_string(facts_.cpu.family));
        node.set_attribute("modelid", std::to_string(facts_.cpu.model));
      }
      if (numa.package >= 0) set("package", std::to_string(numa.package));
      cpus_[numa.index] = UNIRACK_TRY(builder_.add(std::move(node)));
    }
    // NUMA nodes of one package share its mesh, whose rate is no one's bottleneck.
    const uint64_t between = smp_bandwidth(facts_.cpu.architecture, facts_.cpu.vendor,
                                           facts_.cpu.family, facts_.cpu.model);
    for (size_t a = 0; a < facts_.numa.size(); ++a) {
      for (size_t b = a + 1; b < facts_.numa.size(); ++b) {
        const NumaFacts& one = facts_.numa[a];
        const NumaFacts& other = facts_.numa[b];
        const bool inside = one.package >= 0 && one.package == other.package;
        join(cpus_[one.index], cpus_[other.index], LinkKind::smp, inside ? 0 : between, 1,
             Provenance::assumed);
      }
    }
    return ok_status();
  }

  // By driver where it speaks: GPUs that it does not offer cannot be used here.
  Status add_gpus() {
    size_t nvidia = 0;
    size_t not_offered = 0;
    uint32_t index = 0;
    for (const PciFacts& device : facts_.pci) {
      if (device.kind != PciKind::gpu || !device.physical_function.empty()) continue;
      if (device.vendor == kNvidia) ++nvidia;
      if (facts_.has_nvml && device.vendor == kNvidia) continue;
      const AmdGpuFacts* amd = find_amd(device.bus_id);
      if (device.vendor == kAmd && !facts_.amd_gpus.empty() && amd == nullptr) {
        ++not_offered;
        continue;
      }
      Node node = make(NodeKind::gpu, fmt::format("gpu{}", index++), Provenance::sysfs);
      node.set_attribute("model", fmt::format("{:04x}:{:04x}", device.vendor, device.device));
      if (amd != nullptr && !amd->architecture.empty()) {
        node.set_attribute("gcn", amd->architecture);
      }
      gpus_[device.bus_id] = UNIRACK_TRY(add_device(std::move(node), device.bus_id));
    }
    for (const GpuFacts& gpu : facts_.gpus) UNIRACK_TRY(add_gpu(gpu, index));
    if (facts_.has_nvml && nvidia > facts_.gpus.size()) not_offered += nvidia - facts_.gpus.size();
    if (not_offered > 0) {
      notes_.push_back(
          fmt::format("{} GPUs on the bus are not offered by their driver", not_offered));
    }
    return ok_status();
  }

  const AmdGpuFacts* find_amd(const std::string& bus_id) const {
    for (const AmdGpuFacts& gpu : facts_.amd_gpus) {
      if (gpu.bus_id == bus_id) return &gpu;
    }
    return nullptr;
  }

  // Each end reports its own direction.
  void add_xgmi() {
    for (const AmdGpuFacts& gpu : facts_.amd_gpus) {
      for (const XgmiFacts& link : gpu.links) {
        if (!gpus_.contains(gpu.bus_id) || !gpus_.contains(link.bus_id)) continue;
        Link arc;
        arc.from = gpus_[gpu.bus_id];
        arc.to = gpus_[link.bus_id];
        arc.kind = LinkKind::xgmi;
        arc.bandwidth = link.bandwidth;
        arc.count = link.count;
        arc.provenance = Provenance::sysfs;
        builder_.connect(arc);
      }
    }
  }

  Status add_gpu(const GpuFacts& gpu, uint32_t first_index) {
    Node node =
        make(NodeKind::gpu, fmt::format("gpu{}", first_index + gpu.index), Provenance::nvml);
    node.rack = gpu.rack;
    const auto set = [&](const char* key, std::string value) {
      if (!value.empty()) node.set_attribute(key, std::move(value));
    };
    set("model", gpu.model);
    set("uuid", gpu.uuid);
    if (gpu.compute_capability > 0) set("sm", std::to_string(gpu.compute_capability));
    if (gpu.mig) set("mig", std::to_string(gpu.mig_count));
    for (const auto& [key, value] : gpu.place) set(key.c_str(), value);
    std::string blocked;
    for (const auto& [peer, why] : gpu.blocked_peers) {
      blocked += fmt::format("{}gpu{}: {}", blocked.empty() ? "" : "; ", peer, why);
    }
    set("p2p_blocked", blocked);
    if (gpu.fabric) {
      set("fabric", gpu.fabric->domain.empty() ? gpu.fabric->state : gpu.fabric->domain);
      set("fabric_faults", fmt::format("{}", fmt::join(gpu.fabric->faults, ", ")));
      if (!gpu.fabric->faults.empty()) node.health = Health::degraded;
      if (!has_own_switches()) node.domain = gpu.fabric->domain;
    }
    const NodeIndex at = UNIRACK_TRY(add_device(std::move(node), gpu.bus_id));
    gpus_[gpu.bus_id] = at;
    const auto cpu = cpu_of(facts_.find_pci(gpu.bus_id));
    if (gpu.c2c && cpu) join(at, *cpu, LinkKind::c2c, 0, 1, Provenance::nvml);
    return ok_status();
  }

  Status add_nics() {
    for (const NicFacts& nic : facts_.nics) {
      const std::string port = nic.port > 1 ? fmt::format(":{}", nic.port) : "";
      Node node = make(NodeKind::nic, fmt::format("nic/{}{}", nic.name, port), Provenance::sysfs);
      if (!nic.up) node.health = Health::down;
      for (const auto& [key, value] : nic.attributes) node.set_attribute(key, value);
      node.set_attribute("layer", nic.infiniband ? "infiniband" : "ethernet");
      if (nic.rdma) node.set_attribute("rdma", "yes");
      if (!nic.state.empty()) node.set_attribute("state", nic.state);
      if (nic.bandwidth > 0) {
        node.set_attribute("speed_mbps", std::to_string(nic.bandwidth / 125'000));
      }
      UNIRACK_TRY(add_device(std::move(node), nic.bus_id));
    }
    return ok_status();
  }

  // The machine's switches are on its bus; those of a rack are not.
  bool has_own_switches() const {
    return std::any_of(facts_.pci.begin(), facts_.pci.end(),
                       [](const PciFacts& device) { return device.kind == PciKind::nvswitch; });
  }

  Status add_nvlinks() {
    for (const GpuFacts& gpu : facts_.gpus) {
      const uint64_t rate = nvlink_bandwidth(gpu.compute_capability);
      for (const NvlinkFacts& link : gpu.nvlinks) {
        // Partitioned GPUs use no NVLink; that is no fault.
        if (gpu.mig && !link.up) continue;
        const auto other = UNIRACK_TRY(other_end(gpu, link));
        if (!other) continue;
        Link arc;
        arc.from = gpus_[gpu.bus_id];
        arc.to = *other;
        arc.kind = LinkKind::nvlink;
        arc.bandwidth = rate;
        arc.count = link.count;
        arc.health = link.up ? Health::ok : Health::down;
        arc.provenance = Provenance::nvml;
        // Between GPUs each end reports its own direction.
        if (gpus_.contains(link.bus_id)) {
          builder_.connect(arc);
        } else {
          builder_.join(arc);
        }
      }
    }
    return ok_status();
  }

  // Nothing: a link to nowhere that is known.
  Result<std::optional<NodeIndex>> other_end(const GpuFacts& gpu, const NvlinkFacts& link) {
    if (const auto peer = gpus_.find(link.bus_id); peer != gpus_.end()) {
      return std::optional(peer->second);
    }
    const PciFacts* pci = facts_.find_pci(link.bus_id);
    const bool to_switch = link.remote == nvml::RemoteDevice::nvswitch ||
                           (pci != nullptr && pci->kind == PciKind::nvswitch);
    if (to_switch) return std::optional(UNIRACK_TRY(nvswitch_of(gpu)));
    if (link.remote == nvml::RemoteDevice::ibm_npu) {
      return cpu_of(facts_.find_pci(gpu.bus_id));
    }
    if (!link.up) {  // its other end is where the others of this GPU end, if there is one such
      const bool switched =
          std::any_of(gpu.nvlinks.begin(), gpu.nvlinks.end(), [](const NvlinkFacts& other) {
            return other.up && other.remote == nvml::RemoteDevice::nvswitch;
          });
      if (switched) return std::optional(UNIRACK_TRY(nvswitch_of(gpu)));
    }
    notes_.push_back(fmt::format("{} NVLinks of gpu{} {}", link.count, gpu.index,
                                 link.up ? "end at a device that is not offered here"
                                         : "are down and do not say where they end"));
    return std::optional<NodeIndex>();
  }

  Result<NodeIndex> nvswitch_of(const GpuFacts& gpu) {
    Node node = make(NodeKind::nvswitch, "nvswitch", Provenance::nvml);
    const std::string domain =
        gpu.fabric && !has_own_switches() ? gpu.fabric->domain : std::string();
    if (!domain.empty()) {
      node.name = fmt::format("{}/nvswitch", domain);
      node.domain = domain;
      node.host.clear();
      node.rack = gpu.rack;
    }
    node.reduces = gpu.compute_capability >= 90;  // NVLink SHARP came with Hopper's switches
    return builder_.find_or_add(std::move(node));
  }

  // Adds a device and its link to the bridge or NUMA node above it.
  Result<NodeIndex> add_device(Node node, const std::string& bus_id) {
    const PciFacts* device = facts_.find_pci(bus_id);
    if (!bus_id.empty()) node.set_attribute("pci", bus_id);
    PcieLink link;
    if (device != nullptr) {
      node.set_attribute("numa", std::to_string(device->numa));
      link = device->link;
      if (!device->bridges.empty()) {
        if (const PciFacts* port = facts_.find_pci(device->bridges.back())) {
          link = combine_ends(device->link, port->link);
        }
      }
      set_pci_attributes(*device, link, node);
    }
    // One function with two ports is two nodes, and one link that they share; each gets it all.
    const NodeIndex at = UNIRACK_TRY(builder_.add(std::move(node)));
    const auto above = UNIRACK_TRY(parent_of(device));
    if (above) join_pcie(at, *above, link, device);
    return at;
  }

  void join_pcie(NodeIndex at, NodeIndex above, const PcieLink& link, const PciFacts* device) {
    Link arc;
    arc.from = at;
    arc.to = above;
    arc.kind = LinkKind::pcie;
    arc.bandwidth = bandwidth_of(link.trained);
    arc.capable = bandwidth_of(link.possible);
    // A virtual port below which the device is faster than it says.
    if (arc.capable < arc.bandwidth) {
      arc.capable = device == nullptr ? 0 : bandwidth_of(device->link.possible);
      if (arc.capable < arc.bandwidth) arc.capable = 0;
    }
    const bool placed = device != nullptr && (device->numa >= 0 || !device->bridges.empty());
    arc.provenance = placed || facts_.numa.size() == 1 ? Provenance::sysfs : Provenance::assumed;
    builder_.join(arc);
    if (device == nullptr) return;
    for (const std::string& id : device->bridges) {
      const auto bridge = bridges_.find(id);
      if (bridge == bridges_.end()) continue;
      bridge->second.fastest_below = std::max(bridge->second.fastest_below, arc.bandwidth);
    }
  }

  // The lowest bridge above a device that is a node; else its NUMA node.
  Result<std::optional<NodeIndex>> parent_of(const PciFacts* device) {
    std::optional<NodeIndex> above = cpu_of(device);
    if (device == nullptr) return above;
    // From the root: a root port, then pairs of an upstream and a downstream port. Each pair is one
    // switch, named by its upstream port.
    for (size_t i = 1; i < device->bridges.size(); i += 2) {
      const std::string& id = device->bridges[i];
      if (const auto known = bridges_.find(id); known != bridges_.end()) {
        above = known->second.node;
        continue;
      }
      const PciFacts* facts = facts_.find_pci(id);
      Node node = make(NodeKind::pcie, fmt::format("pci/{}", id), Provenance::sysfs);
      node.set_attribute("pci", id);
      Bridge bridge;
      if (facts != nullptr) {
        const PciFacts* port = facts_.find_pci(device->bridges[i - 1]);
        bridge.link = port == nullptr ? facts->link : combine_ends(facts->link, port->link);
        set_pci_attributes(*facts, bridge.link, node);
      }
      bridge.node = UNIRACK_TRY(builder_.add(std::move(node)));
      bridge.up = builder_.links().size();
      const bool linked = above.has_value();
      if (linked) {
        join(bridge.node, *above, LinkKind::pcie, 0, 1, Provenance::sysfs);
        bridges_.emplace(id, bridge);
      }
      above = bridge.node;
    }
    return above;
  }

  void judge_bridges() {
    size_t unknown = 0;
    for (const auto& [id, bridge] : bridges_) {
      const uint64_t trained = bandwidth_of(bridge.link.trained);
      const uint64_t possible = bandwidth_of(bridge.link.possible);
      if (trained < bridge.fastest_below &&
          (possible < bridge.fastest_below || bridge.link.trained == kVirtual)) {
        if (trained > 0) ++unknown;
        continue;
      }
      for (size_t i = bridge.up; i < bridge.up + 2; ++i) {
        Link& link = builder_.links()[i];
        link.bandwidth = trained;
        link.capable = possible >= trained ? possible : 0;
      }
    }
    if (unknown > 0) {
      notes_.push_back(fmt::format(
          "{} PCIe bridges say they are slower than devices below them; they are taken for virtual "
          "and their speed is not known",
          unknown));
    }
  }

  std::optional<NodeIndex> cpu_of(const PciFacts* device) const {
    if (cpus_.empty()) return std::nullopt;
    const auto found = device == nullptr ? cpus_.end() : cpus_.find(device->numa);
    return found == cpus_.end() ? cpus_.begin()->second : found->second;
  }

  const MachineFacts& facts_;
  std::vector<std::string>& notes_;
  GraphBuilder builder_;
  std::map<int32_t, NodeIndex> cpus_;
  std::map<std::string, NodeIndex> gpus_;  // by bus id
  std::map<std::string, Bridge> bridges_;
};

}  // namespace

Result<Graph> machine_graph(const MachineFacts& facts, std::vector<std::string>& notes) {
  return MachineGraph(facts, notes).build();
}

}  // namespace unirack
