// Ranks that outnumber the cores of their machine run in turn: what takes a core takes longer, and
// what arrives waits for its rank's turn. Costs are measured or published for ranks that run; these
// functions make them those of ranks that share cores. Pure; any thread.
#pragma once

#include <cstdint>

#include "collectives/simulate/costs.h"
#include "lib/topology/topology.h"

namespace unirack {

// Ranks for each core, in percent, where they are most; 100 where every rank has one, or where the
// graph of the pool does not say.
uint32_t crowding_percent(const Topology& topology);

Costs crowded(const Costs& costs, uint32_t percent);

}  // namespace unirack
