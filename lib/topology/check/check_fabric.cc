// Leaves and spines: what is missing, what has lost cables, what carries more below than above.
#include <fmt/format.h>

#include <optional>

#include "lib/topology/check/check_parts.h"
#include "lib/topology/natural_order.h"

namespace unirack {
namespace {

struct Leaf {
  NodeIndex node = 0;
  uint64_t down_bandwidth = 0;  // to NICs of hosts
  uint64_t up_bandwidth = 0;
  uint32_t down_count = 0;
  uint32_t up_count = 0;
  std::map<NodeIndex, uint32_t> cables;  // by switch above it
};

// A leaf is compared with those of its kind: of its make, and with or without a place in a rail.
using LeafClass = std::pair<std::string, bool>;

LeafClass class_of(const Node& leaf) {
  return {std::string(leaf.attribute("model")), leaf.rail >= 0};
}

Leaf look_at(const Graph& graph, NodeIndex node) {
  Leaf leaf;
  leaf.node = node;
  for (const LinkIndex each : graph.links_from(node)) {
    const Link& link = graph.link(each);
    if (link.health == Health::down) continue;
    const Node& other = graph.node(link.to);
    if (other.kind == NodeKind::spine || other.kind == NodeKind::network_switch) {
      leaf.up_bandwidth += link.total_bandwidth();
      leaf.up_count += link.count;
      leaf.cables[link.to] += link.count;
    } else if (other.kind == NodeKind::nic && !other.host.empty() && other.health != Health::down) {
      leaf.down_bandwidth += link.total_bandwidth();
      leaf.down_count += link.count;
    }
  }
  return leaf;
}

// "none to SPINE-1", "1 to SPINE-2": by what follows the number.
bool by_spine(const std::string& a, const std::string& b) {
  return natural_less(std::string_view(a).substr(a.find(' ')),
                      std::string_view(b).substr(b.find(' ')));
}

// "IBLEAF-03-01" in runs of digits and of others.
std::vector<std::string> in_runs(const std::string& name) {
  std::vector<std::string> runs;
  bool digits = false;
  for (const char c : name) {
    const bool digit = c >= '0' && c <= '9';
    if (runs.empty() || digit != digits) runs.emplace_back();
    digits = digit;
    runs.back() += c;
  }
  return runs;
}

// What a leaf would be called that differs from `neither` as its neighbours in the rack and in the
// rail do; nothing: the names follow no such rule.
std::optional<std::string> likely_name(const std::string& same_rack, const std::string& same_rail,
                                       const std::string& neither) {
  const auto rack = in_runs(same_rack);
  const auto rail = in_runs(same_rail);
  const auto base = in_runs(neither);
  if (rack.size() != base.size() || rail.size() != base.size()) return std::nullopt;
  std::string name;
  for (size_t i = 0; i < base.size(); ++i) {
    if (rack[i] != base[i] && rail[i] != base[i]) return std::nullopt;
    name += rack[i] != base[i] ? rack[i] : rail[i];
  }
  return name;
}

class FabricCheck {
 public:
  explicit FabricCheck(Checkup& checkup) : checkup_(checkup), graph_(checkup.graph) {}

  void run() {
    for (NodeIndex i = 0; i < graph_.nodes().size(); ++i) {
      const Node& node = graph_.node(i);
      if (node.kind != NodeKind::leaf) continue;
      classes_[class_of(node)].push_back(look_at(graph_, i));
      if (node.rail >= 0 && !node.rack.empty()) leaf_of_[node.rack][node.rail] = i;
    }
    missing_leaves();
    for (const auto& [key, leaves] : classes_) {
      if (leaves.size() >= 2) failed_uplinks(leaves);
    }
    for (const auto& [key, leaves] : classes_) oversubscribed(leaves);
    crossed();
  }

 private:
  // Only where a leaf serves one rack: elsewhere racks share the leaves of a rail.
  void missing_leaves() {
    if (leaf_of_.size() < 2) return;
    std::map<int32_t, size_t> racks_with;
    for (const auto& [rack, leaves] : leaf_of_) {
      for (const auto& [rail, leaf] : leaves) ++racks_with[rail];
    }
    for (const auto& [rack, leaves] : leaf_of_) {
      for (const auto& [rail, count] : racks_with) {
        if (!leaves.contains(rail) && count * 2 > leaf_of_.size()) report_missing(rack, rail);
      }
    }
  }

