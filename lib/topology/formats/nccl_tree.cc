#include "lib/topology/formats/nccl_tree.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <set>
#include <unordered_map>

#include "lib/topology/formats/pci_text.h"
#include "lib/topology/formats/text_reader.h"
#include "lib/topology/rates.h"

namespace unirack {

namespace {

// Builds the tree of one host.
class TreeBuilder {
 public:
  TreeBuilder(const Graph& graph, std::string name, const std::vector<NodeIndex>& nodes)
      : graph_(graph), nodes_(nodes) {
    host_.name = std::move(name);
  }

  NcclHost build();

 private:
  size_t add(std::optional<NodeIndex> node, std::optional<size_t> parent, uint64_t bandwidth);
  void add_below(size_t item);
  void add_partners(NodeIndex gpu);
  size_t cpu_of(NodeIndex node);
  size_t bridge_of(size_t gpu);
  bool is_placed(NodeIndex node) const { return item_of_.contains(node); }
  bool is_pcilink(NodeIndex from, NodeIndex to) const;
  std::string busid_of(std::optional<NodeIndex> node);
  void set_roles(NcclItem& item, std::optional<size_t> parent);
  template <class Visit>
  void each_of(NodeKind kind, Visit visit) {
    for (const NodeIndex node : nodes_) {
      if (graph_.node(node).kind == kind) visit(node);
    }
  }

