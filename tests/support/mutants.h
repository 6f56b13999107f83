// Schedules with one step too few or one too many, for tests of the verifier.
#pragma once

#include <functional>
#include <string>

#include "collectives/schedule.h"

namespace unirack::testing {

enum class Mutation : uint8_t { deleted, doubled };

// Calls `visit` with every mutant, and with its name: "rank 1 lane 0 step 3 deleted".
void for_each_mutant(const Schedule& schedule,
                     const std::function<void(const Schedule&, const std::string&)>& visit);

Schedule mutate(const Schedule& schedule, Rank rank, size_t lane, size_t step, Mutation mutation);

}  // namespace unirack::testing
