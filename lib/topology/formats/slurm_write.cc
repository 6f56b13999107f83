#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <numeric>
#include <set>

#include "lib/topology/formats/hostlist.h"
#include "lib/topology/formats/names.h"
#include "lib/topology/formats/slurm.h"
#include "lib/topology/formats/text_reader.h"
#include "lib/topology/natural_order.h"
#include "lib/topology/reach.h"

namespace unirack {

namespace {

constexpr int kRoundsMax = 100;  // a tier takes one

bool is_switch(const Node& node) {
  return node.kind == NodeKind::leaf || node.kind == NodeKind::spine ||
         node.kind == NodeKind::network_switch;
}

// As Slurm can read it.
std::string plain_name(std::string_view name) {
  std::string result(name);
  for (char& c : result) {
    if (static_cast<unsigned char>(c) <= ' ' ||
        std::string_view("[],=#").find(c) != std::string_view::npos)
      c = '_';
  }
  return result;
}

std::string host_of(const Node& node) { return node.host.empty() ? node.name : node.host; }

std::string unique_name(std::string name, std::set<std::string>& taken) {
  const std::string stem = name;
  for (int i = 2; !taken.insert(name).second; ++i) name = fmt::format("{}.{}", stem, i);
  return name;
}

// Switches that stand for one switch of the file, and what is below them.
struct Group {
  std::vector<NodeIndex> switches;
  std::vector<std::string> hosts;
  std::vector<size_t> children;
  std::set<std::string> racks;
  size_t parent = SIZE_MAX;
  std::string name;
  bool used = false;
  size_t walk = SIZE_MAX;  // that found it used
};

class TreeWriter {
 public:
  explicit TreeWriter(const Graph& graph)
      : graph_(graph), set_of_(graph.nodes().size()), tiers_(graph.nodes().size(), 0) {
    std::iota(set_of_.begin(), set_of_.end(), NodeIndex{0});
  }

  Result<std::string> write() {
    list_switches();
    if (hosts_.empty()) {
      return make_error(Code::invalid_argument,
                        "cannot be written as a tree: expected hosts that are plugged into "
                        "switches, found none");
    }
    find_tiers();
    join_parents();
    UNIRACK_TRY(make_groups());
    add_roots();
    name_groups();
    return write_lines();
  }

 private:
  NodeIndex set(NodeIndex node) {
    while (set_of_[node] != node) node = set_of_[node] = set_of_[set_of_[node]];
    return node;
  }
  bool join(NodeIndex a, NodeIndex b) {
    a = set(a);
    b = set(b);
    if (a == b) return false;
    set_of_[std::max(a, b)] = std::min(a, b);
    return true;
  }

  void list_switches() {
    for (const Link& link : graph_.links()) {
      if (link.health == Health::down) continue;
      const Node& from = graph_.node(link.from);
      const Node& to = graph_.node(link.to);
      if (!is_switch(to)) continue;
      if (is_switch(from)) {
        cables_.emplace_back(link.from, link.to);
        cables_.emplace_back(link.to, link.from);
      } else if (from.kind != NodeKind::nvswitch) {
        hosts_[host_of(from)].insert(link.to);
        if (!from.rack.empty()) racks_[host_of(from)] = from.rack;
      }
    }
    drop_hosts_without_members();
    std::sort(cables_.begin(), cables_.end());
    cables_.erase(std::unique(cables_.begin(), cables_.end()), cables_.end());
  }

  // Adapters of nobody and machines that take no part are no nodes of a scheduler.
  void drop_hosts_without_members() {
    std::set<std::string> with_members;
    for (const NodeIndex member : graph_.members())
      with_members.insert(host_of(graph_.node(member)));
    if (with_members.empty()) return;
    std::erase_if(hosts_, [&](const auto& each) { return !with_members.contains(each.first); });
  }

