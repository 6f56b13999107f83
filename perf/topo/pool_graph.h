// The pool that a graph stands for when its members are the ranks: what plans are made for.
#pragma once

#include "lib/topology/topology.h"

namespace unirack::topo {

// Domains as the graph has them; messages between them.
Result<Topology> pool_of_graph(const Graph& graph);

}  // namespace unirack::topo
