#include "lib/control/vote.h"

#include <gtest/gtest.h>

namespace unirack {
namespace {

std::string describe(uint64_t request, uint64_t count) {
  return "op" + std::to_string(request) + " x " + std::to_string(count);
}

TEST(Vote, MinorityIsTheCulprit) {
  const std::vector<Ballot> ballots = {{0, 1, 8}, {1, 1, 8}, {2, 2, 8}, {3, 1, 8}};
  const auto groups = count_votes(ballots);
  ASSERT_EQ(groups.size(), 2u);
  EXPECT_EQ(minority_culprit(groups), 2);
  EXPECT_EQ(vote_text(groups, describe), "rank 2 called op2 x 8, ranks 0, 1 and 3 called op1 x 8");
}

TEST(Vote, TieNamesBothAndTheHigherGroupIsBlamed) {
  const auto groups = count_votes(std::vector<Ballot>{{0, 1, 8}, {1, 1, 9}});
  EXPECT_EQ(minority_culprit(groups), 1);
  EXPECT_EQ(vote_text(groups, describe), "rank 1 called op1 x 9, rank 0 called op1 x 8");
}

TEST(Vote, WaitsForThoseWhoCouldTurnIt) {
  const auto two = count_votes(std::vector<Ballot>{{0, 1, 8}, {1, 2, 8}});
  EXPECT_FALSE(is_decided(two, 2));
  EXPECT_TRUE(is_decided(two, 0));
  const auto four = count_votes(std::vector<Ballot>{{0, 1, 8}, {1, 1, 8}, {2, 1, 8}, {3, 2, 8}});
  EXPECT_TRUE(is_decided(four, 1));
  EXPECT_FALSE(is_decided(four, 2));
  EXPECT_FALSE(is_decided(count_votes(std::vector<Ballot>{{0, 1, 8}}), 0));
}

TEST(Vote, ManyOpinionsAreNamedInPart) {
  std::vector<Ballot> ballots;
  for (Rank rank = 0; rank < 8; ++rank) ballots.push_back({rank, static_cast<uint64_t>(rank), 1});
  const auto groups = count_votes(ballots);
  EXPECT_EQ(minority_culprit(groups), 1);
  EXPECT_NE(vote_text(groups, describe).find("others called something else"), std::string::npos);
}

}  // namespace
}  // namespace unirack
