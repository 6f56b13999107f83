#include "lib/topology/render/fabric_groups.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "lib/topology/natural_order.h"
#include "lib/topology/render/text.h"

namespace unirack {

namespace {

constexpr size_t kRailsMax = 8;  // more NICs a machine than these stand in the order of their names
constexpr size_t kColumnTraysMin = 4;

struct Natural {
  bool operator()(std::string_view a, std::string_view b) const { return natural_less(a, b); }
};

class Grouper {
 public:
  Grouper(const Graph& graph, const Neighbours& neighbours)
      : graph_(graph), neighbours_(neighbours) {
    groups_.rack_of.assign(graph.nodes().size(), FabricGroups::kNoRack);
  }

  FabricGroups group() {
    make_racks();
    split_rackless();
    if (!outside_.trays.empty()) groups_.racks.push_back(std::move(outside_));
    note_racks();
    place_bars();
    place_switches();
    sort_all();
    choose_rails();
    return std::move(groups_);
  }

 private:
  void make_racks() {
    std::map<std::string_view, std::string_view> rack_of_host;
    for (const Node& node : graph_.nodes()) {
      auto& rack = rack_of_host[node.host];
      if (rack.empty() && !node.host.empty()) rack = node.rack;
    }
    std::map<std::string_view, std::map<std::string_view, Tray, Natural>, Natural> racks;
    const bool has_gpus =
        !graph_.members().empty() && graph_.node(graph_.members().front()).kind == NodeKind::gpu;
    for (NodeIndex i = 0; i < graph_.nodes().size(); ++i) {
      const Node& node = graph_.node(i);
      if (is_switch(node.kind)) continue;
      if (node.kind == NodeKind::nvswitch && node.host.empty()) continue;
      const std::string_view rack = node.host.empty() ? node.rack : rack_of_host[node.host];
      Tray& tray = racks[rack][node.host];
      tray.host = node.host;
      const bool is_member =
          node.kind == NodeKind::gpu || (node.kind == NodeKind::rank && !has_gpus);
      (is_member                         ? tray.members
       : node.kind == NodeKind::nic      ? tray.nics
       : node.kind == NodeKind::nvswitch ? tray.bars
                                         : tray.others)
          .push_back(i);
    }
    for (auto& [name, trays] : racks) {
      RackGroup rack;
      rack.name = name;
      for (auto& [host, tray] : trays) {
        const bool is_outside = name.empty() && tray.members.empty() && !graph_.members().empty();
        (is_outside ? outside_ : rack).trays.push_back(std::move(tray));
      }
      if (!rack.trays.empty()) groups_.racks.push_back(std::move(rack));
    }
    outside_.is_outside = true;
  }

  // Machines without a rack stand in columns, about twice as wide together as high.
  void split_rackless() {
    const auto found = std::find_if(groups_.racks.begin(), groups_.racks.end(),
                                    [](const RackGroup& rack) { return rack.name.empty(); });
    if (found == groups_.racks.end() || found->trays.size() <= kColumnTraysMin) return;
    std::vector<Tray> trays = std::move(found->trays);
    groups_.racks.erase(found);
    const auto total = static_cast<double>(trays.size());
    const auto columns = static_cast<size_t>(std::max(1.0, std::round(std::sqrt(total / 4))));
    const size_t height = (trays.size() + columns - 1) / columns;
    for (size_t i = 0; i < trays.size(); ++i) {
      if (i % height == 0) groups_.racks.emplace_back();
      groups_.racks.back().trays.push_back(std::move(trays[i]));
    }
  }

  void note_racks() {
    for (uint32_t rack = 0; rack < groups_.racks.size(); ++rack) {
      for (const Tray& tray : groups_.racks[rack].trays) {
        for (const auto* nodes : {&tray.members, &tray.nics, &tray.others, &tray.bars}) {
          for (const NodeIndex node : *nodes) groups_.rack_of[node] = rack;
        }
      }
    }
  }

  // The rack that all its neighbours below are in; for a network switch, that most of them are in:
  // a few strangers do not make it another rack's. kNoRack: there is none, or several.
  uint32_t home_of(NodeIndex node) const {
    std::map<uint32_t, size_t> racks;
    size_t total = 0;
    for (const auto& [next, edge] : neighbours_.of(node)) {
      const uint32_t rack = groups_.rack_of[next];
      if (is_switch(graph_.node(next).kind) || rack == FabricGroups::kNoRack) continue;
      if (groups_.racks[rack].is_outside) continue;
      ++racks[rack];
      ++total;
    }
    const bool needs_all = !is_switch(graph_.node(node).kind);
    for (const auto& [rack, count] : racks) {
      if (count == total || (!needs_all && count * 4 > total * 3)) return rack;
    }
    return FabricGroups::kNoRack;
  }

