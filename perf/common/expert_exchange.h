// The expert exchange of one layer of a mixture-of-experts model under expert parallelism: every
// rank tells how much it will send, dispatches its tokens to the experts' ranks, and gets the
// results back (combine). Used by the rank's thread only; all ranks make the same calls.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "perf/common/experts.h"
#include "unirack/unirack.hpp"

namespace unirack::perf {

struct ExpertModel {
  std::string name;
  ExpertShape shape;
  size_t layers = 0;
};

struct ExpertRow {
  size_t bytes = 0;      // what a rank dispatches
  size_t bytes_max = 0;  // what the busiest rank receives
  double counts_us = 0;  // medians over repetitions and ranks
  double dispatch_us = 0;
  double combine_us = 0;
  int64_t wrong = 0;
  std::string plan;  // of the dispatch

  double layer_us() const { return counts_us + dispatch_us + combine_us; }
};

// One warm-up and `repetitions` timed exchanges in bfloat16. Every dispatch and combine is checked.
api::Result<ExpertRow> run_expert_exchange(api::Communicator& communicator,
                                           const ExpertModel& model, size_t repetitions);

}  // namespace unirack::perf
