// Hosts against their like, and NICs against those of their rail.
#include <fmt/format.h>

#include <optional>

#include "lib/base/bytes.h"
#include "lib/topology/check/check_parts.h"
#include "lib/topology/discover/sysfs.h"
#include "lib/topology/natural_order.h"

namespace unirack {
namespace {

struct Host {
  std::vector<NodeIndex> gpus;
  std::vector<NodeIndex> nics;   // that are up, or may be
  std::set<std::string> places;  // of the NICs: "rail 2", or "mlx5_2" where rails are not known
};

// The part of a node's name after its host: "nic/mlx5_0".
std::string short_name(const Node& node) {
  const bool below = node.name.size() > node.host.size() && node.name.starts_with(node.host);
  return below ? node.name.substr(node.host.size() + 1) : node.name;
}

// Of a NIC to its switch; else as its port says. 0: not known.
uint64_t speed_of(const Graph& graph, NodeIndex nic) {
  uint64_t bandwidth = 0;
  for (const LinkIndex each : graph.links_from(nic)) {
    const Link& link = graph.link(each);
    if (is_network_link(link.kind)) bandwidth += link.total_bandwidth();
  }
  if (bandwidth > 0) return bandwidth;
  const auto megabits = parse_integer(graph.node(nic).attribute("speed_mbps"));
  return megabits && *megabits > 0 ? static_cast<uint64_t>(*megabits) * 125'000 : 0;
}

class HostCheck {
 public:
  explicit HostCheck(Checkup& checkup) : checkup_(checkup), graph_(checkup.graph) {}

  void run() {
    for (NodeIndex i = 0; i < graph_.nodes().size(); ++i) {
      const Node& node = graph_.node(i);
      if (node.kind == NodeKind::gpu && !node.host.empty()) hosts_[node.host].gpus.push_back(i);
      if (node.kind == NodeKind::nic) add_nic(i);
    }
    // Hosts without GPUs (storage, login) have no like here.
    std::erase_if(hosts_, [](const auto& host) { return host.second.gpus.empty(); });
    missing_gpus();
    missing_nics();
    nics_that_are_down();
    slow_nics();
    unbalanced_rails();
    unprovisioned();
  }

 private:
  void add_nic(NodeIndex index) {
    const Node& nic = graph_.node(index);
    if (nic.host.empty()) {
      nameless_.push_back(index);
      return;
    }
    if (nic.health == Health::down) {
      down_.push_back(index);
      return;
    }
    Host& host = hosts_[nic.host];
    host.nics.push_back(index);
    host.places.insert(nic.rail >= 0 ? fmt::format("rail {}", nic.rail) : short_name(nic));
  }

  void missing_gpus() {
    std::map<size_t, size_t> counts;
    for (const auto& [name, host] : hosts_) ++counts[host.gpus.size()];
    const size_t usual = most_common(counts);
    std::vector<std::string> texts;
    std::vector<NodeIndex> nodes;
    for (const auto& [name, host] : hosts_) {
      if (host.gpus.size() >= usual) continue;
      texts.push_back(fmt::format("{} has {}", name, host.gpus.size()));
      reported_.insert(name);
      nodes.insert(nodes.end(), host.gpus.begin(), host.gpus.end());
    }
    if (nodes.empty()) return;
    std::sort(texts.begin(), texts.end(), natural_less);
    checkup_.add(Severity::warning, "missing_gpu",
                 fmt::format("{} of {} hosts have fewer than the usual {}: {}", texts.size(),
                             hosts_.size(), counted(usual, "GPU"), list_up(texts)),
                 "on those hosts: nvidia-smi -L; dmesg | grep -i xid (\"fallen off the bus\")",
                 nodes);
  }

  // Where most hosts have a NIC that some lack.
  void missing_nics() {
    std::map<std::string, size_t> hosts_with;
    for (const auto& [name, host] : hosts_) {
      for (const std::string& place : host.places) ++hosts_with[place];
    }
    std::vector<std::string> texts;
    std::vector<NodeIndex> nodes;
    for (const auto& [name, host] : hosts_) {
      if (checkup_.explained_hosts.contains(name) || reported_.contains(name)) continue;
      std::vector<std::string> lacks;
      for (const auto& [place, count] : hosts_with) {
        if (count * 2 > hosts_.size() && !host.places.contains(place)) lacks.push_back(place);
      }
      // Another naming of as many NICs is not a defect.
      if (lacks.empty() || host.nics.size() >= usual_nics()) continue;
      texts.push_back(fmt::format("{} ({})", name, list_up(lacks, 4)));
      nodes.insert(nodes.end(), host.gpus.begin(), host.gpus.end());
      reported_.insert(name);
    }
    if (texts.empty()) return;
    std::sort(texts.begin(), texts.end(), natural_less);
    checkup_.add(Severity::error, "missing_nic",
                 fmt::format("{} of {} hosts lack NICs that the others have: {}", texts.size(),
                             hosts_.size(), list_up(texts)),
                 "on those hosts: lspci | grep -i mellanox; ibstat; is the port down, the cable "
                 "out, or the driver not loaded (modprobe mlx5_ib)?",
                 nodes);
  }

