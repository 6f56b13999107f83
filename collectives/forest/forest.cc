#include "collectives/forest/forest.h"

#include <algorithm>
#include <numeric>

#include "collectives/forest/forest_work.h"
#include "lib/topology/bound/cut_search.h"

namespace unirack {

namespace {

// As one graph up to here; by domains beyond.
constexpr uint32_t kFlatPlacesMax = 96;
// Without domains there is no other way.
constexpr uint32_t kPlacesMax = 640;
constexpr int64_t kRoomMax = int64_t{1} << 40;
// Scales are raised by this part of themselves, then twice that, and so on.
constexpr Wide kFirstStep = 1024;
constexpr int kStepsMax = 13;

Error no_forest(const std::string& why) { return make_error(Code::unavailable, why); }

Status check_size(const Graph& graph, std::span<const uint32_t> roots) {
  if (!roots.empty() && roots.size() * graph.members().size() <= kForestEdgesMax) {
    return ok_status();
  }
  return make_error(Code::invalid_argument, "no trees, or too many for so many members");
}

int64_t room_of(Wide capacity, Rational scale, size_t trees) {
  if (capacity == kFree) return static_cast<int64_t>(trees);
  if (capacity == 0) return 0;
  const Wide whole = capacity / scale.denominator;
  if (whole * scale.numerator >= kRoomMax) return kRoomMax;
  return static_cast<int64_t>(capacity * scale.numerator / scale.denominator);
}

std::vector<int64_t> rooms_of(const CutNetwork& network, Rational scale, size_t trees) {
  std::vector<int64_t> rooms;
  rooms.reserve(network.pipes.size() * 2);
  for (const Pipe& pipe : network.pipes) {
    rooms.push_back(room_of(pipe.a_to_b, scale, trees));
    rooms.push_back(room_of(pipe.b_to_a, scale, trees));
  }
  return rooms;
}

// Members by the seat that they share.
struct Seating {
  std::vector<uint32_t> seat_of;               // by member
  std::vector<std::vector<uint32_t>> members;  // by seat
};

Seating seating_of(const Graph& graph, const CutNetwork& network) {
  Seating seating;
  std::vector<uint32_t> seat_at(network.place_count, kNoSeat);
  for (uint32_t seat = 0; seat < network.member_places.size(); ++seat) {
    seat_at[network.member_places[seat]] = seat;
  }
  seating.members.resize(network.member_places.size());
  for (uint32_t member = 0; member < graph.members().size(); ++member) {
    const uint32_t seat = seat_at[network.place_of[graph.members()[member]]];
    seating.seat_of.push_back(seat);
    seating.members[seat].push_back(member);
  }
  return seating;
}

// What a seat behind a hub lacks must come from outside of its region.
void count_entries(ForestWork& work) {
  std::vector<int64_t> rooted(work.seat_count, 0);
  for (const uint32_t root : work.roots) ++rooted[root];
  for (uint32_t arc = 0; arc < work.room.size(); ++arc) {
    const uint32_t seat = work.seat_of[work.arc_to(arc)];
    if (seat == kNoSeat) continue;
    const ForestRegion& region = work.regions.regions[work.region_of_seat(seat)];
    if (region.hub == kNoPlace || work.arc_from(arc) != region.hub) continue;
    work.entries_needed[seat] = int64_t{work.tree_count} - rooted[seat] - work.room[arc];
  }
}

// Seats of a tree, each after its parent.
std::vector<uint32_t> from_root(const ForestWork& work, uint32_t tree) {
  std::vector<uint32_t> first(work.seat_count + 1, 0);
  const uint32_t root = work.roots[tree];
  for (uint32_t seat = 0; seat < work.seat_count; ++seat) {
    if (seat != root) ++first[work.parent[work.at(tree, seat)] + 1];
  }
  std::partial_sum(first.begin(), first.end(), first.begin());
  std::vector<uint32_t> children(first.back());
  std::vector<uint32_t> next(first.begin(), first.end() - 1);
  for (uint32_t seat = 0; seat < work.seat_count; ++seat) {
    if (seat != root) children[next[work.parent[work.at(tree, seat)]]++] = seat;
  }
  std::vector<uint32_t> order = {root};
  for (size_t head = 0; head < order.size(); ++head) {
    order.insert(order.end(), children.begin() + first[order[head]],
                 children.begin() + first[order[head] + 1]);
  }
  return order;
}

// From seats to members: who shares a seat gets the data there.
Status add_edges(const ForestWork& work, const Seating& seating, uint32_t tree, Forest& forest) {
  const std::vector<uint32_t> order = from_root(work, tree);
  if (order.size() != work.seat_count) return no_forest("a tree does not reach every member");
  const uint32_t root = forest.roots[tree];
  const auto speaker = [&](uint32_t seat) {
    return seat == work.roots[tree] ? root : seating.members[seat].front();
  };
  for (const uint32_t seat : order) {
    if (seat != work.roots[tree]) {
      const size_t at = work.at(tree, seat);
      forest.edges.push_back({speaker(work.parent[at]), speaker(seat), work.route[at]});
    }
    for (const uint32_t member : seating.members[seat]) {
      if (member != speaker(seat)) forest.edges.push_back({speaker(seat), member, 0});
    }
  }
  return ok_status();
}

Result<Forest> pack_regions(const Graph& graph, const CutNetwork& network,
                            const ForestRegions& regions, std::span<const uint32_t> roots,
                            Rational scale) {
  const Seating seating = seating_of(graph, network);
  std::vector<uint32_t> seats;
  for (const uint32_t root : roots) seats.push_back(seating.seat_of[root]);
  ForestWork work(network, regions, seats, rooms_of(network, scale, roots.size()));
  count_entries(work);
  UNIRACK_TRY(join_regions(work));
  UNIRACK_TRY(add_entries(work));
  UNIRACK_TRY(fill_regions(work));
  Forest forest;
  forest.member_count = static_cast<uint32_t>(graph.members().size());
  forest.roots.assign(roots.begin(), roots.end());
  forest.edges.reserve(roots.size() * (forest.member_count - 1));
  for (uint32_t tree = 0; tree < roots.size(); ++tree) {
    UNIRACK_TRY(add_edges(work, seating, tree, forest));
  }
  forest.hops = std::move(work.hops);
  forest.first_hop = std::move(work.first_hop);
  return forest;
}

// By domains, or as one graph.
enum class Packing { domains, flat };

Result<Forest> pack_as(Packing packing, const Graph& graph, const CutNetwork& network,
                       std::span<const uint32_t> roots, Rational scale) {
  const uint32_t places_max = packing == Packing::flat ? kFlatPlacesMax : kPlacesMax;
  ForestRegions regions = find_regions(graph, network);
  const bool are_single = regions.regions.size() == network.member_places.size();
  if ((packing == Packing::flat || are_single) && network.place_count > places_max) {
    return no_forest("too large to be packed as one graph");
  }
  if (packing == Packing::flat) regions = single_regions(network, regions);
  return pack_regions(graph, network, regions, roots, scale);
}

// Whether what stays in a domain passes no switch outside of it. Links may allow that, but who has
// to send within a domain does not go outside.
bool stays_inside(const Graph& graph, const CutNetwork& network, const Forest& forest) {
  const ForestRegions regions = find_regions(graph, network);
  const auto region = [&](uint32_t member) {
    return regions.region_of[network.place_of[graph.members()[member]]];
  };
  return std::all_of(forest.edges.begin(), forest.edges.end(), [&](const ForestEdge& edge) {
    if (region(edge.from) != region(edge.to)) return true;
    const std::span<const uint32_t> route = forest.route(edge.route);
    return std::all_of(route.begin(), route.end(), [&](uint32_t arc) {
      const Pipe& pipe = network.pipes[arc / 2];
      return regions.region_of[pipe.a] == region(edge.from) &&
             regions.region_of[pipe.b] == region(edge.from);
    });
  });
}

// Where anybody in a domain may send to anybody, one graph knows nothing better.
bool has_hub(const Graph& graph, const CutNetwork& network) {
  const ForestRegions found = find_regions(graph, network);
  return std::any_of(found.regions.begin(), found.regions.end(),
                     [](const ForestRegion& region) { return region.hub != kNoPlace; });
}

Result<Forest> pack_inside(const Graph& graph, const CutNetwork& network,
                           std::span<const uint32_t> roots, Rational scale) {
  Result<Forest> forest = pack_as(Packing::domains, graph, network, roots, scale);
  if (forest || network.place_count > kFlatPlacesMax || has_hub(graph, network)) return forest;
  Result<Forest> flat = pack_as(Packing::flat, graph, network, roots, scale);
  return flat && stays_inside(graph, network, *flat) ? std::move(flat) : std::move(forest);
}

Result<Forest> pack_near(const Graph& graph, const CutNetwork& network,
                         const std::vector<uint32_t>& roots, Rational scale) {
  UNIRACK_TRY(check_size(graph, roots));
  Result<Forest> forest = pack_inside(graph, network, roots, scale);
  for (int step = 0; step < kStepsMax && !forest; ++step) {
    const Wide raised = kFirstStep + (Wide{1} << step);
    forest = pack_inside(graph, network, roots,
                         ratio(scale.numerator * raised, scale.denominator * kFirstStep));
  }
  return forest ? std::move(forest) : pack_forest(graph, network, roots, scale);
}

// Of k trees from each member: the scale that the cuts allow.
Result<Rational> all_gather_scale(const CutNetwork& network, uint32_t k) {
  const SlowestCut slowest = find_slowest_cut(network, false);
  if (slowest.members == 0) return no_forest("nothing limits an all-gather here");
  if (slowest.capacity == 0) return no_forest("a member is cut off: no tree reaches it");
  if (k == 0 || Wide{k} * network.member_count > kTreeTermMax || network.total > kTreeTermMax) {
    return make_error(Code::invalid_argument,
                      "no trees, too many, or bandwidths with too small a common divisor");
  }
  return find_tree_scale(network, Wide{k}, ratio(Wide{k} * slowest.members, slowest.capacity))
      .scale;
}

}  // namespace

Result<Forest> pack_forest(const Graph& graph, const CutNetwork& network,
                           std::span<const uint32_t> roots, Rational scale) {
  UNIRACK_TRY(check_size(graph, roots));
  Result<Forest> forest = pack_as(Packing::domains, graph, network, roots, scale);
  if (forest || network.place_count > kFlatPlacesMax) return forest;
  return pack_as(Packing::flat, graph, network, roots, scale);
}

Result<Forest> pack_all_gather(const Graph& graph, const CutNetwork& network, uint32_t k) {
  const Rational scale = UNIRACK_TRY(all_gather_scale(network, k));
  std::vector<uint32_t> roots;
  if (uint64_t{network.member_count} * network.member_count * k <= kForestEdgesMax) {
    for (uint32_t i = 0; i < network.member_count * k; ++i) roots.push_back(i / k);
  }
  return pack_near(graph, network, roots, scale);
}

Result<Forest> pack_broadcast(const Graph& graph, const CutNetwork& network, uint32_t root,
                              uint32_t k) {
  const uint32_t place = network.place_of[graph.members()[root]];
  const SmallestCut cut = find_smallest_cut(network, false, place);
  if (cut.capacity == kFree) return no_forest("nothing limits a broadcast here");
  if (cut.capacity == 0) return no_forest("a member is cut off: no tree reaches it");
  return pack_near(graph, network, std::vector<uint32_t>(k, root), ratio(k, cut.capacity));
}

Result<uint32_t> smallest_tree_count(const CutNetwork& network, uint32_t k_max, Rational share) {
  const SlowestCut slowest = find_slowest_cut(network, false);
  Rational best = kUnlimited;
  uint32_t best_k = 0;
  for (uint32_t k = 1; k <= k_max; ++k) {
    // A forest takes scale / k of what the data would need.
    const Rational scale = UNIRACK_TRY(all_gather_scale(network, k));
    const Rational time = ratio(scale.numerator, scale.denominator * k);
    if (time < best) {
      best = time;
      best_k = k;
    }
    const Rational optimum =
        ratio(slowest.members * share.denominator, slowest.capacity * share.numerator);
    if (time <= optimum) break;
  }
  if (best_k == 0) return make_error(Code::invalid_argument, "expected at least one tree");
  return best_k;
}

CutNetwork reversed_network(const CutNetwork& network) {
  CutNetwork reversed = network;
  for (Pipe& pipe : reversed.pipes) std::swap(pipe.a_to_b, pipe.b_to_a);
  return reversed;
}

}  // namespace unirack
