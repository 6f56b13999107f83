// A forest in the making: for every tree and every place with members who passes the data to it,
// and by which links. Filled in by three steps, each of which may find that the capacities do not
// do: join_regions() brings each tree to one seat of every region, add_entries() to more seats from
// outside where the links within a region could not carry everything, fill_regions() to the rest.
// Owned by one call of pack_forest().
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "collectives/forest/regions.h"
#include "lib/base/result.h"

namespace unirack {

inline constexpr uint32_t kNoSeat = UINT32_MAX;

// What a seat is to a tree; flags.
inline constexpr uint8_t kHolds = 1;   // the root, or it comes from another region
inline constexpr uint8_t kPasses = 2;  // passes it to another region
inline constexpr uint8_t kExtra = 4;   // comes from another region and is passed to nobody

// A seat is a place with members; an arc is a pipe in one direction.
class ForestWork {
 public:
  // `roots`: the seat of each tree. `room` by arc.
  ForestWork(const CutNetwork& network, const ForestRegions& regions,
             std::span<const uint32_t> roots, std::vector<int64_t> room);

  static uint32_t arc_of(size_t pipe, bool from_a) {
    return static_cast<uint32_t>(pipe * 2 + (from_a ? 0 : 1));
  }
  uint32_t arc_from(uint32_t arc) const {
    return arc % 2 == 0 ? network.pipes[arc / 2].a : network.pipes[arc / 2].b;
  }
  uint32_t arc_to(uint32_t arc) const {
    return arc % 2 == 0 ? network.pipes[arc / 2].b : network.pipes[arc / 2].a;
  }
  size_t at(uint32_t tree, uint32_t seat) const { return size_t{tree} * seat_count + seat; }
  uint32_t region_of_seat(uint32_t seat) const {
    return regions.region_of[network.member_places[seat]];
  }
  // A route of these arcs; take_route() also takes one off the room of each.
  uint32_t add_route(std::span<const uint32_t> arcs);
  uint32_t take_route(std::span<const uint32_t> arcs);
  void attach(uint32_t tree, uint32_t from, uint32_t to, uint32_t via) {
    parent[at(tree, to)] = from;
    route[at(tree, to)] = via;
  }

  const CutNetwork& network;
  const ForestRegions& regions;
  uint32_t seat_count = 0;
  uint32_t tree_count = 0;
  std::vector<uint32_t> seat_of;                // by place
  std::vector<std::vector<uint32_t>> seats_in;  // by region
  std::vector<uint32_t> roots;                  // by tree: its seat
  std::vector<int64_t> room;                    // by arc
  std::vector<int64_t> entries_needed;          // by seat: from other regions

  std::vector<uint32_t> parent;  // by at(); kNoSeat: none yet
  std::vector<uint32_t> route;
  std::vector<uint8_t> role;
  std::vector<uint32_t> holder;  // by tree * regions + region

  std::vector<uint32_t> hops;       // arcs of all routes
  std::vector<uint32_t> first_hop;  // by route, and one past the end; route 0 is empty
};

Status join_regions(ForestWork& work);
Status add_entries(ForestWork& work);
Status fill_regions(ForestWork& work);

}  // namespace unirack
