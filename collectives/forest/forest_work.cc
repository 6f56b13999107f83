#include "collectives/forest/forest_work.h"

#include <algorithm>

namespace unirack {

ForestWork::ForestWork(const CutNetwork& the_network, const ForestRegions& the_regions,
                       std::span<const uint32_t> the_roots, std::vector<int64_t> the_room)
    : network(the_network),
      regions(the_regions),
      seat_count(static_cast<uint32_t>(network.member_places.size())),
      tree_count(static_cast<uint32_t>(the_roots.size())),
      seat_of(network.place_count, kNoSeat),
      seats_in(regions.regions.size()),
      roots(the_roots.begin(), the_roots.end()),
      room(std::move(the_room)),
      entries_needed(seat_count, 0),
      parent(size_t{tree_count} * seat_count, kNoSeat),
      route(parent.size(), 0),
      role(parent.size(), 0),
      holder(size_t{tree_count} * regions.regions.size(), kNoSeat),
      first_hop{0, 0} {
  for (uint32_t seat = 0; seat < seat_count; ++seat) {
    seat_of[network.member_places[seat]] = seat;
    seats_in[region_of_seat(seat)].push_back(seat);
  }
  for (uint32_t tree = 0; tree < tree_count; ++tree) {
    role[at(tree, roots[tree])] = kHolds;
    holder[tree * regions.regions.size() + region_of_seat(roots[tree])] = roots[tree];
  }
}

uint32_t ForestWork::take_route(std::span<const uint32_t> arcs) {
  for (const uint32_t arc : arcs) --room[arc];
  return add_route(arcs);
}

uint32_t ForestWork::add_route(std::span<const uint32_t> arcs) {
  hops.insert(hops.end(), arcs.begin(), arcs.end());
  first_hop.push_back(static_cast<uint32_t>(hops.size()));
  return static_cast<uint32_t>(first_hop.size() - 2);
}

}  // namespace unirack
