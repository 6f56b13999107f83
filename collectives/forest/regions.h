// The places of a pool by the load/store domain they are in, as forests see it: trees are packed
// between regions first and then within each. Pure functions, callable from any thread.
#pragma once

#include <cstdint>
#include <vector>

#include "lib/topology/bound/cut_network.h"
#include "lib/topology/graph.h"

namespace unirack {

// Places that reach each other without leaving their domain.
struct ForestRegion {
  std::vector<uint32_t> places;  // with members
  std::vector<uint32_t> inner;   // switches that touch nobody else
  uint32_t hub = kNoPlace;       // an inner place to which all of `places` are joined both ways
};

struct ForestRegions {
  static constexpr uint32_t kOutside = UINT32_MAX;
  std::vector<ForestRegion> regions;
  std::vector<uint32_t> region_of;  // by place; kOutside: a switch between regions
  std::vector<uint32_t> domain_of;  // by region: the same for those that reach each other otherwise
};

ForestRegions find_regions(const Graph& graph, const CutNetwork& network);
// Each place with members a region of its own, in the domain of the region that it was in.
ForestRegions single_regions(const CutNetwork& network, const ForestRegions& found);

}  // namespace unirack
