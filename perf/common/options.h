// The command line of every perf test: nccl-tests' options where they mean something on hosts, and
// ours. Parsing is pure: it prints nothing and exits nothing.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "perf/common/buffer.h"
#include "perf/common/collective.h"
#include "perf/common/statistics.h"
#include "perf/common/types.h"

namespace unirack::perf {

enum class Timing {
  throughput,     // iterations back to back, one time for all
  per_iteration,  // -I: each on its own
  latency,        // --latency: each starts when the one before is done everywhere
};

struct Options {
  int thread_count = 1;  // -t
  int per_thread = 1;    // -g: more ranks a thread means more threads here
  int np = 0;            // --np: 0 when not given
  size_t bytes_min = size_t{32} << 20;
  size_t bytes_max = size_t{32} << 20;
  size_t step_bytes = size_t{1} << 20;
  double step_factor = 0;  // 0: steps of step_bytes
  size_t iterations = 20;
  size_t aggregate = 1;
  size_t warmup = 1;
  size_t cycles = 1;  // 0: for ever
  bool check = true;
  std::vector<Op> ops{Op::sum};
  std::vector<unirackDataType_t> types{unirackFloat32};
  int root = 0;  // -1: all
  int timeout_s = 0;
  Average average = Average::mean;
  Registration registration = Registration::none;
  size_t unalign = 0;  // elements
  bool cpu_time = false;
  bool timestamps = false;
  bool exact_bytes = false;
  Timing timing = Timing::throughput;
  std::vector<int> domains;  // sizes of consecutive emulated racks
  std::string json_path;
  double min_bandwidth = 0;        // NCCL_TESTS_MIN_BW
  std::vector<std::string> notes;  // what was accepted without effect, for the header

  int ranks_per_process() const { return thread_count * per_thread; }
};

struct ParseOutcome {
  std::optional<Options> options;  // empty: print `text` and exit with `exit_code`
  int exit_code = 0;
  std::string text;
};
// `arguments` without the program's name. May write through the collective's extra options.
ParseOutcome parse_options(Collective& collective, std::vector<std::string> arguments);

// The sizes of a sweep in bytes, in order.
std::vector<size_t> sweep_sizes(const Options& options);

// The element count of a size. Without --exact-bytes it is rounded down so that every block is a
// multiple of 16 bytes where there is one block a rank, as nccl-tests does.
size_t count_of(const Collective& collective, const Options& options, size_t bytes,
                unirackDataType_t type, int rank_count);

// "2+2" -> {2, 2}; empty when it is not that.
std::vector<int> parse_domains(std::string_view text);
// The emulated rack of a rank: "rack1"; empty without --domains.
std::string domain_of(const Options& options, int rank);

// The text of --help around CLI11's list of options (help.cc).
std::string help_description(const Collective& collective);
std::string help_footer(const Collective& collective);

}  // namespace unirack::perf
