#include "lib/topology/bound/rational.h"

#include <gtest/gtest.h>

#include <random>

namespace unirack {
namespace {

TEST(Rational, LowestTermsAndUnlimited) {
  EXPECT_TRUE(ratio(6, 4).numerator == 3 && ratio(6, 4).denominator == 2);
  EXPECT_TRUE(ratio(0, 7).denominator == 1);
  EXPECT_TRUE(ratio(5, 0).is_unlimited());
  EXPECT_TRUE(kUnlimited > ratio(1, 1));
  EXPECT_TRUE(kUnlimited == kUnlimited);
  EXPECT_EQ(ratio(7, 4).value(), 1.75);
}

TEST(Rational, ComparesTermsWhoseProductsDoNotFit) {
  const Wide large = Wide{1} << 120;
  EXPECT_TRUE(ratio(large + 1, large) > ratio(large + 2, large + 1));
  EXPECT_TRUE(ratio(large, large + 1) < ratio(large + 1, large + 2));
  EXPECT_TRUE(ratio(large, 3) == ratio(large, 3));
}

TEST(Rational, ComparesLikeCrossProducts) {
  std::mt19937_64 random(1);
  for (int i = 0; i < 10000; ++i) {
    const auto draw = [&](uint64_t limit) { return static_cast<Wide>(random() % limit); };
    const Wide a = draw(50), b = 1 + draw(50), c = draw(50), d = 1 + draw(50);
    ASSERT_EQ(ratio(a, b) < ratio(c, d), a * d < c * b);
    ASSERT_EQ(ratio(a, b) == ratio(c, d), a * d == c * b);
  }
}

TEST(Rational, OneAfterTheOtherIsTheHarmonicSum) {
  EXPECT_TRUE(one_after_other(ratio(2), ratio(2)) == ratio(1));
  EXPECT_TRUE(one_after_other(ratio(3), ratio(6)) == ratio(2));
  EXPECT_TRUE(one_after_other(ratio(1, 2), ratio(1, 3)) == ratio(1, 5));
  EXPECT_TRUE(one_after_other(kUnlimited, ratio(4)) == ratio(4));
  EXPECT_TRUE(one_after_other(ratio(4), kUnlimited) == ratio(4));
  EXPECT_TRUE(one_after_other(ratio(0), ratio(4)) == ratio(0));
}

TEST(Rational, OneAfterTheOtherIsRoundedUpWhereItDoesNotFit) {
  const Wide large = Wide{1} << 100;
  const Rational sum = one_after_other(ratio(large + 1, 3), ratio(large - 1, 7));
  const double exact = 1 / (1 / ratio(large, 3).value() + 1 / ratio(large, 7).value());
  EXPECT_GE(sum.value(), exact * (1 - 1e-12));
  EXPECT_LE(sum.value(), exact * (1 + 1e-12));
}

}  // namespace
}  // namespace unirack
