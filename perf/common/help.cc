#include <fmt/format.h>

#include "perf/common/options.h"

namespace unirack::perf {

std::string help_description(const Collective& collective) {
  return fmt::format(
      "NAME\n  {0} - {1}\n\nSYNOPSIS\n"
      "  mpirun -np N {0} [options]   one rank a process, started by MPI\n"
      "  {0} --np N [options]         the same, started by this program\n"
      "  {0} -t N [options]           ranks as threads of one process\n\n"
      "DESCRIPTION\n"
      "  Runs the collective over a sweep of sizes, out of place and in place, checks every value\n"
      "  that arrives, and prints time and bandwidth in the columns of nccl-tests. On any failure\n"
      "  it says which rank caused it.",
      collective.name(), collective.summary());
}

std::string help_footer(const Collective& collective) {
  return fmt::format(
      "COLUMNS\n"
      "  size    bytes of the larger side of the call on one rank; GB is 1e9 bytes\n"
      "  count   elements as passed to the call\n"
      "  type, redop, root\n"
      "  time    microseconds per operation: iterations back to back on the host clock, divided "
      "by\n"
      "          their number, averaged over ranks (-a). For small sizes this is pipelined\n"
      "          throughput; --latency measures the time of one operation\n"
      "  algbw   size / time\n"
      "  busbw   {1}; comparable with a link's rate at any rank count\n"
      "  #wrong  elements that differ in any bit from the exact result, bytes written outside the\n"
      "          receive buffer, elements of the send buffer that changed; summed over ranks\n"
      "  p50 p99 with --latency and -I only: median and 99th percentile of single operations\n"
      "  plan    the algorithm and the transports that ran\n\n"
      "LATENCY\n"
      "  With --latency every operation is timed by itself and begins when the one before it is\n"
      "  done. A collective that no rank can finish before all have entered is a chain by itself\n"
      "  (all-reduce works on its own output), and samples of all ranks are pooled. Others get an\n"
      "  untimed barrier before each operation, and a sample is the slowest rank's time.\n\n"
      "DATA\n"
      "  Inputs make the result exact in every type, operation and rank count. Receive buffers "
      "and\n"
      "  a page on either side are filled with 0xff before the call. mulsum multiplies by 0.5\n"
      "  (floats) or 3 (integers) before it adds.\n\n"
      "EXIT STATUS\n"
      "  0  all values right      1  wrong values, or busbw below 0.9 x NCCL_TESTS_MIN_BW\n"
      "  2  bad usage             3  the library or a rank failed; standard error says who\n\n"
      "EXAMPLES\n"
      "  mpirun -np 4 {0} -b 8 -e 64M -f 2\n"
      "  {0} --np 4 --domains 2+2 -b 1K -e 1M -f 4   two emulated racks with TCP between them\n"
      "  {0} -t 2 -b 8 -e 8K -f 2 --latency -n 1000  median and p99 of small messages\n"
      "  {0} --np 3 -d all --exact-bytes -b 1 -e 100001 -f 3   every type, odd sizes\n\n"
      "ENVIRONMENT\n"
      "  NCCL_TESTS_MIN_BW  average busbw in GB/s to reach\n"
      "{2}",
      collective.name(), collective.bus_formula(), unirackConfigHelp());
}

}  // namespace unirack::perf
