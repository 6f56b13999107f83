// This machine, as discovery sees it.
#pragma once

#include <cstdint>

#include "lib/topology/graph.h"
#include "perf/topo/console.h"

namespace unirack::topo {

// What could not be read goes to standard error.
Result<Graph> this_machine(const Console& console);

// The nominal rate of its fastest network port, in bytes/s; 0: not known.
uint64_t fastest_port(const Graph& machine);

}  // namespace unirack::topo
