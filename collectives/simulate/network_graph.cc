// A network from a graph: paths within machines and domains from each member, paths through the
// switches from each switch that NICs are plugged into.
#include <algorithm>
#include <map>
#include <tuple>
#include <utility>

#include "collectives/simulate/network.h"
#include "collectives/simulate/path_tree.h"

namespace unirack {

namespace {

constexpr uint32_t kNone = UINT32_MAX;

// The farther, the more it decides what a message costs.
int farness(LinkKind kind) {
  switch (kind) {
    case LinkKind::nvlink:
      return 1;
    case LinkKind::xgmi:
      return 2;
    case LinkKind::c2c:
      return 3;
    case LinkKind::pcie:
      return 4;
    case LinkKind::smp:
      return 5;
    case LinkKind::shared_memory:
      return 6;
    case LinkKind::infiniband:
      return 7;
    case LinkKind::ethernet:
      return 8;
  }
  return 0;
}

// What a link carries at most; 0: it limits nothing. Of rates that a graph does not state only that
// of memory is assumed, which no host has without limit.
uint64_t rate_of(const Link& link, const Costs& costs) {
  const LinkCosts& kind = costs.of(link.kind);
  const uint64_t other = kind.bandwidth * link.count;
  if (link.bandwidth == 0) {
    return kind.is_measured || link.kind == LinkKind::shared_memory ? other : 0;
  }
  const uint64_t nominal = link.total_bandwidth();
  return kind.is_measured && other > 0 ? std::min(nominal, other) : nominal;
}

// Where a member enters the fabric: a NIC, or itself.
struct Port {
  NodeIndex node = 0;
  uint32_t distance = 0;
  int32_t rail = 0;
};

struct PortPair {
  uint32_t distance = 0;
  bool crosses_rails = false;
  NodeIndex out = 0;
  NodeIndex in = 0;

  auto order() const { return std::tie(distance, crosses_rails, out, in); }
};

class GraphRouter : public Router {
 public:
  GraphRouter(const Graph& graph, const Costs& costs, std::vector<uint32_t> resource_of)
      : graph_(graph), costs_(costs), resource_of_(std::move(resource_of)) {
    for (const NodeIndex member : graph.members()) {
      local_.emplace_back(graph, member, PathScope::local);
      ports_.push_back(find_ports(local_.back()));
    }
  }

  bool find(Rank from, Rank to, int lane, MessageRoute& route) override {
    route.uses.clear();
    route.costs = {};
    if (from == to) return true;
    shares_.clear();
    const PathTree& local = local_[static_cast<size_t>(from)];
    const NodeIndex target = member(to);
    if (local.distance(target) != PathTree::kFar) {
      local.spread(target, kWholeShare, shares_);
    } else if (!find_outside(from, to, lane)) {
      return false;
    }
    finish(route);
    return true;
  }

 private:
  NodeIndex member(Rank rank) const { return graph_.members()[static_cast<size_t>(rank)]; }

  // By distance; their rail, or their place among those of one distance.
  std::vector<Port> find_ports(const PathTree& local) const {
    std::vector<Port> ports;
    for (const PathTree::Reached& reached : local.reached()) {
      const auto links = graph_.links_from(reached.node);
      if (std::any_of(links.begin(), links.end(),
                      [&](LinkIndex link) { return enters_fabric(graph_.link(link)); })) {
        ports.push_back({reached.node, reached.distance, graph_.node(reached.node).rail});
      }
    }
    std::sort(ports.begin(), ports.end(), [](const Port& a, const Port& b) {
      return std::tie(a.distance, a.node) < std::tie(b.distance, b.node);
    });
    for (size_t i = 0, place = 0; i < ports.size(); ++i) {
      place = i > 0 && ports[i].distance == ports[i - 1].distance ? place + 1 : 0;
      if (ports[i].rail < 0) ports[i].rail = static_cast<int32_t>(place);
    }
    return ports;
  }

  bool enters_fabric(const Link& link) const {
    return is_network(link.kind) && link.health != Health::down &&
           graph_.node(link.to).health != Health::down;
  }

  const PathTree& fabric_from(NodeIndex node) {
    const auto found = fabric_.find(node);
    if (found != fabric_.end()) return found->second;
    return fabric_.emplace(node, PathTree(graph_, node, PathScope::fabric)).first->second;
  }

  // From a port's neighbour on; a NIC does not forward.
  uint32_t distance_behind(const Link& link, NodeIndex in) {
    if (!enters_fabric(link)) return PathTree::kFar;
    if (link.to == in) return 0;
    if (graph_.node(link.to).kind == NodeKind::nic) return PathTree::kFar;
    return fabric_from(link.to).distance(in);
  }

  uint32_t distance_between(NodeIndex out, NodeIndex in) {
    uint32_t least = PathTree::kFar;
    for (const LinkIndex link : graph_.links_from(out)) {
      least = std::min(least, distance_behind(graph_.link(link), in));
    }
    return least;
  }

  // Pairs of ports as near to their members as can be, that reach each other.
  std::vector<PortPair> find_pairs(Rank from, Rank to, bool nearest_only) {
    const auto& outs = ports_[static_cast<size_t>(from)];
    const auto& ins = ports_[static_cast<size_t>(to)];
    std::vector<PortPair> pairs;
    for (const Port& out : outs) {
      if (nearest_only && out.distance > outs.front().distance) break;
      for (const Port& in : ins) {
        if (nearest_only && in.distance > ins.front().distance) break;
        const uint32_t between = distance_between(out.node, in.node);
        if (between == PathTree::kFar) continue;
        if (home_from(in.node).distance(member(to)) == PathTree::kFar) continue;
        pairs.push_back(
            {out.distance + between + in.distance, out.rail != in.rail, out.node, in.node});
      }
    }
    std::sort(pairs.begin(), pairs.end(),
              [](const PortPair& a, const PortPair& b) { return a.order() < b.order(); });
    return pairs;
  }

