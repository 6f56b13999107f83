#include "lib/topology/formats/ibnetdiscover_machines.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <numeric>
#include <set>
#include <unordered_map>

#include "lib/topology/formats/names.h"
#include "lib/topology/formats/text_reader.h"
#include "lib/topology/natural_order.h"

namespace unirack {

namespace {

constexpr size_t kMakesCompared = 64;     // the most common ones
constexpr size_t kLeavesPerHostMax = 16;  // further ones do not decide its rack
constexpr size_t kNicsWithGpus = 4;
constexpr size_t kNicsWithGpusAtLeast = 2;

using Devices = std::vector<std::string>;

bool device_less(const std::string& a, const std::string& b) { return natural_less(a, b); }

// Of a description that a machine has given its adapter; empty: none has.
struct AdapterName {
  std::string_view host;
  std::string_view device;
};

AdapterName adapter_name(const IbNode& node) {
  constexpr std::array<std::string_view, 9> kOfMakers = {"ConnectX", "Connect-IB", "Mellanox",
                                                         "NVIDIA",   "BlueField",  "InfiniHost",
                                                         "Voltaire", "HPE ",       "Intel("};
  constexpr std::array<std::string_view, 9> kOfNobody = {
      "localhost", "ubuntu", "debian", "centos", "rocky", "linux", "(none)", "none", "unknown"};
  std::string_view text = node.description;
  // ibsim's nodes have a name and no description.
  if (text.empty() && !node.id.starts_with("H-")) text = node.id;
  for (const std::string_view maker : kOfMakers) {
    if (text.find(maker) != std::string_view::npos) return {};
  }
  const auto words = words_of(text);
  if (words.empty() || words.size() > 2) return {};
  const std::string_view host = words[0].substr(0, words[0].find('.'));
  if (std::find(kOfNobody.begin(), kOfNobody.end(), host) != kOfNobody.end()) return {};
  return {words[0], words.size() > 1 ? words[1] : ""};
}

// How many of `part` and of `whole`: both sorted.
bool includes(const Devices& whole, const Devices& part) {
  return std::includes(whole.begin(), whole.end(), part.begin(), part.end(), device_less);
}

class Finder {
 public:
  explicit Finder(const IbFabric& fabric) : fabric_(fabric) {}

  IbMachines find() {
    machines_.switches.resize(fabric_.nodes.size());
    list_nics();
    plug_in();
    list_hosts();
    find_makes();
    find_racks();
    for (uint32_t i = 0; i < machines_.racks.size(); ++i) place_rack(i);
    name_racks();
    place_switches();
    return std::move(machines_);
  }

 private:
  // One NIC a port with a cable, and one for an adapter without any.
  void list_nics() {
    for (uint32_t i = 0; i < fabric_.nodes.size(); ++i) {
      const IbNode& node = fabric_.nodes[i];
      if (node.kind != IbKind::adapter || is_aggregation_node(node)) continue;
      std::set<uint32_t> ports;
      for (const IbRecord& record : node.records) ports.insert(record.port);
      for (const auto& [key, port] : unlisted_ports(i)) ports.insert(port);
      if (ports.empty()) ports.insert(1);
      for (const uint32_t port : ports) {
        nic_at_.emplace((uint64_t{i} << 32) | port, static_cast<uint32_t>(machines_.nics.size()));
        machines_.nics.push_back({.node = i, .port = port});
      }
    }
  }

  // Ports of a node that only the other ends of their cables list.
  std::vector<std::pair<uint32_t, uint32_t>> unlisted_ports(uint32_t node) {
    if (ports_by_node_.empty()) {
      for (const IbCable& cable : fabric_.cables) {
        ports_by_node_.emplace_back(cable.to, cable.to_port);
      }
      std::sort(ports_by_node_.begin(), ports_by_node_.end());
    }
    const auto begin = std::lower_bound(ports_by_node_.begin(), ports_by_node_.end(),
                                        std::pair<uint32_t, uint32_t>(node, 0));
    const auto end =
        std::lower_bound(begin, ports_by_node_.end(), std::pair<uint32_t, uint32_t>(node + 1, 0));
    return {begin, end};
  }

