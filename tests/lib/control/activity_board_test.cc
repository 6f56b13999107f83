#include "lib/control/activity_board.h"

#include <gtest/gtest.h>

#include <thread>

#include "lib/base/clock.h"

namespace unirack {
namespace {

TEST(ActivityBoard, KeepsTheLastOperations) {
  ActivityBoard board;
  EXPECT_TRUE(board.read().entered.empty());
  for (uint64_t i = 1; i <= 40; ++i) board.publish({i, i * 3, i * 5, 7, 2, true});
  const auto& snapshot = board.read();
  EXPECT_EQ(snapshot.activity, (Activity{40, 120, 200, 7, 2, true}));
  ASSERT_EQ(snapshot.entered.size(), kEnteredMax);
  EXPECT_EQ(snapshot.entered.front(), (Entered{25, 75, 125}));
  board.publish({40, 120, 200, 8, kNoRank, false});
  EXPECT_EQ(board.read().activity, (Activity{40, 120, 200, 8, kNoRank, false}));
  EXPECT_EQ(board.read().entered.size(), kEnteredMax);
}

TEST(ActivityBoardThreaded, NeverShowsHalfAWrite) {
  ActivityBoard board;
  constexpr uint64_t kLast = 200'000;
  std::thread writer([&] {
    for (uint64_t i = 1; i <= kLast; ++i) {
      board.publish({i, i * 3, i * 5, static_cast<uint32_t>(i), static_cast<Rank>(i % 7), true});
    }
  });
  uint64_t seen = 0;
  const Deadline deadline = deadline_in(milliseconds(20'000));
  while (seen < kLast && !expired(deadline)) {
    const auto& snapshot = board.read();
    const Activity& activity = snapshot.activity;
    ASSERT_GE(activity.sequence, seen);
    seen = activity.sequence;
    if (seen == 0) continue;
    ASSERT_EQ(activity.request, seen * 3);
    ASSERT_EQ(activity.count, seen * 5);
    ASSERT_EQ(activity.step, static_cast<uint32_t>(seen));
    ASSERT_EQ(activity.waiting_for, static_cast<Rank>(seen % 7));
    for (const Entered& entered : snapshot.entered) {
      ASSERT_EQ(entered.request, entered.sequence * 3);
      ASSERT_LE(entered.sequence, seen);
    }
  }
  writer.join();
  EXPECT_EQ(seen, kLast);
}

}  // namespace
}  // namespace unirack
