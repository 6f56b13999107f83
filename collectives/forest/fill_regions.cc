// Within regions: from the seat that holds a tree to all others that do not have it. Behind a hub
// anybody may send to anybody, so only sums matter: what holders cannot send, helpers do. Other
// regions are packed by flows.
#include <algorithm>
#include <numeric>

#include "collectives/forest/forest_work.h"
#include "collectives/forest/switched_graph.h"
#include "collectives/forest/tree_packing.h"

namespace unirack {

namespace {

Error too_narrow() {
  return make_error(Code::unavailable, "the links within a region do not carry so many trees");
}

// What is evened out after so many rounds is even enough.
constexpr int kRoundsMax = 4;

// A region around a hub. Seats are counted within the region.
class HubFiller {
 public:
  HubFiller(ForestWork& work, uint32_t region)
      : work_(work),
        region_(region),
        seats_(work.seats_in[region]),
        to_hub_(seats_.size(), 0),
        from_hub_(seats_.size(), 0),
        holds_(seats_.size(), 0),
        routes_(seats_.size() * seats_.size(), 0) {
    const uint32_t hub = work.regions.regions[region].hub;
    std::vector<uint32_t> index_of(work.seat_count, kNoSeat);
    for (uint32_t i = 0; i < seats_.size(); ++i) index_of[seats_[i]] = i;
    for (uint32_t arc = 0; arc < work.room.size(); ++arc) {
      if (work.arc_to(arc) == hub && work.seat_of[work.arc_from(arc)] != kNoSeat) {
        to_hub_[index_of[work.seat_of[work.arc_from(arc)]]] = arc;
      } else if (work.arc_from(arc) == hub && work.seat_of[work.arc_to(arc)] != kNoSeat) {
        from_hub_[index_of[work.seat_of[work.arc_to(arc)]]] = arc;
      }
    }
    for (uint32_t tree = 0; tree < work.tree_count; ++tree) ++holds_[index_of[holder(tree)]];
    for (uint32_t i = 0; i < seats_.size(); ++i) sendable_.push_back(work.room[to_hub_[i]]);
    index_of_ = std::move(index_of);
  }

  Status fill() {
    for (uint32_t tree = 0; tree < work_.tree_count; ++tree) UNIRACK_TRY(fill_tree(tree));
    even_out();
    return ok_status();
  }

 private:
  // Senders share what they can send, and receivers what they can receive, between all that they
  // send to or receive from: pairs are to carry alike. Within a tree two that pass nothing on may
  // change places.
  void even_out() {
    loads_.assign(seats_.size() * seats_.size(), 0);
    for (uint32_t tree = 0; tree < work_.tree_count; ++tree) {
      for (uint32_t i = 0; i < seats_.size(); ++i) {
        const uint32_t from = sender(tree, i);
        if (from != kNoSeat) ++load(from, i);
      }
    }
    bool moved = true;
    for (int round = 0; round < kRoundsMax && moved; ++round) {
      moved = false;
      for (uint32_t tree = 0; tree < work_.tree_count; ++tree) moved |= even_tree(tree);
    }
  }

  bool even_tree(uint32_t tree) {
    from_.clear();
    std::vector<uint8_t> sends(seats_.size(), 0);
    uint32_t sender_count = 0;
    for (uint32_t i = 0; i < seats_.size(); ++i) {
      from_.push_back(sender(tree, i));
      if (from_[i] == kNoSeat || sends[from_[i]] != 0) continue;
      sends[from_[i]] = 1;
      ++sender_count;
    }
    if (sender_count < 2) return false;
    receivers_.clear();
    for (uint32_t i = 0; i < seats_.size(); ++i) {
      const bool passes = sends[i] != 0 || (role(tree, i) & kPasses) != 0;
      if (!passes && from_[i] != kNoSeat) receivers_.push_back(i);
    }
    bool moved = false;
    for (size_t x = 0; x < receivers_.size(); ++x) {
      for (size_t y = 0; y < x; ++y) moved |= exchange(tree, receivers_[x], receivers_[y]);
    }
    return moved;
  }

