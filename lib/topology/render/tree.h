// A graph as indented text, like lstopo: machines with their NUMA nodes, PCIe bridges, GPUs, NICs
// and link speeds; racks of machines; then the network by rail and tier. Long runs of equals are
// folded: "gpu0-71". Pure.
#pragma once

#include <string>

#include "lib/topology/graph.h"

namespace unirack {

struct TextStyle {
  bool colour = false;  // escape sequences of a terminal
  bool ascii = false;   // no box drawing characters
  bool fold = true;
};

std::string render_tree(const Graph& graph, const TextStyle& style = {});

}  // namespace unirack