  void plug_in() {
    const auto plug = [&](uint32_t node, uint32_t port, uint32_t peer) {
      const IbNode& end = fabric_.nodes[node];
      if (end.kind != IbKind::adapter) return;
      if (is_aggregation_node(end)) {
        machines_.switches[peer].aggregates = true;
        return;
      }
      const auto nic = nic_at_.find((uint64_t{node} << 32) | port);
      machines_.nics[nic->second].peer = static_cast<int32_t>(peer);
      machines_.switches[peer].has_adapters = true;
    };
    for (const IbCable& cable : fabric_.cables) {
      plug(cable.from, cable.from_port, cable.to);
      plug(cable.to, cable.to_port, cable.from);
    }
  }

  // Adapters by the host they are described with; those of one device must differ.
  void list_hosts() {
    std::map<std::string, std::vector<uint32_t>, decltype(&natural_order)> by_host(&natural_order);
    for (uint32_t i = 0; i < machines_.nics.size(); ++i) {
      const AdapterName name = adapter_name(fabric_.nodes[machines_.nics[i].node]);
      if (name.host.empty()) continue;
      machines_.nics[i].device = name.device;
      by_host[std::string(name.host)].push_back(i);
    }
    for (auto& [name, nics] : by_host) {
      name_devices(nics);
      IbHost host;
      host.name = name;
      std::sort(nics.begin(), nics.end(), [&](uint32_t a, uint32_t b) {
        return natural_less(machines_.nics[a].device, machines_.nics[b].device);
      });
      for (const uint32_t nic : nics) add_to(host, nic);
      machines_.hosts.push_back(std::move(host));
    }
  }

  static bool natural_order(const std::string& a, const std::string& b) {
    return natural_less(a, b);
  }

  // Devices that the description leaves out are counted in the order of their ids.
  void name_devices(std::vector<uint32_t>& nics) {
    std::map<std::string_view, std::string> unnamed;
    for (const uint32_t nic : nics) {
      const IbNic& each = machines_.nics[nic];
      if (each.device.empty()) unnamed[fabric_.nodes[each.node].id];
    }
    size_t count = 0;
    for (auto& [id, device] : unnamed) device = fmt::format("ca{}", count++);
    for (const uint32_t nic : nics) {
      IbNic& each = machines_.nics[nic];
      if (each.device.empty()) each.device = unnamed[fabric_.nodes[each.node].id];
      if (each.port > 1) each.device += fmt::format(":{}", each.port);
    }
  }

  void add_to(IbHost& host, uint32_t nic) {
    IbNic& each = machines_.nics[nic];
    if (!host.nics.empty() && machines_.nics[host.nics.back()].device == each.device) {
      const uint32_t line = fabric_.nodes[machines_.nics[host.nics.back()].node].line;
      machines_.warnings.emplace_back(
          nic, fmt::format("line {}: another adapter is '{} {}' too, on line {}",
                           fabric_.nodes[each.node].line, host.name, each.device, line));
      return;
    }
    each.host = static_cast<int32_t>(machines_.hosts.size());
    host.nics.push_back(nic);
  }

  Devices devices_of(const IbHost& host) const {
    Devices devices;
    for (const uint32_t nic : host.nics) devices.push_back(machines_.nics[nic].device);
    return devices;
  }

  // Hosts of the same devices; `whole` is the make of which this one lacks some.
  struct Make {
    Devices devices;
    std::vector<uint32_t> hosts;
    std::set<std::string> shapes;  // of the hosts' names
    const Make* whole = nullptr;
  };

  void find_makes() {
    std::map<Devices, Make> by_devices;
    for (uint32_t i = 0; i < machines_.hosts.size(); ++i) {
      Make& make = by_devices[devices_of(machines_.hosts[i])];
      make.hosts.push_back(i);
      make.shapes.insert(name_shape(machines_.hosts[i].name));
    }
    std::vector<Make*> makes;
    for (auto& [devices, make] : by_devices) {
      make.devices = devices;
      makes.push_back(&make);
    }
    std::stable_sort(makes.begin(), makes.end(), [](const Make* a, const Make* b) {
      if (a->hosts.size() != b->hosts.size()) return a->hosts.size() > b->hosts.size();
      return a->devices.size() > b->devices.size();
    });
    // What stands earlier is at least as common, so its own whole is decided.
    for (size_t i = 0; i < makes.size(); ++i) {
      for (size_t j = 0; j < std::min(i, kMakesCompared) && makes[i]->whole == nullptr; ++j) {
        if (!includes(makes[j]->devices, makes[i]->devices)) continue;
        makes[i]->whole = makes[j]->whole != nullptr ? makes[j]->whole : makes[j];
      }
    }
    set_rails(makes);
  }

