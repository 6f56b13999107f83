// What a simulation recorded, for people: a trace that Perfetto and chrome://tracing open, and the
// critical path in words. Pure functions.
#pragma once

#include <string>

#include "collectives/simulate/simulate.h"

namespace unirack {

// Chrome's trace event format, JSON: a process a rank, a thread a lane, with what its messages did
// beside it. Times are in nanoseconds with three decimals.
std::string trace_json(const Simulation& simulation, const Schedule& schedule,
                       const Network& network);

// A line for everything on the critical path: from when to when, who, what, over which resource.
std::string critical_path_text(const Simulation& simulation, const Schedule& schedule,
                               const Network& network);

}  // namespace unirack
