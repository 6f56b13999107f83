// One rank's run through all sizes, types, operations and roots. All ranks run the same sweep; rank
// 0 prints it. Used by the rank's thread only.
#pragma once

#include <optional>
#include <vector>

#include "perf/common/measure.h"
#include "perf/common/table.h"

namespace unirack::perf {

class Sweep {
 public:
  Sweep(const Collective& collective, const Options& options, api::Communicator& communicator);

  // The exit code.
  int run();

 private:
  int run_all();
  api::Status run_cycle(Meter& meter);
  api::Status run_row(Meter& meter, size_t bytes, Call call);
  api::Result<Measurement> run_placement(Meter& meter, const Call& call, size_t size_bytes,
                                         bool in_place);
  std::optional<Buffers> make_buffers() const;
  std::vector<int> roots() const;
  void show_progress() const;

  const Collective& collective_;
  const Options& options_;
  api::Communicator& communicator_;
  int rank_;
  int rank_count_;
  Report report_;
  uint64_t seed_ = 0;
  int64_t wrong_ = 0;  // known to every rank
  size_t rows_done_ = 0;
};

}  // namespace unirack::perf