  void place_bars() {
    for (NodeIndex i = 0; i < graph_.nodes().size(); ++i) {
      const Node& node = graph_.node(i);
      if (node.kind != NodeKind::nvswitch || !node.host.empty()) continue;
      const uint32_t rack = home_of(i);
      groups_.rack_of[i] = rack;
      (rack == FabricGroups::kNoRack ? groups_.shared_bars : groups_.racks[rack].bars).push_back(i);
    }
  }

  void place_switches() {
    const std::vector<int> tiers = switch_tiers(graph_);
    groups_.tiers.resize(1);
    for (NodeIndex i = 0; i < graph_.nodes().size(); ++i) {
      if (tiers[i] == 0) continue;
      const uint32_t rack = tiers[i] == 1 ? rack_of_leaf(i) : FabricGroups::kNoRack;
      if (rack != FabricGroups::kNoRack) {
        groups_.racks[rack].leaves.push_back(i);
        groups_.rack_of[i] = rack;
        continue;
      }
      const auto tier = static_cast<size_t>(tiers[i] - 1);
      if (groups_.tiers.size() <= tier) groups_.tiers.resize(tier + 1);
      groups_.tiers[tier].push_back(i);
    }
  }

  // Where all that is plugged in stands in one rack; by the switch's own word where nothing is.
  uint32_t rack_of_leaf(NodeIndex leaf) const {
    const bool has_devices = std::any_of(
        neighbours_.of(leaf).begin(), neighbours_.of(leaf).end(),
        [&](const auto& one) { return groups_.rack_of[one.node] != FabricGroups::kNoRack; });
    if (has_devices) {
      const uint32_t rack = home_of(leaf);
      const bool is_column = rack != FabricGroups::kNoRack && groups_.racks[rack].name.empty();
      return is_column && groups_.racks.size() == 1 ? FabricGroups::kNoRack : rack;
    }
    const std::string& name = graph_.node(leaf).rack;
    for (uint32_t rack = 0; rack < groups_.racks.size() && !name.empty(); ++rack) {
      if (groups_.racks[rack].name == name) return rack;
    }
    return FabricGroups::kNoRack;
  }

  void sort_all() {
    const auto by_name = [&](NodeIndex a, NodeIndex b) {
      return natural_less(graph_.node(a).name, graph_.node(b).name);
    };
    const auto by_rail = [&](NodeIndex a, NodeIndex b) {
      const int32_t left = graph_.node(a).rail, right = graph_.node(b).rail;
      return left != right ? left < right : by_name(a, b);
    };
    for (RackGroup& rack : groups_.racks) {
      std::sort(rack.leaves.begin(), rack.leaves.end(), by_rail);
      for (Tray& tray : rack.trays) {
        std::sort(tray.members.begin(), tray.members.end(), by_name);
        std::sort(tray.nics.begin(), tray.nics.end(), by_rail);
        std::sort(tray.others.begin(), tray.others.end(), [&](NodeIndex a, NodeIndex b) {
          const auto kind_a = graph_.node(a).kind, kind_b = graph_.node(b).kind;
          return kind_a != kind_b ? kind_a < kind_b : by_name(a, b);
        });
      }
    }
    for (auto& tier : groups_.tiers) std::sort(tier.begin(), tier.end(), by_rail);
  }

  void choose_rails() {
    std::set<int32_t> rails;
    for (NodeIndex i = 0; i < graph_.nodes().size(); ++i) {
      const Node& node = graph_.node(i);
      const uint32_t rack = groups_.rack_of[i];
      if (node.kind != NodeKind::nic || groups_.racks[rack].is_outside) continue;
      if (node.rail < 0) return;
      rails.insert(node.rail);
    }
    if (rails.size() <= kRailsMax) groups_.rails.assign(rails.begin(), rails.end());
  }

  const Graph& graph_;
  const Neighbours& neighbours_;
  FabricGroups groups_;
  RackGroup outside_;
};

}  // namespace

FabricGroups group_fabric(const Graph& graph, const Neighbours& neighbours) {
  return Grouper(graph, neighbours).group();
}

}  // namespace unirack
