// An interpreter of MSCCL++'s execution plans, written from the format alone: thread blocks run one
// operation at a time in an order drawn from a seed, and chunks hold whose contributions they are.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace unirack::testing {

// (rank, chunk of its input), ascending; one that was added twice stands twice.
using PlanChunk = std::vector<std::pair<int, int>>;

struct PlanOutcome {
  std::string problem;                          // empty: it came to its end
  std::vector<std::vector<PlanChunk>> outputs;  // by rank and chunk
  size_t operations_max = 0;                    // of a thread block
};

PlanOutcome run_mscclpp_plan(const std::string& json, uint64_t seed);

}  // namespace unirack::testing