  void set_rails(const std::vector<Make*>& makes) {
    size_t widest = 0;
    for (const Make* make : makes) {
      if (make->whole == nullptr) widest = std::max(widest, make->devices.size());
    }
    const size_t least = widest >= kNicsWithGpus ? kNicsWithGpus : kNicsWithGpusAtLeast;
    for (const Make* make : makes) {
      const Make& whole = make->whole != nullptr ? *make->whole : *make;
      for (const uint32_t host : make->hosts) {
        const bool like_its_hosts = make->whole == nullptr ||
                                    make->devices.size() * 2 > whole.devices.size() ||
                                    whole.shapes.contains(name_shape(machines_.hosts[host].name));
        const bool has_gpus = like_its_hosts && whole.devices.size() >= least;
        if (has_gpus) {
          machines_.hosts[host].gpu_count = static_cast<uint32_t>(whole.devices.size());
        }
        if (has_gpus || widest < least) number_rails(machines_.hosts[host], whole.devices);
      }
    }
  }

  void number_rails(const IbHost& host, const Devices& devices) {
    for (const uint32_t nic : host.nics) {
      const auto at =
          std::lower_bound(devices.begin(), devices.end(), machines_.nics[nic].device, device_less);
      machines_.nics[nic].rail = static_cast<int32_t>(at - devices.begin());
    }
  }

  // The switches a host with GPUs is plugged into.
  std::vector<uint32_t> leaves_of(const IbHost& host) const {
    std::vector<uint32_t> leaves;
    for (const uint32_t nic : host.nics) {
      if (machines_.nics[nic].peer != kNone) {
        leaves.push_back(static_cast<uint32_t>(machines_.nics[nic].peer));
      }
    }
    std::sort(leaves.begin(), leaves.end());
    leaves.erase(std::unique(leaves.begin(), leaves.end()), leaves.end());
    leaves.resize(std::min(leaves.size(), kLeavesPerHostMax));
    return leaves;
  }

  uint32_t root_of(uint32_t leaf) {
    while (parent_[leaf] != leaf) leaf = parent_[leaf] = parent_[parent_[leaf]];
    return leaf;
  }

  // Joins leaves that share at least half the hosts of the smaller one: one misplaced cable does
  // not join two racks.
  void join_leaves() {
    parent_.resize(fabric_.nodes.size());
    std::iota(parent_.begin(), parent_.end(), uint32_t{0});
    std::unordered_map<uint32_t, uint32_t> hosts_at;
    std::map<std::pair<uint32_t, uint32_t>, uint32_t> hosts_at_both;
    for (const IbHost& host : machines_.hosts) {
      if (host.gpu_count == 0) continue;
      const auto leaves = leaves_of(host);
      for (size_t i = 0; i < leaves.size(); ++i) {
        ++hosts_at[leaves[i]];
        for (size_t j = 0; j < i; ++j) ++hosts_at_both[{leaves[j], leaves[i]}];
      }
    }
    for (const auto& [leaves, shared] : hosts_at_both) {
      if (shared * 2 < std::min(hosts_at[leaves.first], hosts_at[leaves.second])) continue;
      parent_[root_of(leaves.second)] = root_of(leaves.first);
    }
  }

  void find_racks() {
    join_leaves();
    std::map<uint32_t, std::vector<uint32_t>> by_root;
    for (uint32_t i = 0; i < machines_.hosts.size(); ++i) {
      const IbHost& host = machines_.hosts[i];
      if (host.gpu_count == 0) continue;
      std::map<uint32_t, size_t> nics_at;
      for (const uint32_t nic : host.nics) {
        const int32_t peer = machines_.nics[nic].peer;
        if (peer != kNone) ++nics_at[root_of(static_cast<uint32_t>(peer))];
      }
      for (const auto& [root, count] : nics_at) {
        if (count * 2 > host.nics.size()) by_root[root].push_back(i);
      }
    }
    for (auto& [root, hosts] : by_root) {
      if (!divide(hosts)) machines_.racks.push_back({.hosts = std::move(hosts)});
    }
    std::sort(machines_.racks.begin(), machines_.racks.end(),
              [](const IbRack& a, const IbRack& b) { return a.hosts.front() < b.hosts.front(); });
  }