  bool exchange(uint32_t tree, uint32_t x, uint32_t y) {
    const uint32_t a = from_[x];
    const uint32_t b = from_[y];
    if (a == b || load(a, x) + load(b, y) <= load(a, y) + load(b, x) + 2) return false;
    --load(a, x);
    --load(b, y);
    ++load(a, y);
    ++load(b, x);
    std::swap(from_[x], from_[y]);
    work_.attach(tree, seats_[b], seats_[x], route(b, x));
    work_.attach(tree, seats_[a], seats_[y], route(a, y));
    return true;
  }

  // Within the region.
  uint32_t sender(uint32_t tree, uint32_t i) const {
    const uint32_t from = work_.parent[work_.at(tree, seats_[i])];
    return from != kNoSeat && work_.region_of_seat(from) == region_ ? index_of_[from] : kNoSeat;
  }
  int64_t& load(uint32_t from, uint32_t to) { return loads_[from * seats_.size() + to]; }

  uint32_t holder(uint32_t tree) const {
    return work_.holder[tree * work_.regions.regions.size() + region_];
  }

  // What is not kept for the trees that it holds itself.
  int64_t spare(uint32_t i) const { return sendable_[i] - holds_[i]; }

  Status fill_tree(uint32_t tree) {
    const uint32_t first = index_of_[holder(tree)];
    receivers_.clear();
    for (uint32_t i = 0; i < seats_.size(); ++i) {
      if ((role(tree, i) & (kHolds | kExtra)) == 0) receivers_.push_back(i);
    }
    const int64_t share = sendable_[first] / holds_[first];
    --holds_[first];
    if (receivers_.empty()) return ok_status();
    senders_ = {
        {first, std::min(std::max<int64_t>(share, 1), static_cast<int64_t>(receivers_.size()))}};
    if (sendable_[first] < senders_.front().second) return too_narrow();
    UNIRACK_TRY(find_helpers(tree));
    return send(tree);
  }

  uint8_t role(uint32_t tree, uint32_t i) const { return work_.role[work_.at(tree, seats_[i])]; }

  // Those who can send most, until all receivers are served. They are served first, then those who
  // pass the tree on to another region.
  Status find_helpers(uint32_t tree) {
    int64_t left = static_cast<int64_t>(receivers_.size()) - senders_.front().second;
    size_t at = 0;
    while (left > 0) {
      const auto best =
          std::max_element(receivers_.begin() + static_cast<ptrdiff_t>(at), receivers_.end(),
                           [&](uint32_t a, uint32_t b) { return spare(a) < spare(b); });
      if (best == receivers_.end() || spare(*best) <= 0) break;
      senders_.emplace_back(*best, std::min(left, spare(*best)));
      left -= senders_.back().second;
      std::swap(receivers_[at++], *best);
    }
    const auto plain =
        std::stable_partition(receivers_.begin() + static_cast<ptrdiff_t>(at), receivers_.end(),
                              [&](uint32_t i) { return (role(tree, i) & kPasses) != 0; });
    return left == 0 ? ok_status() : find_more(tree, left, receivers_.end() - plain);
  }

  // The last resorts: the holder itself, then those who have an entry of their own. These serve
  // only `plain` receivers, who pass nothing on, so that no tree comes back to where it was.
  Status find_more(uint32_t tree, int64_t left, int64_t plain) {
    const int64_t kept = spare(senders_.front().first) - senders_.front().second;
    const int64_t more = std::clamp<int64_t>(kept, 0, left);
    senders_.front().second += more;
    left -= more;
    for (uint32_t i = 0; i < seats_.size() && left > 0; ++i) {
      if (role(tree, i) != kExtra || spare(i) <= 0 || plain == 0) continue;
      senders_.emplace_back(i, std::min({left, spare(i), plain}));
      left -= senders_.back().second;
      plain -= senders_.back().second;
    }
    return left == 0 ? ok_status() : too_narrow();
  }

  Status send(uint32_t tree) {
    size_t sender = 0;
    int64_t sent = 0;
    for (const uint32_t to : receivers_) {
      if (sent == senders_[sender].second) {
        ++sender;
        sent = 0;
      }
      const uint32_t from = senders_[sender].first;
      ++sent;
      --sendable_[from];
      if (--work_.room[from_hub_[to]] < 0) return too_narrow();
      work_.attach(tree, seats_[from], seats_[to], route(from, to));
    }
    return ok_status();
  }

