#include "lib/topology/render/edges.h"

#include <algorithm>
#include <deque>
#include <tuple>
#include <utility>

namespace unirack {

namespace {

Edge edge_of(const Graph& graph, NodeIndex a, NodeIndex b, std::vector<LinkIndex> links) {
  Edge edge;
  edge.a = a;
  edge.b = b;
  edge.links = std::move(links);
  edge.kind = graph.link(edge.links.front()).kind;
  uint64_t there = 0, back = 0;
  for (const LinkIndex index : edge.links) {
    const Link& link = graph.link(index);
    (link.from == a ? there : back) += link.bandwidth * link.count;
    edge.health = std::max(edge.health, link.health);
    edge.below_capability |= link.capable > link.bandwidth && link.bandwidth > 0;
  }
  edge.bandwidth = std::max(there, back);
  // The NIC's or leaf's; a leaf's uplinks are of its rail too.
  for (const NodeIndex end : {a, b}) {
    const Node& node = graph.node(end);
    if (node.kind == NodeKind::nic || node.kind == NodeKind::leaf) {
      edge.rail = std::max(edge.rail, node.rail);
    }
  }
  return edge;
}

}  // namespace

std::vector<Edge> edges_of(const Graph& graph) {
  struct Key {
    NodeIndex a, b;
    LinkIndex link;
  };
  std::vector<Key> keys;
  keys.reserve(graph.links().size());
  for (LinkIndex i = 0; i < graph.links().size(); ++i) {
    const Link& link = graph.link(i);
    keys.push_back({std::min(link.from, link.to), std::max(link.from, link.to), i});
  }
  std::sort(keys.begin(), keys.end(), [](const Key& x, const Key& y) {
    return std::tie(x.a, x.b, x.link) < std::tie(y.a, y.b, y.link);
  });
  std::vector<Edge> edges;
  for (size_t i = 0; i < keys.size();) {
    const auto [a, b, link] = keys[i];
    std::vector<LinkIndex> links;
    for (; i < keys.size() && keys[i].a == a && keys[i].b == b; ++i) links.push_back(keys[i].link);
    edges.push_back(edge_of(graph, a, b, std::move(links)));
  }
  return edges;
}

Neighbours::Neighbours(const Graph& graph, const std::vector<Edge>& edges)
    : by_node_(graph.nodes().size()) {
  for (size_t i = 0; i < edges.size(); ++i) {
    by_node_[edges[i].a].push_back({edges[i].b, i});
    by_node_[edges[i].b].push_back({edges[i].a, i});
  }
}

bool is_switch(NodeKind kind) {
  return kind == NodeKind::leaf || kind == NodeKind::spine || kind == NodeKind::network_switch;
}

std::vector<int> switch_tiers(const Graph& graph) {
  std::vector<int> tiers(graph.nodes().size(), 0);
  std::deque<NodeIndex> queue;
  for (NodeIndex i = 0; i < graph.nodes().size(); ++i) {
    if (!is_switch(graph.node(i).kind)) queue.push_back(i);
  }
  std::vector<bool> seen(graph.nodes().size(), false);
  while (!queue.empty()) {
    const NodeIndex at = queue.front();
    queue.pop_front();
    for (const LinkIndex index : graph.links_from(at)) {
      const NodeIndex next = graph.link(index).to;
      if (!is_switch(graph.node(next).kind) || seen[next]) continue;
      seen[next] = true;
      tiers[next] = tiers[at] + 1;
      queue.push_back(next);
    }
  }
  for (NodeIndex i = 0; i < graph.nodes().size(); ++i) {
    const NodeKind kind = graph.node(i).kind;
    if (kind == NodeKind::leaf) tiers[i] = 1;
    if (kind == NodeKind::spine) tiers[i] = std::max(tiers[i], 2);
    if (kind == NodeKind::network_switch) tiers[i] = std::max(tiers[i], 1);
  }
  return tiers;
}

}  // namespace unirack
