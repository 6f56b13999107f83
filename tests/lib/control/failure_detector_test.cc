#include "lib/control/failure_detector.h"

#include <gtest/gtest.h>

namespace unirack {
namespace {

constexpr TimePoint kStart = TimePoint(milliseconds(1000));
constexpr Duration kTimeout = milliseconds(2000);

TimePoint at(int64_t ms) { return kStart + milliseconds(ms); }

std::string describe(uint64_t request, uint64_t count) {
  return "op" + std::to_string(request) + " x " + std::to_string(count);
}

// Rank 0 of four, driven every 100 ms.
struct Fixture {
  Membership membership{0, 4, milliseconds(100)};
  FailureDetector detector{membership, {kTimeout, milliseconds(100), describe}, kStart};
  int64_t driven_ms = 0;

  void enter(uint64_t sequence, uint64_t request, int64_t ms, Rank waiting_for = kNoRank) {
    detector.self({sequence, request, 8, 0, waiting_for, true}, {{sequence, request, 8}}, at(ms));
  }
  void beat(Rank peer, Activity activity, int64_t ms, uint32_t query_seen = 0) {
    detector.heartbeat(
        peer, {activity, {{activity.sequence, activity.request, activity.count}}, query_seen},
        at(ms));
  }
  std::optional<Verdict> judge_until(int64_t ms) {
    for (; driven_ms < ms; driven_ms += 100) {
      auto verdict = detector.judge(at(driven_ms));
      if (verdict) return verdict;
    }
    return detector.judge(at(ms));
  }
};

TEST(FailureDetector, SilenceCountsOnlyWhileBusy) {
  Fixture idle;
  EXPECT_FALSE(idle.judge_until(10'000));
  EXPECT_EQ(idle.detector.next_check(), kNoDeadline);

  Fixture busy;
  busy.enter(1, 1, 0);
  for (int64_t ms = 0; ms <= 3000; ms += 100) {
    for (const Rank peer : {1, 3}) busy.beat(peer, {1, 1, 8, 0, kNoRank, true}, ms);
    if (ms <= 500) busy.beat(2, {1, 1, 8, 0, kNoRank, true}, ms);
    const auto verdict = busy.detector.judge(at(ms));
    EXPECT_EQ(verdict.has_value(), ms == 2500) << ms;
    if (!verdict) continue;
    EXPECT_EQ(verdict->error.code, Code::timeout);
    EXPECT_EQ(verdict->error.culprit, 2);
    break;
  }
}

TEST(FailureDetector, SilenceStartsWithTheOperation) {
  Fixture fixture;
  EXPECT_FALSE(fixture.judge_until(5000));
  fixture.enter(1, 1, 5000);
  EXPECT_EQ(fixture.detector.next_check(), at(7000));
  EXPECT_FALSE(fixture.judge_until(6900));
  EXPECT_TRUE(fixture.judge_until(7000));
}

TEST(FailureDetector, TimeThatWasNotLivedIsForgiven) {
  Fixture fixture;
  fixture.enter(1, 1, 0);
  EXPECT_FALSE(fixture.judge_until(100));
  EXPECT_FALSE(fixture.detector.judge(at(10'000)));
  fixture.driven_ms = 10'000;
  EXPECT_FALSE(fixture.judge_until(11'500));
  EXPECT_TRUE(fixture.judge_until(12'500));
}

TEST(FailureDetector, LostConnectionRipensSoThatAVerdictCanComeFirst) {
  Fixture fixture;
  fixture.membership.lost(2);
  fixture.detector.connection_lost(2, "is gone", at(0));
  EXPECT_FALSE(fixture.detector.judge(at(0)));
  EXPECT_EQ(fixture.detector.next_check(), at(20));
  const auto verdict = fixture.detector.judge(at(20));
  ASSERT_TRUE(verdict);
  EXPECT_EQ(verdict->error.code, Code::peer_failed);
  EXPECT_EQ(verdict->error.culprit, 2);
  EXPECT_EQ(verdict->error.detail, "rank 2 is gone");
}

TEST(FailureDetector, LowestOfSimultaneousEvidence) {
  Fixture fixture;
  fixture.detector.report(9, make_error(Code::corrupted, "a", 3), at(0));
  fixture.detector.report(7, make_error(Code::corrupted, "b", 2), at(0));
  fixture.detector.report(7, make_error(Code::corrupted, "c", 1), at(0));
  const auto verdict = fixture.detector.judge(at(0));
  ASSERT_TRUE(verdict);
  EXPECT_EQ(verdict->sequence, 7u);
  EXPECT_EQ(verdict->error.culprit, 1);
}

TEST(FailureDetector, ARankThatLeftIsAFailureOnlyIfWaitedFor) {
  Fixture fixture;
  fixture.membership.left(2, 4);
  fixture.enter(4, 1, 0, 2);
  EXPECT_FALSE(fixture.detector.judge(at(0)));
  fixture.enter(5, 1, 10, 1);
  EXPECT_FALSE(fixture.detector.judge(at(10)));
  fixture.enter(5, 1, 20, 2);
  const auto verdict = fixture.detector.judge(at(20));
  ASSERT_TRUE(verdict);
  EXPECT_EQ(verdict->error.code, Code::peer_failed);
  EXPECT_EQ(verdict->error.culprit, 2);
  EXPECT_EQ(verdict->error.detail,
            "rank 2 has left the pool after 4 operations; rank 0 waits for it in operation 5");
}

TEST(FailureDetector, MismatchAsksAndBlamesTheMinority) {
  Fixture fixture;
  fixture.enter(5, 1, 0);
  fixture.detector.report_mismatch(5, at(0));
  EXPECT_FALSE(fixture.detector.judge(at(0)));
  const auto query = fixture.detector.take_query();
  ASSERT_TRUE(query);
  EXPECT_FALSE(fixture.detector.take_query());
  fixture.beat(1, {5, 1, 8, 0, kNoRank, true}, 1, *query);
  fixture.beat(2, {5, 2, 8, 0, kNoRank, true}, 1, *query);
  EXPECT_FALSE(fixture.detector.judge(at(1)));
  fixture.beat(3, {5, 1, 8, 0, kNoRank, true}, 2, *query);
  const auto verdict = fixture.detector.judge(at(2));
  ASSERT_TRUE(verdict);
  EXPECT_EQ(verdict->sequence, 5u);
  EXPECT_EQ(verdict->error.code, Code::mismatch);
  EXPECT_EQ(verdict->error.culprit, 2);
  EXPECT_EQ(verdict->error.detail,
            "operation 5: rank 2 called op2 x 8, ranks 0, 1 and 3 called op1 x 8");
}

TEST(FailureDetector, MismatchWaitsForTheUndecidedButNotForEver) {
  Fixture fixture;
  fixture.enter(5, 1, 0);
  fixture.detector.report_mismatch(5, at(0));
  const uint32_t query = fixture.detector.take_query().value_or(0);
  fixture.beat(1, {5, 2, 8, 0, kNoRank, true}, 1, query);
  for (const Rank peer : {2, 3}) fixture.beat(peer, {4, 1, 8, 0, kNoRank, false}, 1, query);
  EXPECT_FALSE(fixture.judge_until(400));
  EXPECT_EQ(fixture.detector.next_check(), at(500));
  const auto verdict = fixture.judge_until(500);
  ASSERT_TRUE(verdict);
  EXPECT_EQ(verdict->error.detail, "operation 5: rank 1 called op2 x 8, rank 0 called op1 x 8");
}

TEST(FailureDetector, StallFollowsTheChainWithFreshAnswers) {
  Fixture fixture;
  fixture.enter(5, 1, 0, 1);
  fixture.beat(1, {5, 1, 8, 0, 3, true}, 0);
  fixture.detector.report_stall(5, 1, at(0));
  EXPECT_FALSE(fixture.detector.judge(at(0)));
  const uint32_t query = fixture.detector.take_query().value_or(0);
  fixture.beat(1, {5, 1, 8, 0, 2, true}, 1, query);
  fixture.beat(2, {4, 1, 8, 0, kNoRank, false}, 1, query);
  fixture.beat(3, {5, 1, 8, 0, 2, true}, 1, query);
  const auto verdict = fixture.detector.judge(at(1));
  ASSERT_TRUE(verdict);
  EXPECT_EQ(verdict->error.code, Code::timeout);
  EXPECT_EQ(verdict->error.culprit, 2);
}

TEST(FailureDetector, StallBlamesWhoDoesNotAnswer) {
  Fixture fixture;
  fixture.enter(5, 1, 0, 1);
  for (const Rank peer : {1, 2, 3}) fixture.beat(peer, {5, 1, 8, 0, 3, true}, 0);
  fixture.detector.report_stall(5, 1, at(0));
  const uint32_t query = fixture.detector.take_query().value_or(0);
  for (const Rank peer : {1, 2}) fixture.beat(peer, {5, 1, 8, 0, 3, true}, 1, query);
  EXPECT_FALSE(fixture.judge_until(200));
  EXPECT_EQ(fixture.detector.next_check(), at(250));
  const auto verdict = fixture.judge_until(250);
  ASSERT_TRUE(verdict);
  EXPECT_EQ(verdict->error.culprit, 3);
  EXPECT_NE(verdict->error.detail.find("does not answer"), std::string::npos);
}

TEST(FailureDetector, StallWithoutAPeerIsOurOwn) {
  Fixture fixture;
  fixture.detector.report_stall(5, kNoRank, at(0));
  const auto verdict = fixture.detector.judge(at(0));
  ASSERT_TRUE(verdict);
  EXPECT_EQ(verdict->error.culprit, 0);
}

}  // namespace
}  // namespace unirack
