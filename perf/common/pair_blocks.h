// Two contestants measured side by side: short blocks of each, alternated inside one process group,
// the order swapped every pair, and the median of the pairs' ratios. On a machine whose speed
// changes from second to second this repeats to a few per cent where separate runs differ by a
// factor of two. Pure but for the calls it makes; used by the rank's main thread.
#pragma once

#include <cstddef>
#include <functional>
#include <vector>

namespace unirack::perf {

struct Contestant {
  std::function<void()> run;  // one operation
};

struct PairTimes {
  std::vector<double> first_us, second_us;  // one entry a pair, time of one operation
};

struct PairStatistics {
  double first_us = 0;  // medians
  double second_us = 0;
  double ratio = 0;  // median of first / second
  double ratio_p10 = 0;
  double ratio_p90 = 0;
};
PairStatistics summarize(const PairTimes& times);

// What the ranks share: a barrier that is neither contestant's, and the slowest rank's time.
struct Meeting {
  std::function<void()> barrier;
  std::function<double(double mine)> slowest;
};

// `operations` of each contestant a block, after two untimed ones.
PairTimes run_pairs(const Contestant& first, const Contestant& second, size_t first_operations,
                    size_t second_operations, size_t pairs, const Meeting& meeting);

// How many operations last about `block_us`, agreed by all ranks.
size_t operations_for(const Contestant& contestant, double block_us, const Meeting& meeting);

}  // namespace unirack::perf
