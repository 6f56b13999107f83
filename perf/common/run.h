// A perf test from its command line to its exit code.
#pragma once

#include <functional>

#include "perf/common/collective.h"
#include "perf/common/launch.h"
#include "perf/common/options.h"

namespace unirack::perf {

inline constexpr int kExitUsage = 2;
inline constexpr int kExitFailure = 3;

// Parses, launches, sweeps; every *_perf main is a call of this.
int perf_main(Collective& collective, int argc, char** argv);

// Joins this process's ranks to the pool, one thread each, and runs `body` in every one. Returns
// the highest exit code. A rank that cannot join says so on standard error.
using RankBody = std::function<int(api::Communicator& communicator)>;
int run_ranks(Session& session, const Options& options, const RankBody& body);

// Says on standard error what happened to this rank and who caused it; kExitFailure.
int report_failure(int rank, const api::Error& error);

}  // namespace unirack::perf
