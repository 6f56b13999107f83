#include "lib/topology/formats/ibnetdiscover.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "lib/topology/formats/ibnetdiscover_machines.h"
#include "lib/topology/formats/ibnetdiscover_text.h"
#include "lib/topology/formats/names.h"
#include "lib/topology/formats/text_reader.h"

namespace unirack {

namespace {

constexpr uint64_t kGiga = 1'000'000'000;
constexpr int32_t kTierUnknown = -1;

// "MF0;A09-LEAF-04:MQM9701/U1" -> "A09-LEAF-04" and "MQM9701/U1"
struct SwitchName {
  std::string_view name;
  std::string_view model;
};

SwitchName switch_name(const IbNode& node) {
  std::string_view text = node.description;
  if (text.empty() || text.find("Mellanox") != std::string_view::npos) return {node.id, text};
  const size_t prefix = text.find(';');
  if (prefix == std::string_view::npos) return {text, {}};
  text.remove_prefix(prefix + 1);
  const size_t model = text.rfind(':');
  if (model == std::string_view::npos || model == 0) return {text, {}};
  return {text.substr(0, model), text.substr(model + 1)};
}

std::string_view guid_of(const IbNode& node) {
  const size_t dash = node.id.find('-');
  return dash == 1 ? node.id.substr(2) : node.id;
}

class GraphMaker {
 public:
  GraphMaker(const IbFabric& fabric, const IbMachines& machines,
             const IbnetdiscoverOptions& options)
      : fabric_(fabric), machines_(machines), options_(options) {}

  Result<GraphBuilder> make() {
    switches_.resize(fabric_.nodes.size());
    nics_.resize(machines_.nics.size());
    find_tiers();
    UNIRACK_TRY(add_switches());
    UNIRACK_TRY(add_nics());
    add_cables();
    add_warnings();
    UNIRACK_TRY(add_members());
    return std::move(builder_);
  }

 private:
  static constexpr auto kNvlinkPerRack = IbnetdiscoverOptions::NvlinkDomain::per_rack;
  static constexpr auto kNvlinkPerHost = IbnetdiscoverOptions::NvlinkDomain::per_host;

  bool is_switch(uint32_t node) const { return fabric_.nodes[node].kind != IbKind::adapter; }

  // Tier 0 has adapters, tier n + 1 is joined to tier n. Switches where only other adapters than
  // those of hosts with GPUs are plugged in (management, storage) are above their neighbours that
  // have such hosts.
  void find_tiers() {
    const size_t count = fabric_.nodes.size();
    tiers_.assign(count, kTierUnknown);
    std::vector<std::vector<uint32_t>> peers(count);
    for (const IbCable& cable : fabric_.cables) {
      if (!is_switch(cable.from) || !is_switch(cable.to)) continue;
      peers[cable.from].push_back(cable.to);
      peers[cable.to].push_back(cable.from);
    }
    std::vector<uint32_t> reached;
    for (uint32_t i = 0; i < count; ++i) {
      const IbSwitch& here = machines_.switches[i];
      const bool above =
          !here.has_gpu_hosts && std::any_of(peers[i].begin(), peers[i].end(), [&](uint32_t peer) {
            return machines_.switches[peer].has_gpu_hosts;
          });
      if (!here.has_adapters || above) continue;
      tiers_[i] = 0;
      reached.push_back(i);
    }
    for (size_t i = 0; i < reached.size(); ++i) {
      for (const uint32_t peer : peers[reached[i]]) {
        if (tiers_[peer] != kTierUnknown) continue;
        tiers_[peer] = tiers_[reached[i]] + 1;
        reached.push_back(peer);
      }
    }
    learn_shapes();
  }

  // Above the first two tiers a switch is the core of a deeper tree or a leaf whose hosts are all
  // gone; it is what its name is like.
  void learn_shapes() {
    for (uint32_t i = 0; i < fabric_.nodes.size(); ++i) {
      if (!is_switch(i) || tiers_[i] < 0 || tiers_[i] > 1) continue;
      const auto kind = tiers_[i] == 0 ? NodeKind::leaf : NodeKind::spine;
      const auto [known, is_new] =
          kind_of_shape_.emplace(name_shape(switch_name(fabric_.nodes[i]).name), kind);
      if (!is_new && known->second != kind) known->second = NodeKind::network_switch;
    }
  }

  NodeKind kind_of(uint32_t node, std::string_view name) const {
    if (fabric_.nodes[node].kind == IbKind::router) return NodeKind::network_switch;
    if (tiers_[node] == 0) return NodeKind::leaf;
    if (tiers_[node] == 1) return NodeKind::spine;
    const auto like = kind_of_shape_.find(name_shape(name));
    return like == kind_of_shape_.end() ? NodeKind::network_switch : like->second;
  }

  // Where a name is taken, the id makes it unique.
  Result<NodeIndex> add_unique(Node node, const IbNode& from) {
    if (builder_.find(node.name)) node.name = fmt::format("{}/{}", node.name, from.id);
    return builder_.add(std::move(node));
  }

