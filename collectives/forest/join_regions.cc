// Between regions: each region is one node, trees are packed over those, and every unit of them is
// given a sender and a receiver.
#include <algorithm>
#include <map>

#include "collectives/forest/forest_work.h"
#include "collectives/forest/switched_graph.h"
#include "collectives/forest/tree_packing.h"

namespace unirack {

namespace {

constexpr uint32_t kManyRegions = 48;
constexpr uint32_t kBatchesPerRegion = 2;

class RegionJoiner {
 public:
  explicit RegionJoiner(ForestWork& work)
      : work_(work),
        region_count_(static_cast<uint32_t>(work.regions.regions.size())),
        node_of_(work.network.place_count) {
    uint32_t count = region_count_;
    for (uint32_t place = 0; place < work.network.place_count; ++place) {
      const uint32_t region = work.regions.region_of[place];
      node_of_[place] = region == ForestRegions::kOutside ? count++ : region;
    }
    node_count_ = count;
  }

  Status join() {
    SwitchedGraph graph(node_count_);
    add_nodes(graph);
    add_arcs(graph);
    UNIRACK_TRY(remove_switches(graph));
    const std::vector<PackedTree> packed = UNIRACK_TRY(pack_trees(graph, batches_max()));
    std::vector<std::vector<uint32_t>> trees_of(region_count_);
    for (uint32_t tree = work_.tree_count; tree-- > 0;) {
      trees_of[work_.region_of_seat(work_.roots[tree])].push_back(tree);
    }
    for (const PackedTree& each : packed) {
      for (uint32_t copy = 0; copy < each.copies; ++copy) {
        const uint32_t tree = trees_of[each.root].back();
        trees_of[each.root].pop_back();
        for (const auto& edge : each.edges) pass(graph, tree, edge.from, edge.to);
      }
    }
    return ok_status();
  }

 private:
  // Where there are many regions, a slightly slower forest of low trees is found far sooner than
  // the fastest one.
  size_t batches_max() const {
    return region_count_ < kManyRegions ? SIZE_MAX : size_t{kBatchesPerRegion} * region_count_;
  }

  void add_nodes(SwitchedGraph& graph) const {
    // Groups of switches are their own, above those of domains.
    for (uint32_t node = 0; node < node_count_; ++node) graph.group[node] = node_count_ + node;
    for (uint32_t region = 0; region < region_count_; ++region) {
      graph.is_terminal[region] = 1;
      graph.group[region] = work_.regions.domain_of[region];
    }
    for (const uint32_t root : work_.roots) ++graph.trees[work_.region_of_seat(root)];
  }

  void add_arcs(SwitchedGraph& graph) {
    std::map<std::pair<uint32_t, uint32_t>, uint32_t> bundle_of;
    std::vector<int64_t> capacity;
    for (uint32_t arc = 0; arc < work_.room.size(); ++arc) {
      const uint32_t from = node_of_[work_.arc_from(arc)];
      const uint32_t to = node_of_[work_.arc_to(arc)];
      if (from == to || work_.room[arc] <= 0) continue;
      const auto next = static_cast<uint32_t>(bundles_.size());
      const auto [at, is_new] = bundle_of.emplace(std::pair(from, to), next);
      if (is_new) {
        bundles_.emplace_back();
        capacity.push_back(0);
      }
      bundles_[at->second].push_back(arc);
      capacity[at->second] += work_.room[arc];
    }
    for (const auto& [ends, bundle] : bundle_of) {
      graph.add_arc(ends.first, ends.second, capacity[bundle], bundle);
    }
  }

  // One copy of a tree over regions passes from one to another.
  void pass(SwitchedGraph& graph, uint32_t tree, uint32_t from, uint32_t to) {
    auto& parts = graph.parts[graph.at(from, to)];
    std::vector<uint32_t> bundles;
    graph.book.list_arcs(parts.back().route, bundles);
    if (--parts.back().amount == 0) parts.pop_back();
    const size_t regions = region_count_;
    const uint32_t holder = work_.holder[tree * regions + from];
    std::vector<uint32_t> arcs;
    for (size_t i = 0; i < bundles.size(); ++i) {
      const uint32_t sender = i == 0 ? kNoSeat : work_.seat_of[work_.arc_from(arcs.front())];
      arcs.push_back(pick(bundles_[bundles[i]], i == 0 ? holder : kNoSeat, sender));
    }
    const uint32_t sender = work_.seat_of[work_.arc_from(arcs.front())];
    const uint32_t receiver = work_.seat_of[work_.arc_to(arcs.back())];
    work_.attach(tree, sender, receiver, work_.take_route(arcs));
    if (sender != holder) work_.role[work_.at(tree, sender)] |= kPasses;
    work_.role[work_.at(tree, receiver)] |= kHolds;
    work_.holder[tree * regions + to] = receiver;
    --work_.entries_needed[receiver];
  }

  // Who has the data sends it if it can; who needs most of its entries from outside receives; else
  // who sits where the sender sits, so that few pairs share the links between regions; else who has
  // most room.
  uint32_t pick(const std::vector<uint32_t>& bundle, uint32_t holder, uint32_t sender) const {
    const auto rank = [&](uint32_t arc) {
      const uint32_t receiver = work_.seat_of[work_.arc_to(arc)];
      const bool is_held = holder != kNoSeat && work_.seat_of[work_.arc_from(arc)] == holder;
      return std::tuple(work_.room[arc] > 0, is_held,
                        receiver == kNoSeat ? 0 : work_.entries_needed[receiver],
                        receiver != kNoSeat && sender != kNoSeat &&
                            place_in_region(receiver) == place_in_region(sender),
                        work_.room[arc]);
    };
    uint32_t best = bundle.front();
    for (const uint32_t arc : bundle) {
      if (rank(arc) > rank(best)) best = arc;
    }
    return best;
  }

  size_t place_in_region(uint32_t seat) const {
    const std::vector<uint32_t>& seats = work_.seats_in[work_.region_of_seat(seat)];
    return static_cast<size_t>(std::lower_bound(seats.begin(), seats.end(), seat) - seats.begin());
  }

  ForestWork& work_;
  uint32_t region_count_;
  uint32_t node_count_ = 0;
  std::vector<uint32_t> node_of_;               // by place
  std::vector<std::vector<uint32_t>> bundles_;  // arcs between the same two nodes
};

}  // namespace

Status join_regions(ForestWork& work) {
  if (work.regions.regions.size() < 2) return ok_status();
  return RegionJoiner(work).join();
}

}  // namespace unirack