  bool is_tray(uint32_t host) const { return machines_.hosts[host].gpu_count == kTrayNics; }

  // Whether hosts are too many for one rack of trays, and their names say which are in which.
  bool divide(const std::vector<uint32_t>& hosts) {
    if (hosts.size() <= kTraysPerRackMax) return false;
    std::map<std::string_view, std::vector<uint32_t>> by_stem;
    for (const uint32_t host : hosts) {
      if (!is_tray(host)) return false;
      by_stem[name_stem(machines_.hosts[host].name)].push_back(host);
    }
    for (const auto& [stem, part] : by_stem) {
      if (part.size() < 2 || part.size() > kTraysPerRackMax) return false;
    }
    for (auto& [stem, part] : by_stem) machines_.racks.push_back({.hosts = std::move(part)});
    return true;
  }

  void place_rack(uint32_t index) {
    IbRack& rack = machines_.racks[index];
    rack.of_trays = rack.hosts.size() > 1 && rack.hosts.size() <= kTraysPerRackMax &&
                    std::all_of(rack.hosts.begin(), rack.hosts.end(),
                                [&](uint32_t host) { return is_tray(host); });
    for (const uint32_t host : rack.hosts) {
      machines_.hosts[host].rack = static_cast<int32_t>(index);
    }
  }

  // What the names of its hosts begin with, up to a separator.
  std::string common_name(const IbRack& rack) const {
    std::string_view common = name_stem(machines_.hosts[rack.hosts.front()].name);
    for (const uint32_t host : rack.hosts) {
      const std::string_view name = machines_.hosts[host].name;
      const auto differ = std::mismatch(common.begin(), common.end(), name.begin(), name.end());
      common = common.substr(0, static_cast<size_t>(differ.first - common.begin()));
    }
    const size_t separator = common.find_last_of("-_.");
    return std::string(common.substr(0, separator == std::string_view::npos ? 0 : separator));
  }

  // By their hosts where that tells all of them apart, else by number.
  void name_racks() {
    std::set<std::string> names;
    for (IbRack& rack : machines_.racks) {
      rack.name = common_name(rack);
      if (!rack.name.empty()) names.insert(rack.name);
    }
    if (names.size() == machines_.racks.size()) return;
    for (size_t i = 0; i < machines_.racks.size(); ++i) {
      machines_.racks[i].name = fmt::format("rack{}", i);
    }
  }

  // Rack and rail of a switch are those of most NICs that are plugged into it.
  void place_switches() {
    struct Votes {
      std::map<int32_t, size_t> racks, rails;
      size_t count = 0;
    };
    std::map<uint32_t, Votes> votes;
    for (const IbNic& nic : machines_.nics) {
      if (nic.peer == kNone || nic.host == kNone || nic.rail == kNone) continue;
      const IbHost& host = machines_.hosts[static_cast<size_t>(nic.host)];
      Votes& at = votes[static_cast<uint32_t>(nic.peer)];
      ++at.count;
      ++at.racks[host.rack];
      ++at.rails[nic.rail];
      if (host.gpu_count > 0)
        machines_.switches[static_cast<size_t>(nic.peer)].has_gpu_hosts = true;
    }
    for (const auto& [node, at] : votes) {
      for (const auto& [rack, count] : at.racks) {
        if (count * 2 > at.count) machines_.switches[node].rack = rack;
      }
      for (const auto& [rail, count] : at.rails) {
        if (count * 2 > at.count) machines_.switches[node].rail = rail;
      }
    }
  }

  const IbFabric& fabric_;
  IbMachines machines_;
  std::unordered_map<uint64_t, uint32_t> nic_at_;  // by node and port
  std::vector<std::pair<uint32_t, uint32_t>> ports_by_node_;
  std::vector<uint32_t> parent_;  // of leaves, where they belong together
};

}  // namespace

bool is_aggregation_node(const IbNode& node) {
  return node.kind == IbKind::adapter &&
         node.description.find("Aggregation Node") != std::string_view::npos;
}

IbMachines find_machines(const IbFabric& fabric) { return Finder(fabric).find(); }

}  // namespace unirack