  Status add_switches() {
    for (uint32_t i = 0; i < fabric_.nodes.size(); ++i) {
      if (!is_switch(i)) continue;
      const IbNode& from = fabric_.nodes[i];
      const IbSwitch& placed = machines_.switches[i];
      const SwitchName name = switch_name(from);
      Node node;
      node.kind = kind_of(i, name.name);
      node.name = name.name;
      if (node.kind == NodeKind::leaf) {
        node.rail = placed.rail;
        node.rack = rack_name(placed.rack);
      }
      node.reduces = placed.aggregates;
      if (!name.model.empty()) node.set_attribute("model", std::string(name.model));
      node.set_attribute("guid", std::string(guid_of(from)));
      switches_[i] = UNIRACK_TRY(add_unique(std::move(node), from));
    }
    return ok_status();
  }

  std::string rack_name(int32_t rack) const {
    return rack == kNone ? "" : machines_.racks[static_cast<size_t>(rack)].name;
  }

  Status add_nics() {
    for (size_t i = 0; i < machines_.nics.size(); ++i) {
      const IbNic& nic = machines_.nics[i];
      const IbNode& from = fabric_.nodes[nic.node];
      Node node;
      node.kind = NodeKind::nic;
      node.rail = nic.rail;
      if (nic.host != kNone) {
        const IbHost& host = machines_.hosts[static_cast<size_t>(nic.host)];
        node.host = host.name;
        node.rack = rack_name(host.rack);
        node.name = fmt::format("{}/nic/{}", host.name, nic.device);
      } else {
        node.name = fmt::format("nic/{}", guid_of(from));
        if (nic.port > 1) node.name += fmt::format(":{}", nic.port);
        node.set_attribute("description", std::string(from.description));
      }
      node.set_attribute("guid", std::string(guid_of(from)));
      if (nic.peer == kNone) {
        node.health = Health::down;
        add_warning(node, fmt::format("line {}: no port of the adapter is joined", from.line));
      }
      warn_of_rail(nic, node);
      nics_[i] = UNIRACK_TRY(add_unique(std::move(node), from));
      nic_at_[(uint64_t{nic.node} << 32) | nic.port] = nics_[i];
    }
    return ok_status();
  }

  void warn_of_rail(const IbNic& nic, Node& node) const {
    if (nic.peer == kNone || nic.rail == kNone) return;
    const IbSwitch& leaf = machines_.switches[static_cast<size_t>(nic.peer)];
    if (leaf.rail == kNone || leaf.rail == nic.rail) return;
    add_warning(node, fmt::format("is of rail {}, but plugged into {}, which is of rail {}",
                                  nic.rail, builder_name(nic.peer), leaf.rail));
  }

  std::string builder_name(int32_t node) const {
    return std::string(switch_name(fabric_.nodes[static_cast<size_t>(node)]).name);
  }

  std::optional<NodeIndex> end_of(uint32_t node, uint32_t port) const {
    if (is_switch(node)) return switches_[node];
    const auto nic = nic_at_.find((uint64_t{node} << 32) | port);
    if (nic == nic_at_.end()) return std::nullopt;  // an aggregation node
    return nic->second;
  }

  void add_cables() {
    for (const IbCable& cable : fabric_.cables) {
      const auto from = end_of(cable.from, cable.from_port);
      const auto to = end_of(cable.to, cable.to_port);
      if (!from || !to) continue;
      Link link;
      link.from = *from;
      link.to = *to;
      link.kind = LinkKind::infiniband;
      link.bandwidth = cable.from_bandwidth;
      builder_.connect(link);
      std::swap(link.from, link.to);
      link.bandwidth = cable.to_bandwidth;
      builder_.connect(link);
    }
    for (const IbCable& cable : fabric_.cables) note_rate(cable);
  }

  void note_rate(const IbCable& cable) {
    for (const uint32_t end : {cable.from, cable.to}) {
      if (is_switch(end)) continue;
      nic_bandwidth_ = std::max(nic_bandwidth_, cable.from_bandwidth);
    }
  }

  void add_warnings() {
    for (const auto& [node, text] : fabric_.warnings) {
      if (is_switch(node)) {
        add_warning(builder_.node(switches_[node]), text);
        continue;
      }
      // To all ports of an adapter: the line says which it is.
      for (auto nic = nic_at_.lower_bound(uint64_t{node} << 32);
           nic != nic_at_.end() && nic->first >> 32 == node; ++nic) {
        add_warning(builder_.node(nic->second), text);
      }
    }
    for (const auto& [nic, text] : machines_.warnings) {
      add_warning(builder_.node(nics_[nic]), text);
    }
  }

