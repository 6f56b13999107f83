#include "collectives/forest/switched_graph.h"

#include <algorithm>
#include <functional>
#include <map>
#include <numeric>

#include "collectives/forest/spread.h"
#include "lib/topology/bound/local_flow.h"

namespace unirack {

namespace {

constexpr uint32_t kArcOnly = UINT32_MAX;
// Tests of one terminal each that splitting one switch pair by pair may take.
constexpr uint64_t kSplitTestsMax = 2'000'000;

CutNetwork network_with(const SwitchedGraph& graph, const std::vector<int64_t>& capacity) {
  CutNetwork network;
  network.place_count = graph.node_count;
  network.members_in = graph.trees;
  for (uint32_t a = 0; a < graph.node_count; ++a) {
    for (uint32_t b = a + 1; b < graph.node_count; ++b) {
      const int64_t there = capacity[graph.at(a, b)];
      const int64_t back = capacity[graph.at(b, a)];
      if (there > 0 || back > 0) network.pipes.push_back({a, b, there, back});
    }
  }
  return network;
}

// Removes one switch.
class SwitchRemoval {
 public:
  // `turn`: how much one side has dealt out so far; the next switch goes on from there, so that
  // many switches together deal evenly, however little each has.
  SwitchRemoval(SwitchedGraph& graph, uint32_t node, size_t& turn)
      : graph_(graph), node_(node), turn_(turn) {
    for (uint32_t other = 0; other < graph.node_count; ++other) {
      if (entering(other) > 0 || leaving(other) > 0) sides_.push_back(other);
    }
  }

  Status remove() {
    if (sides_.size() < 2) {
      drop_rest();
      return ok_status();
    }
    const auto is_switch = [&](size_t side) { return graph_.is_terminal[sides_[side]] == 0; };
    const auto group = [&](size_t side) { return graph_.group[sides_[side]]; };
    const bool has_switches = std::any_of(
        sides_.begin(), sides_.end(), [&](uint32_t side) { return graph_.is_terminal[side] == 0; });
    const std::vector<size_t> position = positions();
    const auto is_aligned = [&](size_t a, size_t b) {
      return group(a) != group(b) && position[a] == position[b];
    };
    // Up and down, as far as it goes; across groups, first side to first side, so that few pairs
    // share what is narrow there; anything across groups; anything.
    if (has_switches &&
        pair_evenly([&](size_t a, size_t b) { return is_switch(a) != is_switch(b); }))
      return ok_status();
    if (pair_evenly(is_aligned)) return ok_status();
    if (pair_evenly([&](size_t a, size_t b) { return group(a) != group(b); })) return ok_status();
    if (pair_evenly([](size_t a, size_t b) { return a != b; })) return ok_status();
    return split_pairs();
  }

 private:
  struct Pair {
    uint32_t from = 0;
    uint32_t to = 0;
    int64_t amount = 0;
  };

  // By side: how many of its group stand before it.
  std::vector<size_t> positions() const {
    std::map<uint32_t, size_t> seen;
    std::vector<size_t> position;
    for (const uint32_t side : sides_) position.push_back(seen[graph_.group[side]]++);
    return position;
  }

  int64_t& entering(uint32_t side) { return graph_.capacity[graph_.at(side, node_)]; }
  int64_t& leaving(uint32_t side) { return graph_.capacity[graph_.at(node_, side)]; }

  bool pair_evenly(const std::function<bool(size_t, size_t)>& prefer) {
    std::vector<int64_t> enters;
    std::vector<int64_t> leaves;
    for (const uint32_t side : sides_) {
      enters.push_back(entering(side));
      leaves.push_back(leaving(side));
    }
    const auto dealt_by_one = static_cast<size_t>(enters.front());
    const size_t first = turn_ % sides_.size();
    std::vector<int64_t> dealt = spread(enters, leaves, prefer, first);
    const std::vector<int64_t> rest = spread(
        enters, leaves, [](size_t a, size_t b) { return a != b; }, first);
    std::vector<int64_t> capacity = graph_.capacity;
    std::vector<Pair> pairs;
    for (const uint32_t side : sides_) {
      capacity[graph_.at(side, node_)] = capacity[graph_.at(node_, side)] = 0;
    }
    for (size_t i = 0; i < dealt.size(); ++i) {
      const Pair pair{sides_[i / sides_.size()], sides_[i % sides_.size()], dealt[i] + rest[i]};
      if (pair.amount == 0) continue;
      capacity[graph_.at(pair.from, pair.to)] += pair.amount;
      pairs.push_back(pair);
    }
    if (shortfall(graph_, capacity) > 0) return false;
    for (const Pair& pair : pairs) join(pair);
    drop_rest();
    turn_ += dealt_by_one;
    return true;
  }

  Status split_pairs() {
    const auto terminals =
        static_cast<uint64_t>(std::count(graph_.is_terminal.begin(), graph_.is_terminal.end(), 1));
    if (uint64_t{sides_.size()} * sides_.size() * terminals > kSplitTestsMax) {
      return make_error(Code::resource_exhausted, "a switch has too many neighbours to be split");
    }
    for (const bool across : {true, false}) {
      for (const uint32_t from : sides_) {
        for (const uint32_t to : sides_) {
          const bool is_across = graph_.group[from] != graph_.group[to];
          if (from != to && is_across == across) split(from, to);
        }
      }
    }
    drop_rest();
    if (shortfall(graph_, graph_.capacity) == 0) return ok_status();
    return make_error(
        Code::unavailable,
        "a switch cannot be split: less may leave it than enters it, or the other way");
  }