  bool find_outside(Rank from, Rank to, int lane) {
    auto pairs = find_pairs(from, to, true);
    if (pairs.empty()) pairs = find_pairs(from, to, false);
    if (pairs.empty()) return false;
    const auto is_worse = [&](const PortPair& pair) {
      return pair.distance != pairs.front().distance ||
             pair.crosses_rails != pairs.front().crosses_rails;
    };
    const auto end = std::find_if(pairs.begin(), pairs.end(), is_worse);
    const auto count = static_cast<size_t>(end - pairs.begin());
    spread(from, to, pairs[static_cast<size_t>(lane) % count]);
    return true;
  }

  void spread(Rank from, Rank to, const PortPair& pair) {
    local_[static_cast<size_t>(from)].spread(pair.out, kWholeShare, shares_);
    uint32_t least = PathTree::kFar;
    unsigned __int128 total = 0;
    const auto each_best = [&](auto&& visit) {
      for (const LinkIndex index : graph_.links_from(pair.out)) {
        const Link& link = graph_.link(index);
        if (distance_behind(link, pair.in) == least) visit(index, link);
      }
    };
    least = distance_between(pair.out, pair.in);
    uint64_t count = 0;
    each_best([&](LinkIndex, const Link& link) {
      total += link.total_bandwidth();
      ++count;
    });
    each_best([&](LinkIndex index, const Link& link) {
      const uint64_t share =
          total == 0 ? (kWholeShare + count - 1) / count
                     : static_cast<uint64_t>(
                           (kWholeShare * static_cast<unsigned __int128>(link.total_bandwidth()) +
                            total - 1) /
                           total);
      if (share == 0) return;
      shares_.push_back({index, share});
      if (link.to != pair.in) fabric_from(link.to).spread(pair.in, share, shares_);
    });
    home_from(pair.in).spread(member(to), kWholeShare, shares_);
  }

  // Ways from a port to members.
  const PathTree& home_from(NodeIndex port) {
    const auto found = home_.find(port);
    if (found != home_.end()) return found->second;
    return home_.emplace(port, PathTree(graph_, port, PathScope::local)).first->second;
  }

  // What one path costs, and uses of resources joined.
  void finish(MessageRoute& route) {
    uint64_t stated_ps = 0;
    int farthest = 0;
    for (const LinkShare& each : shares_) {
      const Link& link = graph_.link(each.link);
      // Of links side by side each counts by its share.
      stated_ps += static_cast<uint64_t>(static_cast<unsigned __int128>(link.latency_ns) * 1000 *
                                         std::min(each.share, kWholeShare) / kWholeShare);
      if (farness(link.kind) > farthest) {
        farthest = farness(link.kind);
        route.costs = costs_.of(link.kind);
      }
      const uint32_t resource = resource_of_[each.link];
      if (resource == kNone) continue;
      route.uses.push_back({resource, static_cast<uint32_t>(each.share)});
    }
    if (stated_ps > 0) route.costs.latency_ps = stated_ps;
    auto& uses = route.uses;
    std::sort(uses.begin(), uses.end(),
              [](const ResourceUse& a, const ResourceUse& b) { return a.resource < b.resource; });
    size_t kept = 0;
    for (const ResourceUse& use : uses) {
      if (kept > 0 && uses[kept - 1].resource == use.resource) {
        uses[kept - 1].share += use.share;
      } else {
        uses[kept++] = use;
      }
    }
    uses.resize(kept);
  }

  const Graph& graph_;
  Costs costs_;
  std::vector<uint32_t> resource_of_;     // by link
  std::vector<PathTree> local_;           // by rank
  std::vector<std::vector<Port>> ports_;  // by rank
  std::map<NodeIndex, PathTree> fabric_;  // by switch
  std::map<NodeIndex, PathTree> home_;    // by port
  std::vector<LinkShare> shares_;
};

}  // namespace

Result<Network> Network::of_graph(const Graph& graph, const Costs& costs) {
  if (graph.members().empty()) {
    return make_error(Code::invalid_argument,
                      "a graph without GPUs or ranks cannot be simulated: " + graph.origin());
  }
  Network network;
  network.rank_count_ = static_cast<int>(graph.members().size());
  network.costs_ = costs;
  std::vector<uint32_t> resource_of(graph.links().size(), kNone);
  for (LinkIndex index = 0; index < graph.links().size(); ++index) {
    const Link& link = graph.link(index);
    if (link.health == Health::down) continue;
    const uint64_t rate = rate_of(link, costs);
    if (rate == 0) continue;
    resource_of[index] = static_cast<uint32_t>(network.resources_.size());
    network.resources_.push_back(
        {graph.node(link.from).name + " > " + graph.node(link.to).name, rate});
  }
  for (const NodeIndex member : graph.members()) {
    network.rank_names_.push_back(graph.node(member).name);
  }
  network.router_ = std::make_unique<GraphRouter>(graph, costs, std::move(resource_of));
  return network;
}

}  // namespace unirack
