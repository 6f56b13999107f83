// One rank's side of measuring one call: run it checked, run it timed, and put the ranks' numbers
// together through the pool itself. Used by the rank's thread only. All ranks call the same
// functions in the same order.
#pragma once

#include <optional>
#include <vector>

#include "perf/common/buffer.h"
#include "perf/common/check.h"
#include "perf/common/collective.h"
#include "perf/common/options.h"
#include "perf/common/table.h"
#include "unirack/unirack.hpp"

namespace unirack::perf {

// The buffers of a rank, big enough for every size of the sweep.
struct Buffers {
  Buffer send;
  Buffer recv;
  size_t unalign_bytes;
};

// What one rank calls: the buffers' addresses and how.
struct Prepared {
  const Collective* collective;
  Call call;
  std::byte* send;
  std::byte* recv;
};

// The values of all ranks, one rank after the other. `mine` is equally long everywhere.
api::Result<std::vector<double>> gather_from_ranks(unirackComm_t comm,
                                                   const std::vector<double>& mine);

// Their sum, and never less than `mine`: a rank that saw wrong values stands by them.
api::Result<int64_t> sum_over_ranks(unirackComm_t comm, size_t mine);

// The steady clock in microseconds.
double now_us();

class Meter {
 public:
  Meter(const Options& options, unirackComm_t comm, Buffers& buffers)
      : options_(options), comm_(comm), buffers_(buffers) {}

  Prepared prepare(const Collective& collective, const Call& call, bool in_place);
  // Wrong values of all ranks together.
  api::Result<int64_t> check(const Prepared& prepared, bool in_place, uint64_t seed);
  // time_us, median_us and p99_us of all ranks together.
  api::Result<Measurement> measure(const Prepared& prepared);
  // What the last measured call ran: "two_shot shm".
  const std::string& plan() const { return plan_; }

 private:
  api::Status run_once(const Prepared& prepared);
  api::Status run_iteration(const Prepared& prepared);
  api::Status barrier();
  api::Result<Measurement> measure_throughput(const Prepared& prepared);
  api::Result<Measurement> measure_each(const Prepared& prepared);
  // The bytes of the buffers that a call may touch.
  struct Extent {
    size_t begin, end;
  };
  Extent writable(const Prepared& prepared, bool in_place) const;
  size_t local_wrong(const Prepared& prepared, const Oracle& oracle, bool in_place) const;

  const Options& options_;
  unirackComm_t comm_;
  Buffers& buffers_;
  std::string plan_;
};

}  // namespace unirack::perf
