// Packs spanning out-trees into a graph of terminals, as many from each root as asked for, within
// whole capacities. They exist if into every set of nodes passes as much as trees are rooted
// outside of it (Edmonds 1973; Tarjan 1974); edges are found by maximum flows, whole batches of
// equal trees at a time (Bérczi and Frank 2010). Breadth first, so that trees are low. Exact and
// pure; callable from any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "collectives/forest/switched_graph.h"
#include "lib/base/result.h"

namespace unirack {

struct PackedTree {
  struct Edge {
    uint32_t from = 0;
    uint32_t to = 0;
  };
  uint32_t root = 0;
  uint32_t copies = 0;
  std::vector<Edge> edges;  // parents before children
};

// Of a graph without switches. Fails if it takes more than `batches_max` batches, which are also
// deep trees: capacities that fit too tightly.
Result<std::vector<PackedTree>> pack_trees(const SwitchedGraph& graph,
                                           size_t batches_max = SIZE_MAX);

}  // namespace unirack
