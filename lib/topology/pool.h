// The graph of a pool: what its machines see of themselves, merged, with a node for every rank.
//
// One rank speaks for each machine, the lowest: it discovers and sends what it saw, the others send
// nothing. A machine is what has a name and a kernel of its own, so containers on one kernel each
// have a speaker. Everyone gets the same places and the same views, hence makes the same graph.
// Pure but for machine_view(), machine_name() and own_numa_nodes(), which read the machine;
// callable from any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "lib/topology/graph.h"

namespace unirack {

// Where a rank is, as it says itself.
struct RankPlace {
  std::string machine;      // machine_name()
  std::string kernel;       // boot id: tells machines of equal names apart
  std::string domain;       // load/store domain if it was given one by name
  uint64_t numa_nodes = 0;  // that it may run on; bit n is "MACHINE/cpun"; 0: not known
};

std::string machine_name();
// Of the calling thread; nodes beyond the 64th are not told.
uint64_t own_numa_nodes();

// Who speaks for the machine of `rank`.
Rank speaker_of(std::span<const RankPlace> ranks, Rank rank);
// This machine as a graph, encoded; without attributes if it would be longer than `bytes_max`
// otherwise, empty if even that is too long or nothing could be seen.
std::vector<std::byte> machine_view(size_t bytes_max);

struct PoolGraph {
  Graph graph;  // the ranks last, in order
  std::vector<std::string> contradictions;
};

// `views` by rank; empty from those who do not speak. A machine whose name another one has too is
// renamed "NAME~2". An error names the rank whose view is bad; views that cannot be merged are left
// out by all, which is among the contradictions.
Result<PoolGraph> make_pool_graph(std::span<const RankPlace> ranks,
                                  std::span<const std::vector<std::byte>> views);

// "2 machines: 4 NUMA nodes, 16 GPUs, 16 NICs"
std::string summary_of(const Graph& graph);

}  // namespace unirack
