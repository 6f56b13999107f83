#include "perf/common/experts.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>

namespace unirack::perf {
namespace {

TEST(Experts, EveryTokenGoesToItsNumberOfExperts) {
  const ExpertShape shape{.experts = 16, .topk = 4, .tokens = 50, .hidden = 8};
  for (size_t ranks : {1u, 3u, 8u}) {
    const std::vector<size_t> pairs = route_tokens(shape, static_cast<int>(ranks));
    ASSERT_EQ(pairs.size(), ranks * ranks);
    for (size_t rank = 0; rank < ranks; ++rank) {
      const auto row = pairs.begin() + static_cast<std::ptrdiff_t>(rank * ranks);
      EXPECT_EQ(std::accumulate(row, row + static_cast<std::ptrdiff_t>(ranks), size_t{0}), 200u);
    }
  }
}

TEST(Experts, ZipfIsMoreSkewedThanUniform) {
  const auto busiest = [](const char* skew) {
    const ExpertShape shape{.experts = 64, .topk = 2, .tokens = 500, .hidden = 8, .skew = skew};
    const std::vector<size_t> pairs = route_tokens(shape, 64);
    std::vector<size_t> load(64);
    for (size_t i = 0; i < pairs.size(); ++i) load[i % 64] += pairs[i];
    return *std::max_element(load.begin(), load.end());
  };
  EXPECT_LT(busiest("uniform"), 1500u);  // 1000 on average
  EXPECT_GT(busiest("zipf"), 4000u);
}

TEST(Experts, ShapesAreChecked) {
  EXPECT_EQ(validate({.experts = 128}), "");
  EXPECT_NE(validate({.experts = 0}), "");
  EXPECT_NE(validate({.experts = 4, .topk = 5}), "");
  EXPECT_NE(validate({.experts = 4, .topk = 1, .skew = "steep"}), "");
}

}  // namespace
}  // namespace unirack::perf
