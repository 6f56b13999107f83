#include "lib/topology/reach.h"

#include <algorithm>
#include <map>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "lib/topology/disjoint_sets.h"

namespace unirack {

namespace {

bool is_live(const Node& node) { return node.health != Health::down; }

bool is_member(const Graph& graph, NodeIndex node) {
  return std::binary_search(graph.members().begin(), graph.members().end(), node);
}

// Joins all nodes that have the same text, if they have any.
class JoinByText {
 public:
  explicit JoinByText(DisjointSets& sets) : sets_(sets) {}
  void add(NodeIndex node, std::string_view text) {
    if (text.empty()) return;
    const auto [first, is_new] = first_.try_emplace(text, node);
    if (!is_new) sets_.join(first->second, node);
  }

 private:
  DisjointSets& sets_;
  std::unordered_map<std::string_view, NodeIndex> first_;
};

class DomainFinder {
 public:
  explicit DomainFinder(const Graph& graph) : graph_(graph), sets_(graph.nodes().size()) {}

  std::vector<Domain> find() {
    if (graph_.members().empty()) return {};
    JoinByText by_name(sets_);
    for (const NodeIndex member : graph_.members()) by_name.add(member, graph_.node(member).domain);
    if (graph_.node(graph_.members().front()).kind == NodeKind::gpu) {
      join_gpus();
    } else {
      join_ranks();
    }
    std::vector<Domain> domains = collect();
    name(domains);
    return domains;
  }

 private:
  bool is_named(NodeIndex node) const { return !graph_.node(node).domain.empty(); }

  void join_gpus() {
    const auto is_passed = [&](NodeIndex node) {
      const NodeKind kind = graph_.node(node).kind;
      return kind == NodeKind::nvswitch || (kind == NodeKind::gpu && !is_named(node));
    };
    join_over(
        [](LinkKind kind) {
          return kind == LinkKind::nvlink || kind == LinkKind::xgmi || kind == LinkKind::c2c;
        },
        is_passed);
    std::vector<uint32_t> sizes(graph_.nodes().size());
    for (const NodeIndex member : graph_.members()) ++sizes[sets_.find(member)];
    JoinByText by_host(sets_);
    std::vector<NodeIndex> alone;
    for (const NodeIndex member : graph_.members()) {
      if (!is_named(member) && sizes[sets_.find(member)] == 1) alone.push_back(member);
    }
    for (const NodeIndex member : alone) by_host.add(member, graph_.node(member).host);
  }

  void join_ranks() {
    JoinByText by_host(sets_);
    for (const NodeIndex member : graph_.members()) {
      if (!is_named(member)) by_host.add(member, graph_.node(member).host);
    }
    join_over(
        [](LinkKind kind) { return kind == LinkKind::shared_memory; },
        [&](NodeIndex node) { return graph_.node(node).kind == NodeKind::cpu || !is_named(node); });
  }

  // Joins what live links of these kinds connect, through nodes that are passed. A set that touches
  // named members of one domain belongs to it; names hold against links.
  template <class Kinds, class Passed>
  void join_over(Kinds is_kind, Passed is_passed) {
    std::vector<std::pair<NodeIndex, NodeIndex>> borders;  // of a passed and a named node
    for (const Link& link : graph_.links()) {
      if (!is_kind(link.kind) || link.health == Health::down) continue;
      if (!is_live(graph_.node(link.from)) || !is_live(graph_.node(link.to))) continue;
      const bool from = is_passed(link.from);
      const bool to = is_passed(link.to);
      if (from && to) sets_.join(link.from, link.to);
      if (from && !to && is_member(graph_, link.to)) borders.emplace_back(link.from, link.to);
      if (to && !from && is_member(graph_, link.from)) borders.emplace_back(link.to, link.from);
    }
    std::map<NodeIndex, std::pair<NodeIndex, bool>> named;  // by set: a neighbour; only one domain?
    for (const auto& [passed, neighbour] : borders) {
      const auto [at, is_new] = named.try_emplace(sets_.find(passed), sets_.find(neighbour), true);
      if (!is_new && at->second.first != sets_.find(neighbour)) at->second.second = false;
    }
    for (const auto& [set, neighbour] : named) {
      if (neighbour.second) sets_.join(set, neighbour.first);
    }
  }

  std::vector<Domain> collect() {
    std::unordered_map<NodeIndex, size_t> domain_of;  // by set
    std::vector<Domain> domains;
    for (const NodeIndex member : graph_.members()) {
      const auto [at, is_new] = domain_of.try_emplace(sets_.find(member), domains.size());
      if (is_new) domains.emplace_back();
      domains[at->second].members.push_back(member);
    }
    for (NodeIndex node = 0; node < graph_.nodes().size(); ++node) {
      if (graph_.node(node).kind != NodeKind::nvswitch) continue;
      const auto at = domain_of.find(sets_.find(node));
      if (at == domain_of.end() || !domains[at->second].name.empty()) continue;
      // "DOMAIN/nvswitch"
      const std::string& switch_name = graph_.node(node).name;
      domains[at->second].name = switch_name.substr(0, switch_name.rfind('/'));
    }
    return domains;
  }

  void name(std::vector<Domain>& domains) const {
    for (Domain& domain : domains) {
      const auto& members = domain.members;
      const auto named = std::find_if(members.begin(), members.end(),
                                      [&](NodeIndex member) { return is_named(member); });
      const Node& lowest = graph_.node(members.front());
      if (named != members.end()) {
        domain.name = graph_.node(*named).domain;
      } else if (domain.name.empty()) {
        const bool one_host = !lowest.host.empty() &&
                              std::all_of(members.begin(), members.end(), [&](NodeIndex member) {
                                return graph_.node(member).host == lowest.host;
                              });
        domain.name = one_host ? lowest.host : lowest.name;
      }
    }
    // Two of one name, as the islands of a host, are told apart.
    std::map<std::string, int> counts;
    for (const Domain& domain : domains) ++counts[domain.name];
    for (Domain& domain : domains) {
      if (counts[domain.name] > 1) domain.name = graph_.node(domain.members.front()).name;
    }
  }

  const Graph& graph_;
  DisjointSets sets_;
};

}  // namespace

std::vector<Domain> find_domains(const Graph& graph) { return DomainFinder(graph).find(); }

bool is_mere_pairing(const Graph& graph, const Link& link) {
  if (link.kind != LinkKind::pcie || link.limits()) return false;
  const auto is_pair = [&](NodeKind a, NodeKind b) {
    return graph.node(link.from).kind == a && graph.node(link.to).kind == b;
  };
  if (!is_pair(NodeKind::gpu, NodeKind::nic) && !is_pair(NodeKind::nic, NodeKind::gpu)) {
    return false;
  }
  // Along bridges and NUMA nodes only, which are few in a machine.
  std::vector<NodeIndex> reached{link.from};
  for (size_t i = 0; i < reached.size(); ++i) {
    for (const LinkIndex index : graph.links_from(reached[i])) {
      const NodeIndex to = graph.link(index).to;
      if (to == link.to && i > 0) return true;
      const NodeKind kind = graph.node(to).kind;
      const bool leads_on = kind == NodeKind::pcie || kind == NodeKind::cpu;
      if (leads_on && std::find(reached.begin(), reached.end(), to) == reached.end()) {
        reached.push_back(to);
      }
    }
  }
  return false;
}

}  // namespace unirack
