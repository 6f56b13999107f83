// A schedule at work as two pictures: over time, and over the fabric with its links' loads.
#pragma once

#include <string>
#include <vector>

#include "collectives/simulate/simulate.h"
#include "lib/topology/graph.h"
#include "lib/topology/render/svg.h"

namespace unirack::topo {

struct PlanPictures {
  std::string caption;   // "The first 8 of 128 tiles: a call of 4 MiB."
  std::string timeline;  // SVG
  std::string fabric;    // SVG; empty: too large to draw
};

// Of a schedule of many tiles, which repeats itself, the first ones are drawn.
Result<PlanPictures> draw_plan(const Schedule& schedule, const Graph& graph, const Network& network,
                               SimulatedCall call, SimulateOptions options);

// The loads of a simulation as those of the graph's links.
std::vector<LinkLoad> link_loads(const Graph& graph, const Network& network,
                                 const Simulation& simulation);

}  // namespace unirack::topo
