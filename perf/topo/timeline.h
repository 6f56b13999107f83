// A simulation as a picture over time, SVG: a row for every lane and one below it for its messages,
// coloured by what they do, with the critical path marked. Of ranks that are simulated as one the
// lowest is shown, of many others those that the critical path visits most. Pure.
#pragma once

#include <string>

#include "collectives/simulate/simulate.h"

namespace unirack::topo {

// `simulation` has activities. A file of its own, or an element of a page; both bring their style.
std::string timeline_svg(const Simulation& simulation, const Schedule& schedule,
                         const Network& network, const std::string& title);

}  // namespace unirack::topo