  void report_missing(const std::string& rack, int32_t rail) {
    std::set<std::string> hosts;
    std::set<std::string> served;
    std::vector<NodeIndex> members;
    for (NodeIndex i = 0; i < graph_.nodes().size(); ++i) {
      const Node& node = graph_.node(i);
      if (node.rack != rack || node.host.empty()) continue;
      if (node.kind == NodeKind::gpu) {
        hosts.insert(node.host);
        members.push_back(i);
      }
      if (node.kind == NodeKind::nic && node.rail == rail) served.insert(node.host);
    }
    std::vector<std::string> without;
    std::set_difference(hosts.begin(), hosts.end(), served.begin(), served.end(),
                        std::back_inserter(without));
    if (without.empty()) return;  // their NICs are plugged in elsewhere
    checkup_.explained_hosts.insert(without.begin(), without.end());
    std::erase_if(members, [&](NodeIndex node) {
      return !std::binary_search(without.begin(), without.end(), graph_.node(node).host);
    });
    const auto name = name_of(rack, rail);
    checkup_.add(
        Severity::error, "missing_leaf",
        fmt::format("rack {} has no leaf of rail {}{}, which {} other racks have: {} without a NIC "
                    "of that rail ({})",
                    rack, rail, name ? fmt::format(" (by its neighbours' names {})", *name) : "",
                    racks_with_rail(rail), counted(without.size(), "host"), list_up(without)),
        "look for the switch in the subnet manager: ibswitches; power, management port, and the "
        "cables of these hosts: ibstat shows their port down",
        members);
  }

  size_t racks_with_rail(int32_t rail) const {
    return static_cast<size_t>(
        std::count_if(leaf_of_.begin(), leaf_of_.end(),
                      [&](const auto& rack) { return rack.second.contains(rail); }));
  }

  std::optional<std::string> name_of(const std::string& rack, int32_t rail) const {
    const auto& here = leaf_of_.at(rack);
    for (const auto& [other_rail, same_rack] : here) {
      for (const auto& [other, leaves] : leaf_of_) {
        const auto same_rail = leaves.find(rail);
        const auto neither = leaves.find(other_rail);
        if (same_rail == leaves.end() || neither == leaves.end()) continue;
        return likely_name(graph_.node(same_rack).name, graph_.node(same_rail->second).name,
                           graph_.node(neither->second).name);
      }
    }
    return std::nullopt;
  }

  void failed_uplinks(const std::vector<Leaf>& leaves) {
    // Built in proportion to their hosts, leaves differ by design.
    const bool in_proportion = std::all_of(leaves.begin(), leaves.end(), [](const Leaf& leaf) {
      return leaf.up_count > 0 && leaf.up_bandwidth == leaf.down_bandwidth;
    });
    if (in_proportion) return;
    std::map<uint32_t, size_t> counts;
    std::map<NodeIndex, std::map<uint32_t, size_t>> to_spine;
    for (const Leaf& leaf : leaves) {
      ++counts[leaf.up_count];
      for (const auto& [spine, cables] : leaf.cables) ++to_spine[spine][cables];
    }
    const uint32_t usual = most_common(counts);
    std::vector<std::string> texts;
    std::vector<NodeIndex> nodes;
    Severity severity = Severity::warning;
    for (const Leaf& leaf : leaves) {
      if (leaf.up_count >= usual) continue;
      std::vector<std::string> lost;
      for (const auto& [spine, cables] : to_spine) {
        const uint32_t expected = most_common(cables);
        const auto found = leaf.cables.find(spine);
        const uint32_t here = found == leaf.cables.end() ? 0 : found->second;
        if (here < expected) {
          lost.push_back(fmt::format("{} to {}", here == 0 ? "none" : std::to_string(here),
                                     graph_.node(spine).name));
        }
      }
      std::sort(lost.begin(), lost.end(), by_spine);
      texts.push_back(fmt::format("{} has {}{}", graph_.node(leaf.node).name, leaf.up_count,
                                  lost.empty() ? "" : " (" + list_up(lost, 4) + ")"));
      nodes.push_back(leaf.node);
      if (leaf.up_count == 0) severity = Severity::error;
    }
    if (nodes.empty()) return;
    std::sort(texts.begin(), texts.end(), natural_less);
    checkup_.add(severity, "failed_uplinks",
                 fmt::format("{} of {} leaves have fewer than the usual {} uplinks: {}",
                             nodes.size(), leaves.size(), usual, list_up(texts, 24)),
                 "compare both ends of the missing cables: iblinkinfo -S GUID; clean or replace "
                 "the transceivers, then re-enable the ports with ibportstate",
                 nodes);
  }

