// Chooses the schedule for a request: a pure function of (topology, request, policy), so all ranks
// choose alike. Ranks candidates by a table of sizes and domain shapes; a simulator that prices
// them can take the table's place without touching anyone else.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "collectives/schedule.h"
#include "lib/topology/topology.h"

namespace unirack {

// Must be equal on all ranks; a difference shows as a mismatch of plans at the first meeting.
struct Policy {
  bool reassociate = false;  // plans that change the bits of float sums are allowed
  std::vector<std::pair<std::string, std::string>> forced;  // (collective, algorithm)
  uint64_t scratch_bytes = uint64_t{2} << 20;               // of one operation in progress
  uint64_t tile_bytes = 0;                                  // 0: chosen
  int lanes = 1;                                            // for large messages between domains
};

struct Choice {
  std::shared_ptr<const Schedule> schedule;
  // First line: algorithm=<name> tiles=<n> chunks=<n> lanes=<n> steps=<n>; then a line for every
  // candidate: why it was chosen or lost.
  std::string explain;
};

// Fails only for a forced algorithm that does not exist or does not fit, and for scratch too small
// for any.
Result<Choice> choose(const Topology& topology, const Request& request, const Policy& policy);

}  // namespace unirack
