#include "lib/topology/natural_order.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <string>
#include <vector>

namespace unirack {
namespace {

TEST(NaturalOrder, NumbersCompareAsNumbers) {
  std::vector<std::string> names = {"b/gpu1",       "a/gpu10",       "a/gpu2",
                                    "a/gpu",        "a/nic/mlx5_10", "a/nic/mlx5_9:2",
                                    "a/nic/mlx5_9", "a10",           "a9/x"};
  std::sort(names.begin(), names.end(), natural_less);
  EXPECT_EQ(names,
            (std::vector<std::string>{"a/gpu", "a/gpu2", "a/gpu10", "a/nic/mlx5_9",
                                      "a/nic/mlx5_9:2", "a/nic/mlx5_10", "a9/x", "a10", "b/gpu1"}));
}

TEST(NaturalOrder, LeadingZerosDecideLast) {
  EXPECT_LT(natural_compare("tray05", "tray10"), 0);
  EXPECT_LT(natural_compare("tray05", "tray5"), 0);
  EXPECT_LT(natural_compare("tray05/b", "tray5/c"), 0);
  EXPECT_GT(natural_compare("tray05/c", "tray5/b"), 0);
  EXPECT_EQ(natural_compare("tray05", "tray05"), 0);
  EXPECT_LT(natural_compare("0", "00") * natural_compare("00", "0"), 0);
}

TEST(NaturalOrder, HugeNumbersDoNotOverflow) {
  EXPECT_LT(natural_compare("99999999999999999999999999", "100000000000000000000000000"), 0);
}

TEST(NaturalOrder, IsATotalOrder) {
  std::mt19937 random(1);
  std::vector<std::string> names(60);
  for (std::string& name : names) {
    const size_t length = random() % 5;
    for (size_t i = 0; i < length; ++i) name += "a/019"[random() % 5];
  }
  for (const auto& a : names) {
    for (const auto& b : names) {
      const int order = natural_compare(a, b);
      EXPECT_EQ(order == 0, a == b);
      EXPECT_EQ(order<0, natural_compare(b, a)> 0) << a << ' ' << b;
      for (const auto& c : names) {
        if (order < 0 && natural_compare(b, c) < 0) {
          EXPECT_LT(natural_compare(a, c), 0);
        }
      }
    }
  }
}

}  // namespace
}  // namespace unirack
