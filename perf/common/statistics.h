// Order statistics of measured times. Pure functions.
#pragma once

#include <span>
#include <vector>

namespace unirack::perf {

// The smallest sample that at least the part q (0 to 1] of all samples do not exceed (nearest
// rank). 0 for no samples.
double quantile(std::vector<double> samples, double q);

// The middle sample, or the mean of the two middle ones. 0 for no samples.
double median(std::vector<double> samples);

// How the times of the ranks become one number: the option -a.
enum class Average { rank0 = 0, mean = 1, min = 2, max = 3 };
double average(std::span<const double> per_rank, Average how);

}  // namespace unirack::perf
