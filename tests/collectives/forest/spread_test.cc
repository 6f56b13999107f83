#include "collectives/forest/spread.h"

#include <gtest/gtest.h>

#include <numeric>
#include <random>

namespace unirack {
namespace {

using Amounts = std::vector<int64_t>;

bool is_other(size_t from, size_t to) { return from != to; }

TEST(Spread, UniformSidesGetTheCirculant) {
  Amounts enters(8, 36);
  Amounts leaves(8, 36);
  const Amounts dealt = spread(enters, leaves, is_other);
  EXPECT_EQ(enters, Amounts(8, 0));
  EXPECT_EQ(leaves, Amounts(8, 0));
  for (size_t from = 0; from < 8; ++from) {
    EXPECT_EQ(dealt[from * 8 + from], 0);
    for (size_t to = 0; to < 8; ++to) {
      if (from == to) continue;
      // 36 = 7 * 5 + 1, and the one that is left goes to the next.
      EXPECT_EQ(dealt[from * 8 + to], to == (from + 1) % 8 ? 6 : 5);
    }
  }
}

TEST(Spread, SidesWithOnePartnerGetAllOfIt) {
  Amounts enters = {4, 0, 9};
  Amounts leaves = {0, 7, 0};
  const Amounts dealt = spread(enters, leaves, is_other);
  EXPECT_EQ(dealt[0 * 3 + 1] + dealt[2 * 3 + 1], 7);
  EXPECT_EQ(leaves, Amounts(3, 0));
  EXPECT_EQ(enters[0] + enters[2], 6);
  EXPECT_EQ(enters[0], 4 - dealt[1]);
}

TEST(Spread, NeverDealsMoreThanThereIsAndLeavesNothingThatFits) {
  std::mt19937 random(1);
  for (int round = 0; round < 500; ++round) {
    const size_t count = 1 + random() % 7;
    Amounts enters(count);
    Amounts leaves(count);
    for (auto* side : {&enters, &leaves}) {
      for (int64_t& amount : *side) amount = static_cast<int64_t>(random() % 50);
    }
    const Amounts had = enters;
    const Amounts wanted = leaves;
    const auto pattern = static_cast<unsigned>(random());
    const auto is_allowed = [&](size_t from, size_t to) {
      return (pattern >> ((from * 5 + to) % 32) & 1u) != 0;
    };
    const Amounts dealt = spread(enters, leaves, is_allowed);
    for (size_t i = 0; i < count; ++i) {
      int64_t out = 0;
      int64_t in = 0;
      for (size_t j = 0; j < count; ++j) {
        out += dealt[i * count + j];
        in += dealt[j * count + i];
        EXPECT_GE(dealt[i * count + j], 0);
        if (!is_allowed(i, j)) {
          EXPECT_EQ(dealt[i * count + j], 0);
        } else {
          EXPECT_TRUE(enters[i] == 0 || leaves[j] == 0);
        }
      }
      EXPECT_EQ(out + enters[i], had[i]);
      EXPECT_EQ(in + leaves[i], wanted[i]);
    }
  }
}

}  // namespace
}  // namespace unirack
