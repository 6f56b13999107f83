// The all-reduces of one decode step of a dense model under tensor parallelism: after attention and
// after the feed-forward block of every layer, one vector of `hidden` elements for each sequence of
// the batch. Used by the rank's thread only; all ranks make the same calls.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "perf/common/buffer.h"
#include "unirack/unirack.hpp"

namespace unirack::perf {

struct DecodeModel {
  std::string name;
  size_t hidden = 0;
  size_t layers = 0;
  size_t all_reduces_per_layer = 2;

  size_t all_reduces() const { return layers * all_reduces_per_layer; }
};

struct DecodeRow {
  size_t batch = 0;
  size_t bytes = 0;         // of one all-reduce
  double step_ms = 0;       // median over steps and ranks
  double operation_us = 0;  // median all-reduce of all steps and ranks
  double p99_us = 0;
  int64_t wrong = 0;
  std::string plan;
};

// One warm-up step and `steps` timed ones in bfloat16, in place; the first all-reduce is checked.
api::Result<DecodeRow> run_decode_step(api::Communicator& communicator, const DecodeModel& model,
                                       size_t batch, size_t steps, Registration registration);

}  // namespace unirack::perf