  // As much as all cuts allow; each that is violated says by how much at least.
  void split(uint32_t from, uint32_t to) {
    int64_t amount = std::min(entering(from), leaving(to));
    while (amount > 0) {
      std::vector<int64_t> capacity = graph_.capacity;
      capacity[graph_.at(from, node_)] -= amount;
      capacity[graph_.at(node_, to)] -= amount;
      capacity[graph_.at(from, to)] += amount;
      const int64_t missing = shortfall(graph_, capacity);
      if (missing == 0) break;
      amount -= missing;
    }
    if (amount > 0) join({from, to, amount});
  }

  void join(const Pair& pair) {
    auto& in = graph_.parts[graph_.at(pair.from, node_)];
    auto& out = graph_.parts[graph_.at(node_, pair.to)];
    auto& joined = graph_.parts[graph_.at(pair.from, pair.to)];
    for (int64_t left = pair.amount; left > 0;) {
      const int64_t amount = std::min({left, in.back().amount, out.back().amount});
      joined.push_back({graph_.book.join(in.back().route, out.back().route), amount});
      left -= amount;
      for (auto* parts : {&in, &out}) {
        parts->back().amount -= amount;
        if (parts->back().amount == 0) parts->pop_back();
      }
    }
    entering(pair.from) -= pair.amount;
    leaving(pair.to) -= pair.amount;
    graph_.capacity[graph_.at(pair.from, pair.to)] += pair.amount;
  }

  void drop_rest() {
    for (const uint32_t side : sides_) {
      entering(side) = leaving(side) = 0;
      graph_.parts[graph_.at(side, node_)].clear();
      graph_.parts[graph_.at(node_, side)].clear();
    }
  }

  SwitchedGraph& graph_;
  uint32_t node_;
  size_t& turn_;
  std::vector<uint32_t> sides_;
};

// Switches near terminals first.
std::vector<uint32_t> removal_order(const SwitchedGraph& graph) {
  std::vector<uint32_t> queue;
  std::vector<uint8_t> seen = graph.is_terminal;
  for (uint32_t node = 0; node < graph.node_count; ++node) {
    if (graph.is_terminal[node] != 0) queue.push_back(node);
  }
  const size_t terminals = queue.size();
  for (size_t head = 0; head < queue.size(); ++head) {
    for (uint32_t next = 0; next < graph.node_count; ++next) {
      const bool touches = graph.capacity[graph.at(queue[head], next)] > 0 ||
                           graph.capacity[graph.at(next, queue[head])] > 0;
      if (seen[next] != 0 || !touches) continue;
      seen[next] = 1;
      queue.push_back(next);
    }
  }
  queue.erase(queue.begin(), queue.begin() + static_cast<ptrdiff_t>(terminals));
  return queue;
}

}  // namespace

uint32_t RouteBook::add(uint32_t arc) {
  pieces_.push_back({arc, kArcOnly});
  return static_cast<uint32_t>(pieces_.size() - 1);
}

uint32_t RouteBook::join(uint32_t first, uint32_t second) {
  pieces_.push_back({first, second});
  return static_cast<uint32_t>(pieces_.size() - 1);
}

void RouteBook::list_arcs(uint32_t route, std::vector<uint32_t>& arcs) const {
  std::vector<uint32_t> left = {route};
  while (!left.empty()) {
    const Piece piece = pieces_[left.back()];
    left.pop_back();
    if (piece.second == kArcOnly) {
      arcs.push_back(piece.first);
    } else {
      left.push_back(piece.second);
      left.push_back(piece.first);
    }
  }
}

SwitchedGraph::SwitchedGraph(uint32_t nodes)
    : node_count(nodes),
      capacity(size_t{nodes} * nodes, 0),
      parts(size_t{nodes} * nodes),
      is_terminal(nodes, 0),
      trees(nodes, 0),
      group(nodes) {
  std::iota(group.begin(), group.end(), 0u);
}

void SwitchedGraph::add_arc(uint32_t from, uint32_t to, int64_t amount, uint32_t arc) {
  if (amount <= 0) return;
  capacity[at(from, to)] += amount;
  parts[at(from, to)].push_back({book.add(arc), amount});
}

int64_t shortfall(const SwitchedGraph& graph, const std::vector<int64_t>& capacity) {
  const CutNetwork network = network_with(graph, capacity);
  LocalFlow<int64_t> flow(network, false);
  flow.set_share(1);
  const int64_t enough = std::accumulate(graph.trees.begin(), graph.trees.end(), int64_t{0});
  for (uint32_t node = 0; node < graph.node_count; ++node) {
    if (graph.is_terminal[node] == 0) continue;
    const int64_t arrived = flow.flow_into({&node, 1}, enough);
    if (arrived < enough) return enough - arrived;
    flow.undo();
    // All cuts that leave it out are wide enough now.
    flow.settle(node);
  }
  return 0;
}

Status remove_switches(SwitchedGraph& graph) {
  if (shortfall(graph, graph.capacity) > 0) {
    return make_error(Code::unavailable, "the links do not carry so many trees");
  }
  size_t turn = 0;
  for (const uint32_t node : removal_order(graph)) {
    UNIRACK_TRY(SwitchRemoval(graph, node, turn).remove());
  }
  return ok_status();
}

}  // namespace unirack
