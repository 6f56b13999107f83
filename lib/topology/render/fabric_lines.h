// The lines of a fabric's picture: buses beside columns of devices, curves between tiers. Pure.
#pragma once

#include <vector>

#include "lib/topology/render/fabric_groups.h"
#include "lib/topology/render/picture.h"

namespace unirack {

// By rack: its frame, above which its lines turn towards their leaves.
struct Buses {
  std::vector<Rect> rack_frames;
};

// `place` by node. Appends to picture.lines, one own or detail line for every edge.
void add_fabric_lines(const Graph& graph, const FabricGroups& groups,
                      const std::vector<Rect>& place, const Buses& buses, Picture& picture);

}  // namespace unirack
