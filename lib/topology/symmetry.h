// Which nodes of a graph are alike: its coarsest equitable partition (colour refinement, 1-WL).
// Nodes of one class have the same kind, health and in-switch reduction, and to every class equally
// many links of each kind, rate, latency and health, in each direction. Names, racks, rails and
// provenance are not looked at, nor what a link could be trained to.
//
// Classes are numbered canonically: isomorphic graphs have equal classes and an equal hash,
// whatever their names and order. The converse does not hold: alike is not always interchangeable
// (two rings of three are like one of six). Exact integers decide, no hashes. O(m log m log n).
// Pure.
#pragma once

#include <cstdint>
#include <vector>

#include "lib/topology/graph.h"

namespace unirack {

struct Symmetry {
  std::vector<uint32_t> class_of;  // by node
  uint32_t class_count = 0;
  uint64_t hash = 0;
};

Symmetry symmetry_of(const Graph& graph);

}  // namespace unirack