  Status add_members() {
    if (!options_.infer_gpus) return ok_status();
    const bool has_gpus = std::any_of(machines_.hosts.begin(), machines_.hosts.end(),
                                      [](const IbHost& host) { return host.gpu_count > 0; });
    int32_t rank = 0;
    for (const IbHost& host : machines_.hosts) {
      if (host.gpu_count > 0) {
        UNIRACK_TRY(add_gpus(host));
      } else if (!has_gpus) {
        UNIRACK_TRY(add_rank(host, rank++));
      }
    }
    return ok_status();
  }

  Node member(const IbHost& host, NodeKind kind, std::string name) const {
    Node node;
    node.kind = kind;
    node.name = fmt::format("{}/{}", host.name, name);
    node.host = host.name;
    node.rack = rack_name(host.rack);
    node.provenance = Provenance::assumed;
    return node;
  }

  // Joins a member to a NIC: only that they belong together is known.
  void pair(NodeIndex node, uint32_t nic) {
    builder_.join({.from = node,
                   .to = nics_[nic],
                   .kind = LinkKind::pcie,
                   .provenance = Provenance::assumed});
  }

  Status add_rank(const IbHost& host, int32_t rank) {
    Node node = member(host, NodeKind::rank, fmt::format("rank{}", rank));
    node.rank = rank;
    const NodeIndex index = UNIRACK_TRY(builder_.add(std::move(node)));
    for (const uint32_t nic : host.nics) pair(index, nic);
    return ok_status();
  }

  bool domain_is_rack(const IbHost& host) const {
    if (host.rack == kNone || options_.nvlink_domain == kNvlinkPerHost) return false;
    return options_.nvlink_domain == kNvlinkPerRack ||
           machines_.racks[static_cast<size_t>(host.rack)].of_trays;
  }

  Status add_gpus(const IbHost& host) {
    const bool in_rack = domain_is_rack(host);
    Node nvswitch = member(host, NodeKind::nvswitch, "nvswitch");
    nvswitch.domain = in_rack ? rack_name(host.rack) : host.name;
    if (in_rack) {
      nvswitch.name = nvswitch.domain + "/nvswitch";
      nvswitch.host.clear();
    }
    const std::string domain = nvswitch.domain;
    const NodeIndex hub = UNIRACK_TRY(builder_.find_or_add(std::move(nvswitch)));
    Link nvlink;
    nvlink.to = hub;
    nvlink.kind = LinkKind::nvlink;
    nvlink.count = options_.nvlink_count;
    nvlink.bandwidth = options_.nvlink_bandwidth;
    nvlink.provenance = Provenance::assumed;
    if (nvlink.bandwidth == 0) {
      nvlink.bandwidth = (in_rack || nic_bandwidth_ > 50 * kGiga ? 50 : 25) * kGiga;
    }
    std::vector<int64_t> nic_of_rail(host.gpu_count, kNone);
    for (const uint32_t nic : host.nics) {
      nic_of_rail[static_cast<size_t>(machines_.nics[nic].rail)] = nic;
    }
    for (uint32_t i = 0; i < host.gpu_count; ++i) {
      Node gpu = member(host, NodeKind::gpu, fmt::format("gpu{}", i));
      gpu.domain = domain;
      const int64_t nic = nic_of_rail[i];
      if (nic == kNone) add_warning(gpu, fmt::format("its host has no NIC of rail {}", i));
      nvlink.from = UNIRACK_TRY(builder_.add(std::move(gpu)));
      builder_.join(nvlink);
      if (nic != kNone) pair(nvlink.from, static_cast<uint32_t>(nic));
    }
    return ok_status();
  }

  const IbFabric& fabric_;
  const IbMachines& machines_;
  const IbnetdiscoverOptions& options_;
  GraphBuilder builder_;
  std::vector<int32_t> tiers_;                     // by node
  std::map<std::string, NodeKind> kind_of_shape_;  // of switches' names
  std::vector<NodeIndex> switches_;                // by node
  std::vector<NodeIndex> nics_;                    // by NIC
  std::map<uint64_t, NodeIndex> nic_at_;           // by node and port
  uint64_t nic_bandwidth_ = 0;                     // the fastest
};

}  // namespace

Result<Graph> read_ibnetdiscover(std::string_view text, const ReadOptions& options) {
  return read_ibnetdiscover(text, options, IbnetdiscoverOptions{});
}

Result<Graph> read_ibnetdiscover(std::string_view text, const ReadOptions& options,
                                 const IbnetdiscoverOptions& inferring) {
  const IbFabric fabric = UNIRACK_TRY(parse_ibnetdiscover(text));
  const IbMachines machines = find_machines(fabric);
  if (std::all_of(fabric.nodes.begin(), fabric.nodes.end(), is_aggregation_node)) {
    return bad_text(0, "",
                    "expected a 'Switch', or a 'Ca' of a host, found only aggregation nodes");
  }
  GraphBuilder builder = UNIRACK_TRY(GraphMaker(fabric, machines, inferring).make());
  return std::move(builder).build(options.file_name.empty() ? "ibnetdiscover"
                                                            : "ibnetdiscover " + options.file_name);
}

}  // namespace unirack