  size_t usual_nics() const {
    std::map<size_t, size_t> counts;
    for (const auto& [name, host] : hosts_) ++counts[host.nics.size()];
    return most_common(counts);
  }

  void nics_that_are_down() {
    std::vector<NodeIndex> rdma;
    std::vector<NodeIndex> plain;
    for (const NodeIndex nic : down_) {
      const Node& node = graph_.node(nic);
      const bool matters = node.attribute("rdma") == "yes" || node.rail >= 0;
      (matters ? rdma : plain).push_back(nic);
    }
    if (!rdma.empty()) {
      checkup_.add(
          Severity::warning, "nic_down",
          fmt::format("{} down: {}", counted(rdma.size(), "RDMA port"), checkup_.names_of(rdma)),
          "ibstat DEVICE for the physical state; check cable and transceiver: mlxlink -d "
          "DEVICE -m",
          rdma);
    }
    if (!plain.empty()) {
      checkup_.add(Severity::info, "interface_down",
                   fmt::format("{} down: {}", counted(plain.size(), "network interface"),
                               checkup_.names_of(plain)),
                   "", plain);
    }
  }

  // Of one rail, or of one name, over all hosts.
  void slow_nics() {
    std::map<std::string, std::vector<std::pair<NodeIndex, uint64_t>>> by_place;
    for (const auto& [name, host] : hosts_) {
      for (const NodeIndex nic : host.nics) {
        const uint64_t speed = speed_of(graph_, nic);
        const Node& node = graph_.node(nic);
        if (speed == 0) continue;
        by_place[node.rail >= 0 ? "rails" : short_name(node)].emplace_back(nic, speed);
      }
    }
    std::vector<NodeIndex> slow;
    std::set<std::pair<uint64_t, uint64_t>> rates;
    for (const auto& [place, nics] : by_place) {
      std::map<uint64_t, size_t> counts;
      for (const auto& [nic, speed] : nics) ++counts[speed];
      const uint64_t usual = most_common(counts);
      for (const auto& [nic, speed] : nics) {
        if (speed >= usual) continue;
        slow.push_back(nic);
        rates.emplace(speed, usual);
      }
    }
    if (slow.empty()) return;
    std::vector<std::string> texts;
    for (const auto& [here, usual] : rates) {
      texts.push_back(fmt::format("{} instead of {}", gigabytes(here), gigabytes(usual)));
    }
    checkup_.add(Severity::warning, "slow_nic",
                 fmt::format("{} slower than the same of other hosts ({}): {}",
                             counted(slow.size(), "NIC"), list_up(texts), checkup_.names_of(slow)),
                 "read rate and width at both ends of the cable: ibstat, iblinkinfo, or ethtool; a "
                 "4x port that trained to 1x wants a new cable",
                 slow);
  }

  void unbalanced_rails() {
    std::map<int32_t, size_t> sizes;
    for (const auto& [name, host] : hosts_) {
      // What these lack has been said.
      if (checkup_.explained_hosts.contains(name) || reported_.contains(name)) continue;
      for (const NodeIndex nic : host.nics) {
        if (graph_.node(nic).rail >= 0) ++sizes[graph_.node(nic).rail];
      }
    }
    if (sizes.empty()) return;
    std::map<size_t, size_t> counts;
    for (const auto& [rail, size] : sizes) ++counts[size];
    if (counts.size() < 2) return;
    std::vector<std::string> texts;
    std::vector<NodeIndex> nodes;
    const size_t usual = most_common(counts);
    for (const auto& [rail, size] : sizes) {
      if (size == usual) continue;
      texts.push_back(fmt::format("rail {} has {}", rail, size));
      for (NodeIndex i = 0; i < graph_.nodes().size(); ++i) {
        if (graph_.node(i).kind == NodeKind::leaf && graph_.node(i).rail == rail) {
          nodes.push_back(i);
        }
      }
    }
    checkup_.add(Severity::warning, "unbalanced_rails",
                 fmt::format("rails have {} NICs as a rule, but {}", usual, list_up(texts)),
                 "collectives move at the pace of the smallest rail; check how these NICs are "
                 "plugged in",
                 nodes);
  }

  void unprovisioned() {
    if (nameless_.empty()) return;
    checkup_.add(Severity::info, "nameless_nic",
                 fmt::format("{} of no named host: {}", counted(nameless_.size(), "adapter"),
                             checkup_.names_of(nameless_)),
                 "hosts that are off or not provisioned; their names come with the driver "
                 "(rdma-ndd)",
                 nameless_);
  }

  Checkup& checkup_;
  const Graph& graph_;
  std::map<std::string, Host> hosts_;
  std::vector<NodeIndex> down_;
  std::vector<NodeIndex> nameless_;
  std::set<std::string> reported_;  // lack something, so their rails are short
};

}  // namespace

void check_hosts(Checkup& checkup) { HostCheck(checkup).run(); }

}  // namespace unirack
