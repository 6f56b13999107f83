#include "lib/control/waiting_chain.h"

#include <gtest/gtest.h>

#include <vector>

#include "lib/base/random.h"

namespace unirack {
namespace {

using Condition = RankView::Condition;

RankView waits(uint64_t sequence, Rank whom) {
  return {Condition::answers, {sequence, 0, 0, 2, whom, true}, 0};
}
RankView works(uint64_t sequence) { return waits(sequence, kNoRank); }
RankView idle(uint64_t sequence) {
  return {Condition::answers, {sequence, 0, 0, 0, kNoRank, false}, 0};
}

TEST(WaitingChain, EndsAtTheRankThatHasNotEntered) {
  const std::vector<RankView> views = {waits(5, 1), waits(5, 2), waits(5, 3), idle(4)};
  const Error error = follow_chain(views, 0, 1, 5);
  EXPECT_EQ(error.code, Code::timeout);
  EXPECT_EQ(error.culprit, 3);
  EXPECT_EQ(error.detail,
            "rank 0 waits for rank 1, which waits for rank 2, which waits for rank 3, which has "
            "not entered operation 5 since it finished operation 4");
}

TEST(WaitingChain, FollowsToLowerSequences) {
  const std::vector<RankView> views = {waits(5, 1), waits(4, 2), works(4)};
  const Error error = follow_chain(views, 0, 1, 5);
  EXPECT_EQ(error.culprit, 2);
  EXPECT_NE(error.detail.find("makes no progress in operation 4 at step 2"), std::string::npos);
}

TEST(WaitingChain, SilenceLossAndLeavingEndIt) {
  std::vector<RankView> views = {waits(5, 1), waits(5, 2), waits(5, 0)};
  views[2].condition = Condition::silent;
  EXPECT_EQ(follow_chain(views, 0, 1, 5).culprit, 2);
  EXPECT_EQ(follow_chain(views, 0, 1, 5).code, Code::timeout);
  views[2].condition = Condition::lost;
  EXPECT_EQ(follow_chain(views, 0, 1, 5).code, Code::peer_failed);
  views[2].condition = Condition::left;
  views[2].last_sequence = 4;
  const Error left = follow_chain(views, 0, 1, 5);
  EXPECT_EQ(left.code, Code::peer_failed);
  EXPECT_EQ(left.culprit, 2);
  EXPECT_NE(left.detail.find("has left the pool after 4 operations"), std::string::npos);
}

TEST(WaitingChain, CircleNamesAllOfIt) {
  const std::vector<RankView> views = {waits(5, 1), waits(5, 2), waits(5, 1)};
  const Error error = follow_chain(views, 0, 1, 5);
  EXPECT_EQ(error.culprit, 1);
  EXPECT_EQ(error.detail, "ranks 1, 2 wait for each other in a circle");
}

TEST(WaitingChain, ARankThatWentOnOwesTheOldOperation) {
  const std::vector<RankView> views = {waits(5, 1), waits(6, 0)};
  const Error error = follow_chain(views, 0, 1, 5);
  EXPECT_EQ(error.culprit, 1);
}

TEST(WaitingChain, AlwaysEndsAndNeverLeavesThePool) {
  Random random(3);
  for (int round = 0; round < 20'000; ++round) {
    const auto count = static_cast<Rank>(2 + random.below(7));
    std::vector<RankView> views(static_cast<size_t>(count));
    for (RankView& view : views) {
      view.condition = static_cast<Condition>(random.below(4));
      view.activity.sequence = random.below(3);
      view.activity.busy = random.below(2) == 0;
      view.activity.waiting_for = static_cast<Rank>(random.below(12)) - 1;
    }
    const Error error = follow_chain(views, 0, 1, 1);
    EXPECT_GE(error.culprit, 0);
    EXPECT_LT(error.culprit, count);
    EXPECT_TRUE(error.code == Code::timeout || error.code == Code::peer_failed);
  }
}

}  // namespace
}  // namespace unirack
