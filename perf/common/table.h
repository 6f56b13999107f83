// The printed table and the JSON file. Columns, units and footers are nccl-tests'; our own columns
// come after them, so that scripts that count columns keep working. Formatting is pure; Report is
// used by rank 0's thread only.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "perf/common/collective.h"
#include "perf/common/options.h"

namespace unirack::perf {

// One column group of a row: out of place or in place.
struct Measurement {
  double time_us = 0;
  double alg_bandwidth = 0;  // GB/s
  double bus_bandwidth = 0;
  int64_t wrong = 0;
  double median_us = 0;
  double p99_us = 0;
};

struct Row {
  size_t size_bytes = 0;
  size_t count = 0;
  std::string type;
  std::string op;
  int root = -1;
  std::optional<Measurement> out_of_place;
  std::optional<Measurement> in_place;  // empty: N/A
  std::string plan;
};

// Bandwidths of a row from its time.
void fill_bandwidths(Measurement& measurement, const Collective& collective, size_t size_bytes,
                     int rank_count);

// At most `width` characters, with as many of two decimals as fit.
std::string fit_number(double value, int width);

// "two_shot shm" from the first line of unirackExplain, "algorithm=two_shot transport=shm ...".
std::string plan_of(std::string_view explanation);

struct Summary {
  int64_t wrong = 0;
  double bandwidth_sum = 0;
  int64_t bandwidth_count = 0;
  double average() const;
};

class Report {
 public:
  Report(const Collective& collective, const Options& options, int rank_count);

  void header(std::string_view description) const;
  void row(const Row& row);
  // Prints the footers and writes the JSON file. False when that cannot be written.
  bool finish() const;
  const Summary& summary() const { return summary_; }
  // 0, or 1 for wrong values or too little bandwidth.
  int exit_code() const;

 private:
  const Collective& collective_;
  const Options& options_;
  int rank_count_;
  std::vector<Row> rows_;
  Summary summary_;
};

}  // namespace unirack::perf
