// Ranks as threads over the C interface, for tests of what callers see.
#pragma once

#include <functional>

#include "include/unirack/unirack.h"

namespace unirack::testing {

// Makes a pool of `rank_count` in this process and runs `body` on a thread of its own for every
// rank. Returns false if the pool could not be made.
bool run_ranks(int rank_count, const unirackConfig_t& config,
               const std::function<void(int rank, unirackComm_t comm)>& body);
bool run_ranks(int rank_count, const std::function<void(int rank, unirackComm_t comm)>& body);

}  // namespace unirack::testing
