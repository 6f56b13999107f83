#include "collectives/simulate/path_tree.h"

#include <algorithm>
#include <functional>
#include <map>
#include <numeric>
#include <queue>
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
    reached.first_link = static_cast<uint32_t>(links_.size());
    if (reached.node == source) continue;
    for (const LinkIndex index : graph.links_to(reached.node)) {
      const Link& link = graph.link(index);
      const uint32_t length = search.length_on(link, source);
      const uint32_t before = length > 0 ? distance(link.from) : kFar;
      if (before != kFar && before + length == reached.distance) links_.push_back(index);
    }
    reached.link_count = static_cast<uint32_t>(links_.size()) - reached.first_link;
  }
}

const PathTree::Reached* PathTree::at(NodeIndex node) const {
  const auto found = std::lower_bound(
      by_node_.begin(), by_node_.end(), node,
      [&](uint32_t index, NodeIndex wanted) { return reached_[index].node < wanted; });
  if (found == by_node_.end() || reached_[*found].node != node) return nullptr;
  return &reached_[*found];
}

uint32_t PathTree::distance(NodeIndex node) const {
  const Reached* reached = at(node);
  return reached == nullptr ? kFar : reached->distance;
}

void PathTree::spread(const Graph& graph, NodeIndex target, uint64_t share,
                      std::vector<LinkShare>& shares) const {
  // What arrives at nodes that are still to be visited, the farthest first.
  std::map<std::pair<uint32_t, NodeIndex>, uint64_t, std::greater<>> open;
  open[{distance(target), target}] = share;
  while (!open.empty()) {
    const auto [place, arrives] = *open.begin();
    open.erase(open.begin());
    const Reached& reached = *at(place.second);
    unsigned __int128 total = 0;
    for (uint32_t i = 0; i < reached.link_count; ++i) {
      total += graph.link(links_[reached.first_link + i]).total_bandwidth();
    }
    for (uint32_t i = 0; i < reached.link_count; ++i) {
      const LinkIndex index = links_[reached.first_link + i];
      const uint64_t bandwidth = graph.link(index).total_bandwidth();
      const uint64_t part =
          total == 0
              ? (arrives + reached.link_count - 1) / reached.link_count
              : static_cast<uint64_t>(
                    (arrives * static_cast<unsigned __int128>(bandwidth) + total - 1) / total);
      if (part == 0) continue;
      shares.push_back({index, part});
      const NodeIndex from = graph.link(index).from;
      if (distance(from) > 0) open[{distance(from), from}] += part;
    }
  }
}

}  // namespace unirack