  // As the file said that the graph is from; else the distance from hosts.
  void find_tiers() {
    constexpr uint32_t kFar = UINT32_MAX;
    bool all_say = true;
    for (NodeIndex i = 0; i < graph_.nodes().size(); ++i) {
      if (!is_switch(graph_.node(i))) continue;
      const auto tier = number_from<uint32_t>(graph_.node(i).attribute("tier"));
      all_say = all_say && tier.has_value();
      tiers_[i] = tier.value_or(0);
    }
    if (all_say) return;
    std::fill(tiers_.begin(), tiers_.end(), kFar);
    std::vector<NodeIndex> reached;
    for (const auto& [host, switches] : hosts_) {
      for (const NodeIndex each : switches) {
        if (tiers_[each] == kFar) reached.push_back(each);
        tiers_[each] = 0;
      }
    }
    for (size_t i = 0; i < reached.size(); ++i) {
      for (auto cable = first_cable(reached[i]);
           cable != cables_.end() && cable->first == reached[i]; ++cable) {
        if (tiers_[cable->second] != kFar) continue;
        tiers_[cable->second] = tiers_[reached[i]] + 1;
        reached.push_back(cable->second);
      }
    }
  }

  std::vector<std::pair<NodeIndex, NodeIndex>>::const_iterator first_cable(NodeIndex node) const {
    return std::lower_bound(cables_.begin(), cables_.end(), std::pair(node, NodeIndex{0}));
  }

  // The switches of a host are one, and so are the switches above one.
  void join_parents() {
    for (const auto& [host, switches] : hosts_) {
      for (const NodeIndex each : switches) join(*switches.begin(), each);
    }
    bool changed = true;
    for (int round = 0; changed && round < kRoundsMax; ++round) {
      changed = false;
      std::map<NodeIndex, NodeIndex> above;  // by set
      for (const auto& [below, up] : cables_) {
        if (tiers_[up] <= tiers_[below] || set(up) == set(below)) continue;
        const auto [known, is_new] = above.emplace(set(below), up);
        if (!is_new && set(known->second) != set(below))
          changed = join(known->second, up) || changed;
      }
    }
  }

  Status make_groups() {
    std::map<NodeIndex, size_t> index;
    const auto group_of = [&](NodeIndex node) {
      const auto [known, is_new] = index.emplace(set(node), groups_.size());
      if (is_new) groups_.emplace_back();
      return known->second;
    };
    for (NodeIndex i = 0; i < graph_.nodes().size(); ++i) {
      if (!is_switch(graph_.node(i))) continue;
      groups_[group_of(i)].switches.push_back(i);
    }
    for (const auto& [host, switches] : hosts_) {
      Group& group = groups_[group_of(*switches.begin())];
      group.hosts.push_back(host);
      group.racks.insert(racks_.contains(host) ? racks_[host] : "");
    }
    for (const auto& [below, up] : cables_) {
      if (tiers_[up] > tiers_[below] && set(up) != set(below)) {
        groups_[group_of(below)].parent = group_of(up);
      }
    }
    UNIRACK_TRY(mark_used());
    for (size_t i = 0; i < groups_.size(); ++i) {
      const size_t parent = groups_[i].parent;
      if (groups_[i].used && parent != SIZE_MAX) groups_[parent].children.push_back(i);
    }
    return ok_status();
  }

  // Those with hosts below them: Slurm refuses switches without nodes.
  Status mark_used() {
    for (size_t i = 0; i < groups_.size(); ++i) {
      if (groups_[i].hosts.empty() || groups_[i].used) continue;
      size_t at = i;
      for (; at != SIZE_MAX && !groups_[at].used; at = groups_[at].parent) {
        groups_[at].used = true;
        groups_[at].walk = i;
      }
      // Where the way up ends at what was used before, that was by another walk.
      if (at != SIZE_MAX && groups_[at].walk == i) {
        return make_error(Code::invalid_argument,
                          "cannot be written as a tree: switches stand above each other");
      }
    }
    return ok_status();
  }

  // Roots that cables connect get a common one, since Slurm runs no job across two trees.
  void add_roots() {
    for (const auto& [a, b] : cables_) join(a, b);
    std::map<NodeIndex, std::vector<size_t>> roots;
    for (size_t i = 0; i < groups_.size(); ++i) {
      if (groups_[i].parent != SIZE_MAX || !groups_[i].used) continue;
      roots[set(groups_[i].switches.front())].push_back(i);
    }
    for (const auto& [component, members] : roots) {
      if (members.size() < 2) continue;
      Group root;
      root.children = members;
      root.used = true;
      root.name = "fabric";
      groups_.push_back(std::move(root));
    }
  }