  const Graph& graph_;
  const std::vector<NodeIndex>& nodes_;  // of the host, ascending
  NcclHost host_;
  std::unordered_map<NodeIndex, size_t> item_of_;
  std::vector<size_t> parent_of_;
  std::set<std::string> busids_;  // in use
  uint32_t made_up_ = 0;
  int gpu_count_ = 0;
  int port_count_ = 0;
};

// A link that the reader made of <pcilink>: beside the tree, not in it.
bool TreeBuilder::is_pcilink(NodeIndex from, NodeIndex to) const {
  if (graph_.node(from).kind != NodeKind::pcie || graph_.node(to).kind != NodeKind::pcie) {
    return false;
  }
  const auto names = [&](NodeIndex a, NodeIndex b) {
    const std::string_view target = graph_.node(b).attribute("pci");
    const auto targets = words_of(graph_.node(a).attribute("pcilinks"));
    return std::find(targets.begin(), targets.end(), target) != targets.end();
  };
  return names(from, to) || names(to, from);
}

// Its own, or one that nobody of the host has.
std::string TreeBuilder::busid_of(std::optional<NodeIndex> node) {
  if (node) {
    const std::string_view own = graph_.node(*node).attribute("pci");
    if (const auto address = pci_address_from(own)) return std::string(own);
  }
  for (;;) {
    ++made_up_;
    std::string busid =
        to_text(PciAddress{0xffff - (made_up_ >> 13), (made_up_ >> 5) & 0xff, made_up_ & 0x1f, 0});
    if (busids_.insert(busid).second) return busid;
  }
}

void TreeBuilder::set_roles(NcclItem& item, std::optional<size_t> parent) {
  if (!item.node) return;
  const Node& node = graph_.node(*item.node);
  if (node.kind == NodeKind::gpu) item.number = gpu_count_++;
  if (node.kind == NodeKind::nic) item.number = port_count_++;
  if (!parent || node.kind == NodeKind::pcie) return;
  const NcclItem& above = host_.items[*parent];
  const bool below_bridge = above.node && graph_.node(*above.node).kind == NodeKind::pcie;
  const std::string_view pci = node.attribute("pci");
  item.is_function = below_bridge && !pci.empty() && node.attribute("class").empty() &&
                     pci == graph_.node(*above.node).attribute("pci");
  const bool below_cpu = pci.empty() && !node.attribute("nic_group").empty() && !below_bridge;
  item.is_port = node.kind == NodeKind::nic && (item.is_function || below_cpu);
}

size_t TreeBuilder::add(std::optional<NodeIndex> node, std::optional<size_t> parent,
                        uint64_t bandwidth) {
  const size_t index = host_.items.size();
  NcclItem item{.node = node, .bandwidth = bandwidth};
  set_roles(item, parent);
  if (parent && !item.is_function && !item.is_port) item.busid = busid_of(node);
  host_.items.push_back(std::move(item));
  parent_of_.push_back(parent.value_or(index));
  if (parent) host_.items[*parent].children.push_back(index);
  if (node) item_of_.emplace(*node, index);
  return index;
}

// Everything that hangs on it by PCI, level by level.
void TreeBuilder::add_below(size_t first) {
  std::vector<size_t> level = {first};
  while (!level.empty()) {
    std::vector<size_t> next;
    for (const size_t item : level) {
      const NodeIndex from = *host_.items[item].node;
      for (const LinkIndex index : graph_.links_from(from)) {
        const Link& link = graph_.link(index);
        const Node& to = graph_.node(link.to);
        if (link.kind != LinkKind::pcie || to.host != host_.name || is_placed(link.to)) continue;
        if (to.kind != NodeKind::pcie && to.kind != NodeKind::gpu && to.kind != NodeKind::nic) {
          continue;
        }
        if (is_pcilink(from, link.to)) continue;
        const size_t added = add(link.to, item, link.bandwidth);
        if (to.kind == NodeKind::pcie) next.push_back(added);
      }
    }
    level = std::move(next);
  }
}

// The NUMA node that it is at: by a link, by its number, else the first.
size_t TreeBuilder::cpu_of(NodeIndex node) {
  for (const LinkIndex index : graph_.links_from(node)) {
    const NodeIndex to = graph_.link(index).to;
    const auto found = item_of_.find(to);
    if (found != item_of_.end() && graph_.node(to).kind == NodeKind::cpu) return found->second;
  }
  const std::string_view numa = graph_.node(node).attribute("numa");
  for (const size_t root : host_.roots) {
    const auto& cpu = host_.items[root].node;
    if (!numa.empty() && cpu && graph_.node(*cpu).attribute("numa") == numa) return root;
  }
  return host_.roots.front();
}

// The bridge that a GPU is behind; one is made up where it is at the CPU itself.
size_t TreeBuilder::bridge_of(size_t gpu) {
  const size_t parent = parent_of_[gpu];
  if (std::find(host_.roots.begin(), host_.roots.end(), parent) == host_.roots.end()) return parent;
  const size_t bridge = add(std::nullopt, parent, 0);
  auto& siblings = host_.items[parent].children;
  siblings.erase(std::find(siblings.begin(), siblings.end(), gpu));
  host_.items[bridge].children.push_back(gpu);
  parent_of_[gpu] = bridge;
  return bridge;
}

// NICs that are known only to be beside a GPU.
void TreeBuilder::add_partners(NodeIndex gpu) {
  for (const LinkIndex index : graph_.links_from(gpu)) {
    const Link& link = graph_.link(index);
    const Node& to = graph_.node(link.to);
    if (link.kind != LinkKind::pcie || to.kind != NodeKind::nic || to.host != host_.name) continue;
    if (!is_placed(link.to)) add(link.to, bridge_of(item_of_[gpu]), link.bandwidth);
  }
}

NcclHost TreeBuilder::build() {
  for (const NodeIndex node : nodes_) {
    busids_.emplace(graph_.node(node).attribute("pci"));
    for (const LinkIndex index : graph_.links_from(node)) {
      host_.has_c2c = host_.has_c2c || graph_.link(index).kind == LinkKind::c2c;
    }
  }
  each_of(NodeKind::cpu, [&](NodeIndex cpu) {
    host_.roots.push_back(add(cpu, std::nullopt, 0));
    host_.items.back().number = static_cast<int>(host_.roots.size()) - 1;
  });
  if (host_.roots.empty()) host_.roots.push_back(add(std::nullopt, std::nullopt, 0));
  const size_t cpu_count = host_.roots.size();
  for (size_t i = 0; i < cpu_count; ++i) {
    if (host_.items[host_.roots[i]].node) add_below(host_.roots[i]);
  }
  each_of(NodeKind::pcie, [&](NodeIndex bridge) {
    if (!is_placed(bridge)) add_below(add(bridge, cpu_of(bridge), 0));
  });
  each_of(NodeKind::gpu, [&](NodeIndex gpu) {
    if (!is_placed(gpu)) add(gpu, cpu_of(gpu), 0);
  });
  each_of(NodeKind::gpu, [&](NodeIndex gpu) { add_partners(gpu); });
  each_of(NodeKind::nic, [&](NodeIndex nic) {
    if (!is_placed(nic)) add(nic, cpu_of(nic), 0);
  });
  return std::move(host_);
}

}  // namespace

bool is_gpu_class(std::string_view pci_class) {
  return pci_class.starts_with("0x03") || pci_class.starts_with("0x12");
}

std::vector<NcclHost> nccl_hosts_of(const Graph& graph) {
  std::vector<std::string> names;
  std::unordered_map<std::string, std::vector<NodeIndex>> nodes;
  for (NodeIndex i = 0; i < graph.nodes().size(); ++i) {
    const Node& node = graph.node(i);
    if (node.kind != NodeKind::cpu && node.kind != NodeKind::pcie && node.kind != NodeKind::gpu &&
        node.kind != NodeKind::nic) {
      continue;
    }
    auto& of_host = nodes[node.host];
    if (of_host.empty()) names.push_back(node.host);
    of_host.push_back(i);
  }
  std::vector<NcclHost> hosts;
  for (const std::string& name : names) {
    hosts.push_back(TreeBuilder(graph, name, nodes[name]).build());
  }
  return hosts;
}

NvlinkTargets nvlink_targets_of(const Graph& graph, NodeIndex gpu) {
  NvlinkTargets targets;
  for (const LinkIndex index : graph.links_from(gpu)) {
    const Link& link = graph.link(index);
    if (link.kind != LinkKind::nvlink && link.kind != LinkKind::xgmi) continue;
    if (link.health == Health::down) continue;
    const NodeKind kind = graph.node(link.to).kind;
    if (kind == NodeKind::gpu) {
      targets.to_gpus[link.to] += link.count;
    } else {
      (kind == NodeKind::cpu ? targets.to_cpu : targets.to_switch) += link.count;
    }
  }
  return targets;
}

GpusByBus gpus_by_bus(const Graph& graph) {
  GpusByBus gpus;
  for (NodeIndex i = 0; i < graph.nodes().size(); ++i) {
    const Node& node = graph.node(i);
    if (node.kind != NodeKind::gpu) continue;
    gpus.emplace(std::pair(std::string_view(node.host), lower_case(node.attribute("pci"))), i);
  }
  return gpus;
}

NvlinkTargets nvlink_targets_from(const GpusByBus& gpus, std::string_view host,
                                  std::string_view kept) {
  NvlinkTargets targets;
  for (const std::string_view each : words_of(kept)) {
    const auto parts = split(each, ',');
    const auto count = parts.size() == 3 ? number_from<uint32_t>(parts[1]) : std::nullopt;
    if (!count) return {};
    const auto peer = gpus.find(std::pair(host, lower_case(parts[0])));
    if (is_gpu_class(parts[2]) || (parts[2].empty() && peer != gpus.end())) {
      if (peer != gpus.end() && *count > 0) targets.to_gpus[peer->second] += *count;
    } else {
      (parts[2].starts_with("0x068001") ? targets.to_cpu : targets.to_switch) += *count;
    }
  }
  return targets;
}

bool says_rate(std::string_view link_speed, std::string_view link_width, uint64_t bandwidth) {
  if (bandwidth == 0) return true;
  const auto speed = pci_speed_from(link_speed);
  const auto width = number_from<unsigned>(link_width);
  return speed && width && pcie_bandwidth(*speed, *width) == bandwidth;
}

PciSteps pci_steps_of(uint64_t bandwidth) {
  struct Speed {
    std::string_view text;
    double gigatransfers;
  };
  static constexpr std::array kSpeeds = {Speed{"64.0 GT/s PCIe", 64}, Speed{"32.0 GT/s PCIe", 32},
                                         Speed{"16.0 GT/s PCIe", 16}, Speed{"8.0 GT/s PCIe", 8},
                                         Speed{"5.0 GT/s PCIe", 5},   Speed{"2.5 GT/s PCIe", 2.5}};
  if (bandwidth == 0) return {"", 0};
  PciSteps nearest{"", 0};
  uint64_t distance = UINT64_MAX;
  for (const unsigned width : {16u, 8u, 4u, 2u, 1u}) {
    for (const Speed& speed : kSpeeds) {
      const uint64_t step = pcie_bandwidth(speed.gigatransfers, width);
      const uint64_t apart = step > bandwidth ? step - bandwidth : bandwidth - step;
      if (apart >= distance) continue;
      distance = apart;
      nearest = {speed.text, width};
    }
  }
  return nearest;
}

std::string_view name_of_port(const Node& node) {
  const std::string_view name = node.name;
  const std::string start = node.host + "/nic/";
  if (name.starts_with(start)) return name.substr(start.size());
  const size_t slash = name.rfind('/');
  return slash == std::string_view::npos ? name : name.substr(slash + 1);
}

uint64_t network_bandwidth(const Graph& graph, NodeIndex port) {
  uint64_t fastest = 0;
  for (const LinkIndex index : graph.links_from(port)) {
    const Link& link = graph.link(index);
    if (link.kind == LinkKind::infiniband || link.kind == LinkKind::ethernet) {
      fastest = std::max(fastest, link.bandwidth);
    }
  }
  return fastest;
}

bool has_network(const Graph& graph, NodeIndex port) {
  const Node& node = graph.node(port);
  for (const std::string_view key : {"dev", "speed_mbps", "port", "guid"}) {
    if (!node.attribute(key).empty()) return true;
  }
  return name_of_port(node) != node.attribute("pci") || network_bandwidth(graph, port) > 0;
}

}  // namespace unirack
