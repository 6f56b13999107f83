#include <algorithm>
#include <map>
#include <set>
#include <string_view>

#include "lib/topology/natural_order.h"
#include "lib/topology/reach.h"

namespace unirack {

namespace {

// NICs of one machine count together; where the machine is not said, each for itself.
std::string_view host_of(const Node& nic) {
  if (!nic.host.empty()) return nic.host;
  return std::string_view(nic.name).substr(0, nic.name.find("/nic/"));
}

std::string_view name_in_host(const Node& nic) {
  const std::string_view name = nic.name;
  const size_t at = name.find("/nic/");
  return at == std::string_view::npos ? name : name.substr(at);
}

class RailFinder {
 public:
  explicit RailFinder(const Graph& graph) : graph_(graph) {
    const auto& nodes = graph.nodes();
    for (NodeIndex node = 0; node < nodes.size(); ++node) {
      if (nodes[node].kind != NodeKind::nic) continue;
      leaves_of_[node];
      for (const LinkIndex link : graph.links_from(node)) {
        const NodeIndex other = graph.link(link).to;
        if (nodes[other].kind == NodeKind::leaf) leaves_of_[node].insert(other);
      }
      for (const NodeIndex leaf : leaves_of_[node]) nics_of_[leaf].push_back(node);
    }
  }

  std::vector<Rail> find() {
    if (is_given()) {
      follow_names();
    } else {
      find_places();
      if (are_rail_leaves()) {
        follow_leaves();
      } else {
        rail_of_ = place_of_;
      }
    }
    return collect();
  }

 private:
  using Nodes = std::vector<NodeIndex>;

  bool is_given() const {
    return std::any_of(graph_.nodes().begin(), graph_.nodes().end(), [](const Node& node) {
      return (node.kind == NodeKind::nic || node.kind == NodeKind::leaf) && node.rail >= 0;
    });
  }

  void follow_names() {
    for (const auto& [nic, leaves] : leaves_of_) {
      if (graph_.node(nic).rail >= 0) rail_of_[nic] = graph_.node(nic).rail;
    }
    const auto named = rail_of_;
    for (const auto& [nic, leaves] : leaves_of_) {
      if (named.contains(nic)) continue;
      for (const NodeIndex leaf : leaves) {
        if (const int32_t rail = rail_of_leaf(leaf, named); rail >= 0) rail_of_[nic] = rail;
      }
    }
  }

  // As the leaf says, else that of all its NICs that have one; -1: not known.
  int32_t rail_of_leaf(NodeIndex leaf, const std::map<NodeIndex, int32_t>& named) const {
    if (graph_.node(leaf).rail >= 0) return graph_.node(leaf).rail;
    int32_t rail = -1;
    for (const NodeIndex nic : nics_of_.at(leaf)) {
      const auto at = named.find(nic);
      if (at == named.end()) continue;
      if (rail >= 0 && rail != at->second) return -1;
      rail = at->second;
    }
    return rail;
  }

  // Machines with more NICs first: one that lacks some takes the places that its names have there.
  void find_places() {
    std::map<std::string_view, Nodes> by_host;
    for (const auto& [nic, leaves] : leaves_of_) by_host[host_of(graph_.node(nic))].push_back(nic);
    std::vector<Nodes> hosts;
    for (auto& [host, nics] : by_host) {
      std::sort(nics.begin(), nics.end(), [&](NodeIndex a, NodeIndex b) {
        return natural_less(graph_.node(a).name, graph_.node(b).name);
      });
      hosts.push_back(std::move(nics));
    }
    std::stable_sort(hosts.begin(), hosts.end(),
                     [](const Nodes& a, const Nodes& b) { return a.size() > b.size(); });
    std::map<std::string_view, int32_t> known;
    for (const Nodes& nics : hosts) {
      std::set<int32_t> places;
      for (const NodeIndex nic : nics) {
        const auto at = known.find(name_in_host(graph_.node(nic)));
        if (at != known.end()) places.insert(at->second);
      }
      const bool all_known = places.size() == nics.size();
      for (size_t i = 0; i < nics.size(); ++i) {
        const auto name = name_in_host(graph_.node(nics[i]));
        place_of_[nics[i]] = all_known ? known.at(name) : static_cast<int32_t>(i);
        known.try_emplace(name, place_of_[nics[i]]);
      }
    }
  }

  bool are_rail_leaves() const {
    return !nics_of_.empty() &&
           std::all_of(nics_of_.begin(), nics_of_.end(), [&](const auto& leaf) {
             std::set<std::string_view> hosts;
             return std::all_of(leaf.second.begin(), leaf.second.end(), [&](NodeIndex nic) {
               return leaves_of_.at(nic).size() == 1 &&
                      hosts.insert(host_of(graph_.node(nic))).second;
             });
           });
  }

  // Leaves that serve the same host are of different rails. Each gets the place that most of its
  // NICs have, or the next free one.
  void follow_leaves() {
    std::vector<std::pair<int32_t, NodeIndex>> leaves;
    for (const auto& [leaf, nics] : nics_of_) leaves.emplace_back(common_place(nics), leaf);
    std::sort(leaves.begin(), leaves.end(), [&](const auto& a, const auto& b) {
      if (a.first != b.first) return a.first < b.first;
      return natural_less(graph_.node(a.second).name, graph_.node(b.second).name);
    });
    std::map<std::string_view, std::set<int32_t>> taken;  // by host
    for (const auto& [place, leaf] : leaves) {
      const Nodes& nics = nics_of_[leaf];
      int32_t rail = place;
      while (std::any_of(nics.begin(), nics.end(), [&](NodeIndex nic) {
        return taken[host_of(graph_.node(nic))].contains(rail);
      })) {
        ++rail;
      }
      for (const NodeIndex nic : nics) {
        taken[host_of(graph_.node(nic))].insert(rail);
        rail_of_[nic] = rail;
      }
    }
    for (const auto& [nic, place] : place_of_) rail_of_.try_emplace(nic, place);  // not plugged in
  }

  int32_t common_place(const Nodes& nics) const {
    std::map<int32_t, size_t> counts;
    for (const NodeIndex nic : nics) ++counts[place_of_.at(nic)];
    return std::max_element(counts.begin(), counts.end(),
                            [](const auto& a, const auto& b) { return a.second < b.second; })
        ->first;
  }

  std::vector<Rail> collect() const {
    std::map<int32_t, std::pair<Nodes, std::set<NodeIndex>>> found;
    for (const auto& [nic, rail] : rail_of_) {
      found[rail].first.push_back(nic);
      for (const NodeIndex leaf : leaves_of_.at(nic)) {
        if (graph_.node(leaf).rail < 0) found[rail].second.insert(leaf);
      }
    }
    for (NodeIndex node = 0; node < graph_.nodes().size(); ++node) {
      const Node& leaf = graph_.node(node);
      if (leaf.kind == NodeKind::leaf && leaf.rail >= 0) found[leaf.rail].second.insert(node);
    }
    std::vector<Rail> rails;
    for (const auto& [index, members] : found) {
      rails.push_back({index, members.first, {members.second.begin(), members.second.end()}});
    }
    return rails;
  }

  const Graph& graph_;
  std::map<NodeIndex, std::set<NodeIndex>> leaves_of_;  // by NIC
  std::map<NodeIndex, Nodes> nics_of_;                  // by leaf
  std::map<NodeIndex, int32_t> place_of_;               // by NIC, among those of its host
  std::map<NodeIndex, int32_t> rail_of_;                // by NIC
};

}  // namespace

std::vector<Rail> find_rails(const Graph& graph) { return RailFinder(graph).find(); }

}  // namespace unirack
