// Runs a schedule on simulated ranks with real typed data, under a seeded scheduler that is as
// hostile as the contract of kernels/program.h allows: ranks enter late, puts read their source and
// land as late as they may and torn in two, signals overtake everything they may overtake. Memory
// is poisoned before the operation and after its end, so what is read too early, kept too late or
// written to the wrong place shows in the bits. Single-threaded; knows nothing of verify().
#pragma once

#include <cstdint>
#include <string>

#include "collectives/schedule.h"

namespace unirack::testing {

struct Interleaving {
  DataType type = DataType::float32;
  ReduceOp op = ReduceOp::sum;
  uint64_t count = 0;  // elements a block
  bool in_place = false;
  uint64_t seed = 0;
};

// Empty when every output has the right bits; else what went wrong.
std::string interleave(const Schedule& schedule, const Interleaving& how);

// The schedule cut into exactly `tiles` tiles of few elements, and the block size for it.
Schedule with_tile_count(const Schedule& schedule, uint32_t tiles, Interleaving& how);

}  // namespace unirack::testing
