#include "perf/common/statistics.h"

#include <gtest/gtest.h>

#include "perf/common/pair_blocks.h"

namespace unirack::perf {
namespace {

TEST(Statistics, Quantiles) {
  std::vector<double> samples;
  for (int i = 100; i > 0; --i) samples.push_back(i);
  EXPECT_EQ(quantile(samples, 0.99), 99);
  EXPECT_EQ(quantile(samples, 0.5), 50);
  EXPECT_EQ(quantile(samples, 1.0), 100);
  EXPECT_EQ(quantile(samples, 0.001), 1);
  EXPECT_EQ(quantile({4}, 0.99), 4);
  EXPECT_EQ(quantile({}, 0.99), 0);
}

TEST(Statistics, Median) {
  EXPECT_EQ(median({3, 1, 2}), 2);
  EXPECT_EQ(median({4, 1, 2, 3}), 2.5);
  EXPECT_EQ(median({}), 0);
}

TEST(Statistics, AverageOverRanks) {
  const std::vector<double> times = {4, 1, 7};
  EXPECT_EQ(average(times, Average::rank0), 4);
  EXPECT_EQ(average(times, Average::mean), 4);
  EXPECT_EQ(average(times, Average::min), 1);
  EXPECT_EQ(average(times, Average::max), 7);
}

TEST(PairBlocks, SwapsTheOrderOfEveryPair) {
  std::string order;
  const Contestant a{[&] { order += 'a'; }};
  const Contestant b{[&] { order += 'b'; }};
  const Meeting alone{[] {}, [](double mine) { return mine; }};
  const PairTimes times = run_pairs(a, b, 1, 2, 3, alone);
  EXPECT_EQ(order,
            "aaabbbb"
            "bbbbaaa"
            "aaabbbb");  // two untimed ones before each block
  EXPECT_EQ(times.first_us.size(), 3u);
}

TEST(PairBlocks, RatioIsTheMedianOfPairs) {
  // The machine halves its speed after the first pair: the ratio does not notice.
  const PairStatistics statistics = summarize({{1, 2, 2, 2, 2}, {2, 4, 4, 4, 4}});
  EXPECT_EQ(statistics.ratio, 0.5);
  EXPECT_EQ(statistics.ratio_p10, 0.5);
  EXPECT_EQ(statistics.ratio_p90, 0.5);
  EXPECT_EQ(statistics.first_us, 2);
  EXPECT_EQ(statistics.second_us, 4);
}

}  // namespace
}  // namespace unirack::perf