  void name_groups() {
    std::map<std::string, int> uses;  // of racks
    for (const Group& group : groups_) {
      for (const auto& rack : group.racks) ++uses[rack];
    }
    std::set<std::string> taken;
    for (Group& group : groups_) {
      if (group.switches.size() > 1 && group.racks.size() == 1 && !group.racks.begin()->empty() &&
          uses[*group.racks.begin()] == 1) {
        group.name = *group.racks.begin();
      } else if (!group.switches.empty()) {
        const NodeIndex first = *std::min_element(
            group.switches.begin(), group.switches.end(), [&](NodeIndex a, NodeIndex b) {
              return natural_less(graph_.node(a).name, graph_.node(b).name);
            });
        group.name = graph_.node(first).name;
      }
      group.name = unique_name(plain_name(group.name), taken);
      // A line has nodes or switches, not both.
      if (group.hosts.empty() || group.children.empty()) continue;
      group.racks = {unique_name(group.name + ".nodes", taken)};
    }
  }

  Result<std::string> write_lines() {
    std::vector<size_t> order(groups_.size());
    std::iota(order.begin(), order.end(), size_t{0});
    std::sort(order.begin(), order.end(),
              [&](size_t a, size_t b) { return natural_less(groups_[a].name, groups_[b].name); });
    std::string text;
    for (const size_t i : order) {
      const Group& group = groups_[i];
      if (!group.used) continue;
      std::string nodes_name = group.name;
      if (!group.children.empty()) {
        std::vector<std::string> children;
        for (const size_t child : group.children) children.push_back(groups_[child].name);
        if (!group.hosts.empty()) children.push_back(nodes_name = *group.racks.begin());
        text += fmt::format("SwitchName={} Switches={}{}\n", group.name,
                            UNIRACK_TRY(compress_hostlist(children)), speed_of(group));
      }
      if (!group.hosts.empty()) {
        text += fmt::format("SwitchName={} Nodes={}{}\n", nodes_name,
                            UNIRACK_TRY(compress_hostlist(group.hosts)), speed_of(group));
      }
    }
    return text;
  }

  std::string speed_of(const Group& group) const {
    if (group.switches.size() != 1) return "";
    const auto speed = graph_.node(group.switches.front()).attribute("link_speed");
    return speed.empty() ? "" : fmt::format(" LinkSpeed={}", plain_name(speed));
  }

  const Graph& graph_;
  std::vector<NodeIndex> set_of_;                     // disjoint sets of switches
  std::vector<uint32_t> tiers_;                       // by node
  std::map<std::string, std::set<NodeIndex>> hosts_;  // the switches of each
  std::map<std::string, std::string> racks_;          // of hosts
  std::vector<std::pair<NodeIndex, NodeIndex>> cables_;
  std::vector<Group> groups_;
};

// The base size and what can be made of it by doubling.
std::string block_sizes(size_t smallest, size_t blocks) {
  std::string sizes = std::to_string(smallest);
  for (size_t of = 2; of <= blocks; of *= 2) sizes += fmt::format(",{}", smallest * of);
  return sizes;
}

}  // namespace

Result<std::string> write_slurm_tree(const Graph& graph) { return TreeWriter(graph).write(); }

Result<std::string> write_slurm_block(const Graph& graph) {
  std::map<std::string, std::string> block_of;  // by host
  std::map<std::string, std::vector<std::string>, decltype(&natural_less)> blocks(&natural_less);
  std::set<std::string> taken;
  for (const Domain& domain : find_domains(graph)) {
    const std::string name = unique_name(plain_name(domain.name), taken);
    for (const NodeIndex member : domain.members) {
      const auto [known, is_new] = block_of.emplace(host_of(graph.node(member)), name);
      if (is_new) blocks[name].push_back(known->first);
    }
  }
  if (blocks.empty()) {
    return make_error(Code::invalid_argument,
                      "cannot be written as blocks: expected domains, found none");
  }
  size_t smallest = SIZE_MAX;
  std::string text;
  for (const auto& [name, hosts] : blocks) {
    text += fmt::format("BlockName={} Nodes={}\n", name, UNIRACK_TRY(compress_hostlist(hosts)));
    smallest = std::min(smallest, hosts.size());
  }
  return text + fmt::format("BlockSizes={}\n", block_sizes(smallest, blocks.size()));
}

}  // namespace unirack
