// The matrix of `nvidia-smi topo -m` for each machine of a graph: how every GPU and NIC reaches
// every other, extended with columns for NUMA node, rail and domain. Machines that are alike are
// printed once. Pure.
#pragma once

#include <string>
#include <vector>

#include "lib/topology/graph.h"

namespace unirack {

// One machine.
struct Matrix {
  std::vector<std::string> hosts;               // all machines that look like this
  std::vector<std::string> devices;             // GPUs, then NICs, in natural order
  std::vector<std::vector<std::string>> cells;  // "X", "NV18", "PIX", ...
  std::vector<std::string> numa, rails, domains;
  std::vector<std::vector<std::string>> all_domains;  // by device: of all these machines
};

std::vector<Matrix> matrices_of(const Graph& graph);

std::string render_matrix(const Graph& graph);

}  // namespace unirack
