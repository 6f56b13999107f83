// Generated fabrics, and the pools whose ranks are their members.
#pragma once

#include <string>

#include "lib/topology/graph.h"
#include "lib/topology/topology.h"

namespace unirack::testing {

// The fabric of that name (lib/topology/generate) with that fault, if any.
Graph fabric(const std::string& spec, const std::string& fault = "");
// The members of the graph as ranks, in their order; domains as the graph has them.
Topology pool_of(const Graph& graph);

}  // namespace unirack::testing
