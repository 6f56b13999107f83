#include "perf/common/statistics.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace unirack::perf {

double quantile(std::vector<double> samples, double q) {
  if (samples.empty()) return 0;
  const double position = std::ceil(q * static_cast<double>(samples.size())) - 1;
  const double last = static_cast<double>(samples.size() - 1);
  const auto index = static_cast<std::ptrdiff_t>(std::clamp(position, 0.0, last));
  std::nth_element(samples.begin(), samples.begin() + index, samples.end());
  return samples[static_cast<size_t>(index)];
}

double median(std::vector<double> samples) {
  if (samples.empty()) return 0;
  std::sort(samples.begin(), samples.end());
  const size_t half = samples.size() / 2;
  return samples.size() % 2 == 1 ? samples[half] : (samples[half - 1] + samples[half]) / 2;
}

double average(std::span<const double> per_rank, Average how) {
  switch (how) {
    case Average::rank0:
      return per_rank.front();
    case Average::mean:
      return std::accumulate(per_rank.begin(), per_rank.end(), 0.0) /
             static_cast<double>(per_rank.size());
    case Average::min:
      return *std::min_element(per_rank.begin(), per_rank.end());
    case Average::max:
      break;
  }
  return *std::max_element(per_rank.begin(), per_rank.end());
}

}  // namespace unirack::perf
