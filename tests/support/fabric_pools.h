// Pools whose ranks are the members of a fabric, for tests of what plans make of it.
#pragma once

#include <string>

#include "lib/topology/topology.h"

namespace unirack::testing {

// The fabric of that name (lib/topology/generate) with that fault, if any; its members are ranks in
// their order, its domains those of the graph.
Result<Topology> pool_of_fabric(const std::string& spec, const std::string& fault = "");

}  // namespace unirack::testing
