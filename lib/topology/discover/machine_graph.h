// From what was read of one machine to its graph: a pure function.
//
// GPUs and NICs hang from PCIe switches, these from NUMA nodes, which are joined pairwise. Bridges
// that carry one device (root ports) are not nodes. A bridge that claims to be slower than a device
// below it, and not because it was trained down, is virtual or lies: its speed is not known.
// Attributes that NCCL's topology files have too are named and written as there.
#pragma once

#include <string>
#include <vector>

#include "lib/topology/discover/machine.h"
#include "lib/topology/graph.h"

namespace unirack {

// Adds what it could not place to `notes`.
Result<Graph> machine_graph(const MachineFacts& facts, std::vector<std::string>& notes);

}  // namespace unirack
