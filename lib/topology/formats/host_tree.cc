#include "lib/topology/formats/host_tree.h"

#include <fmt/format.h>

#include <algorithm>

#include "lib/topology/formats/text_reader.h"

namespace unirack {

HostTree::Host& HostTree::host(std::string_view name) {
  const auto known = host_by_name_.find(name);
  if (known != host_by_name_.end()) return hosts_[known->second].second;
  host_by_name_.emplace(name, hosts_.size());
  return hosts_.emplace_back(name, Host{}).second;
}

size_t HostTree::switch_index(std::string_view name) {
  const auto known = switch_by_name_.find(name);
  if (known != switch_by_name_.end()) return known->second;
  switch_by_name_.emplace(name, switches_.size());
  switches_.emplace_back(name, Switch{});
  return switches_.size() - 1;
}

void HostTree::place(std::string_view host_name, size_t under) {
  auto& switches = host(host_name).switches;
  if (switches.empty() || switches.back() != under) switches.push_back(under);
  switches_[under].second.has_hosts = true;
}

// By repeatedly taking away switches without children that are still there; what remains stands in
// a circle.
Status HostTree::find_heights() {
  heights_.assign(switches_.size(), 0);
  std::vector<size_t> left(switches_.size());
  std::vector<std::vector<size_t>> parents(switches_.size());
  std::vector<size_t> ready;
  for (size_t i = 0; i < switches_.size(); ++i) {
    left[i] = switches_[i].second.children.size();
    for (const size_t child : switches_[i].second.children) parents[child].push_back(i);
    if (left[i] == 0) ready.push_back(i);
  }
  for (size_t next = 0; next < ready.size(); ++next) {
    for (const size_t parent : parents[ready[next]]) {
      heights_[parent] = std::max(heights_[parent], heights_[ready[next]] + 1);
      if (--left[parent] == 0) ready.push_back(parent);
    }
  }
  for (size_t i = 0; i < switches_.size(); ++i) {
    if (left[i] == 0) continue;
    return bad_text(switches_[i].second.line, shown(switches_[i].first),
                    "expected a tree, found that the switch stands below itself");
  }
  return ok_status();
}

Status HostTree::add_switches(GraphBuilder& builder) const {
  for (size_t i = 0; i < switches_.size(); ++i) {
    const auto& [name, from] = switches_[i];
    Node node;
    node.name = name;
    node.kind = from.is_assumed                      ? NodeKind::network_switch
                : from.has_hosts || heights_[i] == 0 ? NodeKind::leaf
                                                     : NodeKind::spine;
    if (from.is_assumed) node.provenance = Provenance::assumed;
    for (const auto& [key, value] : from.attributes) node.set_attribute(key, value);
    // What writers go by to know which end of a cable is above.
    node.set_attribute("tier", std::to_string(heights_[i]));
    auto added = builder.add(std::move(node));
    if (!added) return bad_text(from.line, "", added.error().detail);
  }
  for (size_t i = 0; i < switches_.size(); ++i) {
    for (const size_t child : switches_[i].second.children) {
      builder.join({.from = static_cast<NodeIndex>(child),
                    .to = static_cast<NodeIndex>(i),
                    .kind = LinkKind::infiniband});
    }
  }
  return ok_status();
}

Status HostTree::add_hosts(GraphBuilder& builder) const {
  int32_t next_rank = 0;
  for (const auto& [name, from] : hosts_) {
    if (name.empty()) return bad_text(from.line, "", "expected the name of a machine, found none");
    Node node;
    node.kind = NodeKind::rank;
    node.rank = next_rank++;
    node.name = fmt::format("{}/rank{}", name, node.rank);
    node.host = name;
    node.rack = from.rack;
    node.domain = from.domain;
    node.provenance = Provenance::assumed;
    if (!from.model.empty()) node.set_attribute("model", from.model);
    auto rank = builder.add(node);
    if (!rank) return bad_text(from.line, "", rank.error().detail);
    for (size_t i = 0; i < from.switches.size(); ++i) {
      Node nic;
      nic.kind = NodeKind::nic;
      nic.name = fmt::format("{}/nic/net{}", name, i);
      nic.host = name;
      nic.rack = from.rack;
      nic.provenance = Provenance::assumed;
      auto added = builder.add(std::move(nic));
      if (!added) return bad_text(from.line, "", added.error().detail);
      builder.join(
          {.from = *rank, .to = *added, .kind = LinkKind::pcie, .provenance = Provenance::assumed});
      builder.join({.from = *added,
                    .to = static_cast<NodeIndex>(from.switches[i]),
                    .kind = LinkKind::infiniband,
                    .provenance = switches_[from.switches[i]].second.is_assumed
                                      ? Provenance::assumed
                                      : Provenance::imported});
    }
  }
  return ok_status();
}

void HostTree::join_all() {
  const size_t network = switch_index("network");
  at(network).is_assumed = true;
  for (const auto& [name, host] : hosts_) place(name, network);
}

Result<Graph> HostTree::make_graph(std::string origin) && {
  if (switches_.empty()) join_all();
  UNIRACK_TRY(find_heights());
  GraphBuilder builder;
  UNIRACK_TRY(add_switches(builder));
  UNIRACK_TRY(add_hosts(builder));
  return std::move(builder).build(std::move(origin));
}

}  // namespace unirack
