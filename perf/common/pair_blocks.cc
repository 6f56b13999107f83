#include "perf/common/pair_blocks.h"

#include <algorithm>
#include <chrono>

#include "perf/common/statistics.h"

namespace unirack::perf {
namespace {

constexpr size_t kWarmup = 20;
constexpr size_t kRewarm = 2;  // caches and predictors after a switch
constexpr size_t kOperationsMax = 100'000;

// The slowest rank's microseconds for one operation.
double time_block(const Contestant& contestant, size_t operations, const Meeting& meeting) {
  for (size_t i = 0; i < kRewarm; ++i) contestant.run();
  meeting.barrier();
  const auto start = std::chrono::steady_clock::now();
  for (size_t i = 0; i < operations; ++i) contestant.run();
  const std::chrono::duration<double, std::micro> elapsed =
      std::chrono::steady_clock::now() - start;
  return meeting.slowest(elapsed.count() / static_cast<double>(operations));
}

}  // namespace

size_t operations_for(const Contestant& contestant, double block_us, const Meeting& meeting) {
  double once_us = time_block(contestant, 1, meeting);
  const auto warmup = static_cast<size_t>(
      std::clamp(block_us / std::max(once_us, 0.1), 1.0, static_cast<double>(kWarmup)));
  once_us = time_block(contestant, warmup, meeting);
  const double operations = block_us / std::max(once_us, 0.01);
  return static_cast<size_t>(std::clamp(operations, 1.0, static_cast<double>(kOperationsMax)));
}

PairTimes run_pairs(const Contestant& first, const Contestant& second, size_t first_operations,
                    size_t second_operations, size_t pairs, const Meeting& meeting) {
  PairTimes times;
  for (size_t pair = 0; pair < pairs; ++pair) {
    double first_us = 0;
    double second_us = 0;
    if (pair % 2 == 0) {
      first_us = time_block(first, first_operations, meeting);
      second_us = time_block(second, second_operations, meeting);
    } else {
      second_us = time_block(second, second_operations, meeting);
      first_us = time_block(first, first_operations, meeting);
    }
    times.first_us.push_back(first_us);
    times.second_us.push_back(second_us);
  }
  return times;
}

PairStatistics summarize(const PairTimes& times) {
  std::vector<double> ratios;
  for (size_t i = 0; i < times.first_us.size(); ++i) {
    ratios.push_back(times.first_us[i] / times.second_us[i]);
  }
  return {median(times.first_us), median(times.second_us), median(ratios), quantile(ratios, 0.1),
          quantile(ratios, 0.9)};
}

}  // namespace unirack::perf
