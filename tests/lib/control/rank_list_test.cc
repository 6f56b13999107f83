#include "lib/control/rank_list.h"

#include <gtest/gtest.h>

#include <vector>

namespace unirack {
namespace {

std::string text(std::vector<Rank> ranks) { return rank_list(ranks); }

TEST(RankList, ReadsAsAPersonWouldSayIt) {
  EXPECT_EQ(text({}), "no rank");
  EXPECT_EQ(text({3}), "rank 3");
  EXPECT_EQ(text({3, 4}), "ranks 3, 4");
  EXPECT_EQ(text({3, 5}), "ranks 3 and 5");
  EXPECT_EQ(text({0, 1, 3}), "ranks 0, 1 and 3");
  EXPECT_EQ(text({1, 4, 5, 6, 7, 9}), "ranks 1, 4-7 and 9");
}

TEST(RankList, IsCutAfterADozenRuns) {
  std::vector<Rank> even;
  for (Rank rank = 0; rank < 100; rank += 2) even.push_back(rank);
  EXPECT_EQ(rank_list(even), "ranks 0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22 and 38 more");
}

}  // namespace
}  // namespace unirack