  uint32_t route(uint32_t from, uint32_t to) {
    uint32_t& known = routes_[from * seats_.size() + to];
    if (known == 0) {
      const uint32_t arcs[] = {to_hub_[from], from_hub_[to]};
      known = work_.add_route(arcs);
    }
    return known;
  }

  ForestWork& work_;
  uint32_t region_;
  const std::vector<uint32_t>& seats_;
  std::vector<uint32_t> to_hub_;    // arcs
  std::vector<uint32_t> from_hub_;  // arcs
  std::vector<int64_t> holds_;      // trees that are still to come
  std::vector<int64_t> sendable_;
  std::vector<uint32_t> routes_;    // between two seats; 0: not yet
  std::vector<uint32_t> index_of_;  // by seat of the pool
  std::vector<int64_t> loads_;      // trees from one seat to another
  std::vector<uint32_t> from_;      // by receiver of the tree at hand
  std::vector<uint32_t> receivers_;
  std::vector<std::pair<uint32_t, int64_t>> senders_;  // and how many each serves
};

// A region without one: a mesh, or several switches.
class MeshFiller {
 public:
  MeshFiller(ForestWork& work, uint32_t region)
      : work_(work), region_(region), seats_(work.seats_in[region]) {}

  Status fill() {
    const std::vector<uint32_t>& inner = work_.regions.regions[region_].inner;
    SwitchedGraph graph(static_cast<uint32_t>(seats_.size() + inner.size()));
    std::vector<uint32_t> node_of(work_.network.place_count, kNoPlace);
    for (uint32_t i = 0; i < seats_.size(); ++i) {
      node_of[work_.network.member_places[seats_[i]]] = i;
      graph.is_terminal[i] = 1;
    }
    for (uint32_t i = 0; i < inner.size(); ++i) {
      node_of[inner[i]] = static_cast<uint32_t>(seats_.size()) + i;
    }
    std::vector<std::vector<uint32_t>> trees_of(seats_.size());
    for (uint32_t tree = work_.tree_count; tree-- > 0;) {
      const uint32_t holder = work_.holder[tree * work_.regions.regions.size() + region_];
      const uint32_t node = node_of[work_.network.member_places[holder]];
      ++graph.trees[node];
      trees_of[node].push_back(tree);
    }
    for (uint32_t arc = 0; arc < work_.room.size(); ++arc) {
      const uint32_t from = node_of[work_.arc_from(arc)];
      const uint32_t to = node_of[work_.arc_to(arc)];
      if (from != kNoPlace && to != kNoPlace) graph.add_arc(from, to, work_.room[arc], arc);
    }
    UNIRACK_TRY(remove_switches(graph));
    const std::vector<PackedTree> packed = UNIRACK_TRY(pack_trees(graph));
    for (const PackedTree& each : packed) {
      for (uint32_t copy = 0; copy < each.copies; ++copy) {
        for (const auto& edge : each.edges) {
          attach(graph, trees_of[each.root].back(), edge.from, edge.to);
        }
        trees_of[each.root].pop_back();
      }
    }
    return ok_status();
  }

 private:
  void attach(SwitchedGraph& graph, uint32_t tree, uint32_t from, uint32_t to) {
    auto& parts = graph.parts[graph.at(from, to)];
    std::vector<uint32_t> arcs;
    graph.book.list_arcs(parts.back().route, arcs);
    if (--parts.back().amount == 0) parts.pop_back();
    work_.attach(tree, seats_[from], seats_[to], work_.take_route(arcs));
  }

  ForestWork& work_;
  uint32_t region_;
  const std::vector<uint32_t>& seats_;
};

}  // namespace

Status fill_regions(ForestWork& work) {
  for (uint32_t region = 0; region < work.regions.regions.size(); ++region) {
    if (work.seats_in[region].size() < 2) continue;
    if (work.regions.regions[region].hub != kNoPlace) {
      UNIRACK_TRY(HubFiller(work, region).fill());
    } else {
      UNIRACK_TRY(MeshFiller(work, region).fill());
    }
  }
  return ok_status();
}

}  // namespace unirack
