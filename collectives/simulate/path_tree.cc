#include "collectives/simulate/path_tree.h"

#include <algorithm>
#include <functional>
#include <map>
#include <numeric>
#include <queue>
#include <span>
#include <unordered_map>
#include <utility>

namespace unirack {

namespace {

// Two hops over NVLink are better than one over PCIe.
constexpr uint32_t kFast = 1;
constexpr uint32_t kPcie = 16;
constexpr uint32_t kSocket = 64;
// Bytes pass through the memory of a GPU other than by NVLink only where nothing else leads on.
constexpr uint32_t kThroughGpu = 4096;

bool is_fast(LinkKind kind) {
  return kind == LinkKind::nvlink || kind == LinkKind::xgmi || kind == LinkKind::c2c ||
         kind == LinkKind::shared_memory;
}

bool is_live(const Graph& graph, const Link& link) {
  return link.health != Health::down && graph.node(link.from).health != Health::down &&
         graph.node(link.to).health != Health::down;
}

struct Arrival {
  uint32_t distance = PathTree::kFar;
  bool is_fast = false;
  bool is_settled = false;
};

class Search {
 public:
  Search(const Graph& graph, PathScope scope) : graph_(graph), scope_(scope) {}

  // Dijkstra 1959; in the order in which nodes are settled.
  std::vector<std::pair<NodeIndex, uint32_t>> run(NodeIndex source) {
    std::vector<std::pair<NodeIndex, uint32_t>> order;
    arrivals_[source] = {0, true, false};
    next_.push({0, source});
    while (!next_.empty()) {
      const auto [distance, node] = next_.top();
      next_.pop();
      Arrival& arrival = arrivals_[node];
      if (arrival.is_settled) continue;
      arrival.is_settled = true;
      order.emplace_back(node, distance);
      if (node != source && !is_passed(node)) continue;
      const bool came_fast = arrival.is_fast;
      for (const LinkIndex index : graph_.links_from(node)) {
        const uint32_t length = length_of(graph_.link(index), node == source, came_fast);
        if (length > 0) offer(graph_.link(index), distance + length);
      }
    }
    return order;
  }

  // The length of a link on from where a shortest way has come; 0: it leads nowhere.
  uint32_t length_on(const Link& link, NodeIndex source) const {
    const auto at = arrivals_.find(link.from);
    if (at == arrivals_.end()) return 0;
    if (link.from != source && !is_passed(link.from)) return 0;
    return length_of(link, link.from == source, at->second.is_fast);
  }

 private:
  bool is_passed(NodeIndex node) const {
    const NodeKind kind = graph_.node(node).kind;
    return kind != NodeKind::nic && kind != NodeKind::rank;
  }

  uint32_t length_of(const Link& link, bool from_source, bool came_fast) const {
    if (is_network(link.kind) != (scope_ == PathScope::fabric) || !is_live(graph_, link)) return 0;
    const bool through_gpu = !from_source && graph_.node(link.from).kind == NodeKind::gpu;
    if (scope_ == PathScope::fabric) return through_gpu ? kThroughGpu : 1;
    const uint32_t own = is_fast(link.kind) ? kFast : link.kind == LinkKind::smp ? kSocket : kPcie;
    return through_gpu && !(came_fast && is_fast(link.kind)) ? own + kThroughGpu : own;
  }

  void offer(const Link& link, uint32_t distance) {
    Arrival& arrival = arrivals_[link.to];
    if (distance >= arrival.distance) return;
    arrival.distance = distance;
    arrival.is_fast = is_fast(link.kind);
    next_.push({distance, link.to});
  }

  using Entry = std::pair<uint32_t, NodeIndex>;
  const Graph& graph_;
  PathScope scope_;
  std::unordered_map<NodeIndex, Arrival> arrivals_;
  std::priority_queue<Entry, std::vector<Entry>, std::greater<>> next_;
};

}  // namespace

bool is_network(LinkKind kind) {
  return kind == LinkKind::infiniband || kind == LinkKind::ethernet;
}

PathTree::PathTree(const Graph& graph, NodeIndex source, PathScope scope) {
  Search search(graph, scope);
  const auto order = search.run(source);
  for (const auto& [node, distance] : order) reached_.push_back({node, distance, 0, 0});
  by_node_.resize(reached_.size());
  std::iota(by_node_.begin(), by_node_.end(), 0u);
  std::sort(by_node_.begin(), by_node_.end(),
            [&](uint32_t a, uint32_t b) { return reached_[a].node < reached_[b].node; });
  for (Reached& reached : reached_) {
    reached.first_way = static_cast<uint32_t>(ways_.size());
    if (reached.node == source) continue;
    for (const LinkIndex index : graph.links_to(reached.node)) {
      const Link& link = graph.link(index);
      const uint32_t length = search.length_on(link, source);
      const uint32_t before = length > 0 ? index_of(link.from) : kNowhere;
      if (before == kNowhere || reached_[before].distance + length != reached.distance) continue;
      ways_.push_back({index, before, link.total_bandwidth()});
    }
    reached.way_count = static_cast<uint32_t>(ways_.size()) - reached.first_way;
  }
}

uint32_t PathTree::index_of(NodeIndex node) const {
  const auto found = std::lower_bound(
      by_node_.begin(), by_node_.end(), node,
      [&](uint32_t index, NodeIndex wanted) { return reached_[index].node < wanted; });
  return found == by_node_.end() || reached_[*found].node != node ? kNowhere : *found;
}

uint32_t PathTree::distance(NodeIndex node) const {
  const uint32_t index = index_of(node);
  return index == kNowhere ? kFar : reached_[index].distance;
}

void PathTree::spread(NodeIndex target, uint64_t share, std::vector<LinkShare>& shares) const {
  uint32_t index = index_of(target);
  // Most ways are one link after the other.
  while (reached_[index].way_count == 1) {
    const LastLink& way = ways_[reached_[index].first_way];
    shares.push_back({way.link, share});
    index = way.from;
  }
  if (reached_[index].way_count > 0) spread_over(index, share, shares);
}

void PathTree::spread_over(uint32_t target, uint64_t share, std::vector<LinkShare>& shares) const {
  // What arrives at nodes that are still to be visited, the farthest first: they were settled last.
  std::map<uint32_t, uint64_t, std::greater<>> open;
  open[target] = share;
  while (!open.empty()) {
    const auto [index, arrives] = *open.begin();
    open.erase(open.begin());
    const Reached& reached = reached_[index];
    const auto ways = std::span(ways_).subspan(reached.first_way, reached.way_count);
    unsigned __int128 total = 0;
    for (const LastLink& way : ways) total += way.bandwidth;
    for (const LastLink& way : ways) {
      const unsigned __int128 own = total == 0 ? 1 : way.bandwidth;
      const unsigned __int128 all = total == 0 ? ways.size() : total;
      const auto part = static_cast<uint64_t>((arrives * own + all - 1) / all);
      if (part == 0) continue;
      shares.push_back({way.link, part});
      if (reached_[way.from].way_count > 0) open[way.from] += part;
    }
  }
}

}  // namespace unirack
