#include "lib/control/membership.h"

#include <gtest/gtest.h>

namespace unirack {
namespace {

constexpr TimePoint kStart = TimePoint(milliseconds(1000));
constexpr Duration kGrace = milliseconds(100);

Verdict verdict(uint64_t sequence, Rank culprit, Code code = Code::peer_failed) {
  return {sequence, make_error(code, "because", culprit)};
}

TEST(Membership, SettlesWhenAllPresentHaveEchoed) {
  Membership membership(0, 4, kGrace);
  EXPECT_FALSE(membership.settled(kStart));
  membership.lost(3);
  membership.judged(verdict(5, 3), kStart);
  EXPECT_TRUE(membership.take_flood());
  EXPECT_FALSE(membership.take_flood());
  EXPECT_FALSE(membership.settled(kStart));
  membership.heard(1, verdict(5, 3), kStart);
  EXPECT_FALSE(membership.settled(kStart));
  membership.heard(2, verdict(5, 3), kStart);
  EXPECT_TRUE(membership.settled(kStart));
  EXPECT_FALSE(membership.take_flood());
}

TEST(Membership, LowerVerdictReplacesAndIsFloodedAgain) {
  Membership membership(0, 3, kGrace);
  membership.judged(verdict(5, 2), kStart);
  (void)membership.take_flood();
  membership.heard(1, verdict(6, 0), kStart);
  EXPECT_FALSE(membership.take_flood());
  membership.heard(1, verdict(5, 1), kStart);
  EXPECT_TRUE(membership.take_flood());
  EXPECT_EQ(membership.standing()->error.culprit, 1);
  membership.heard(1, verdict(5, 1, Code::mismatch), kStart);
  EXPECT_EQ(membership.standing()->error.code, Code::mismatch);
}

TEST(Membership, LaterEvidenceHereIsNoCause) {
  Membership membership(0, 3, kGrace);
  membership.judged(verdict(5, 2), kStart);
  membership.judged(verdict(1, 1), kStart);
  EXPECT_EQ(membership.standing()->error.culprit, 2);
}

TEST(Membership, GraceEndsTheWaitAndThenNothingChanges) {
  Membership membership(0, 3, kGrace);
  membership.judged(verdict(5, 2, Code::mismatch), kStart);
  EXPECT_EQ(membership.settles_by(), kStart + kGrace);
  EXPECT_FALSE(membership.settled(kStart + kGrace - nanoseconds(1)));
  EXPECT_TRUE(membership.settled(kStart + kGrace));
  membership.heard(1, verdict(1, 0), kStart + kGrace);
  EXPECT_EQ(membership.standing()->error.culprit, 2);
}

TEST(Membership, AMuteCulpritIsNotWaitedFor) {
  Membership stopped(0, 2, kGrace);
  stopped.judged(verdict(5, 1, Code::timeout), kStart);
  EXPECT_TRUE(stopped.settled(kStart));
  Membership wrong(0, 2, kGrace);
  wrong.judged(verdict(5, 1, Code::mismatch), kStart);
  EXPECT_FALSE(wrong.settled(kStart));
}

TEST(Membership, LeavingIsNoLoss) {
  Membership membership(0, 3, kGrace);
  membership.left(1, 7);
  membership.lost(1);
  EXPECT_EQ(membership.presence(1), Presence::left);
  EXPECT_EQ(membership.last_sequence(1), 7u);
  membership.lost(2);
  EXPECT_EQ(membership.presence(2), Presence::lost);
}

}  // namespace
}  // namespace unirack