  // By design all are alike; a leaf that is worse than its like has lost something.
  void oversubscribed(const std::vector<Leaf>& leaves) {
    std::vector<NodeIndex> nodes;
    std::vector<std::string> texts;
    std::map<std::pair<uint32_t, uint32_t>, size_t> shapes;
    size_t with_uplinks = 0;
    for (const Leaf& leaf : leaves) {
      if (leaf.up_count == 0) continue;
      ++with_uplinks;
      ++shapes[{leaf.down_count, leaf.up_count}];
      if (leaf.down_bandwidth <= leaf.up_bandwidth) continue;
      nodes.push_back(leaf.node);
      texts.push_back(fmt::format("{} {} down, {} up", graph_.node(leaf.node).name, leaf.down_count,
                                  leaf.up_count));
    }
    if (nodes.empty()) return;
    std::sort(texts.begin(), texts.end(), natural_less);
    if (nodes.size() == with_uplinks && with_uplinks > 1 && shapes.size() == 1) {
      const auto [down, up] = shapes.begin()->first;
      checkup_.add(Severity::info, "oversubscription",
                   fmt::format("all {} leaves carry more below than above: {} cables down, {} up",
                               with_uplinks, down, up),
                   "by design; traffic between leaves has a share of the NICs' bandwidth", nodes);
      return;
    }
    checkup_.add(Severity::warning, "oversubscribed_leaf",
                 fmt::format("{} of {} leaves carry more to their hosts than to the spines: {}",
                             nodes.size(), leaves.size(), list_up(texts, 24)),
                 "restore the uplinks, or place jobs so that less traffic leaves these racks",
                 nodes);
  }

  // A NIC in a leaf that is of another rail, as most that is plugged into it says.
  void crossed() {
    std::map<NodeIndex, std::pair<size_t, size_t>> own;  // by leaf: of its rail, of all
    std::vector<std::pair<NodeIndex, NodeIndex>> strays;
    for (const Link& link : graph_.links()) {
      const Node& nic = graph_.node(link.from);
      const Node& leaf = graph_.node(link.to);
      if (nic.kind != NodeKind::nic || leaf.kind != NodeKind::leaf) continue;
      if (nic.host.empty() || nic.rail < 0 || leaf.rail < 0) continue;
      own[link.to].first += nic.rail == leaf.rail ? 1 : 0;
      own[link.to].second += 1;
      if (nic.rail != leaf.rail) strays.emplace_back(link.from, link.to);
    }
    std::vector<NodeIndex> nodes;
    std::vector<std::string> texts;
    for (const auto& [nic, leaf] : strays) {
      if (2 * own[leaf].first <= own[leaf].second) continue;  // a leaf of several rails
      nodes.push_back(nic);
      texts.push_back(fmt::format("{} of rail {} in {} of rail {}", graph_.node(nic).name,
                                  graph_.node(nic).rail, graph_.node(leaf).name,
                                  graph_.node(leaf).rail));
    }
    if (nodes.empty()) return;
    std::sort(texts.begin(), texts.end(), natural_less);
    checkup_.add(Severity::warning, "crossed_cables",
                 counted(nodes.size(), "NIC") + " in leaves of other rails: " + list_up(texts),
                 "swap the cables: two rails of that host share a leaf's uplinks", nodes);
  }

  Checkup& checkup_;
  const Graph& graph_;
  std::map<LeafClass, std::vector<Leaf>> classes_;
  std::map<std::string, std::map<int32_t, NodeIndex>> leaf_of_;  // by rack and rail
};

}  // namespace

void check_fabric(Checkup& checkup) { FabricCheck(checkup).run(); }

}  // namespace unirack
