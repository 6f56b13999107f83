// Every schedule that the generators can make for small pools, for tests that want them all.
#pragma once

#include <string>
#include <vector>

#include "collectives/algorithms/algorithms.h"

namespace unirack::testing {

struct Plan {
  std::string name;  // "all_reduce ring 3+2 root 1 lanes 2"
  Schedule schedule;
};

// Ranks in consecutive domains of these sizes, with a graph: links through a switch in each domain,
// and slower ones from every rank through one between them.
Topology pool_of(const std::vector<uint32_t>& shape);

// Of one algorithm, on pools of these domain sizes; plans of equal programs are listed once.
std::vector<Plan> plans_of(const Algorithm& algorithm,
                           const std::vector<std::vector<uint32_t>>& shapes,
                           const std::vector<int>& lanes);

// The longest chain of messages that wait for each other, in one tile of a schedule of one lane.
uint32_t longest_chain(const Schedule& schedule);

std::string shape_text(const std::vector<uint32_t>& shape);

}  // namespace unirack::testing
