#include "collectives/simulate/event_queue.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <utility>
#include <vector>

namespace unirack {
namespace {

RunEvent numbered(uint32_t index) { return {RunEventKind::wake, index, 0, 0, 0}; }

// More times than bunches stay open for, so that a time has several bunches.
TEST(EventQueue, EarliestFirstAndOfOneTimeInTheirOrder) {
  std::mt19937 random(7);
  EventQueue queue;
  std::vector<std::pair<uint64_t, uint32_t>> events;  // times and numbers
  uint64_t now = 0;
  for (uint32_t round = 0; round < 20'000; ++round) {
    if (random() % 5 < 3 || events.empty()) {
      const uint64_t ticks = now + random() % 2000 / (1 + random() % 50);
      queue.push(ticks, numbered(round));
      events.emplace_back(ticks, round);
    } else {
      const auto first = std::min_element(events.begin(), events.end());
      now = first->first;
      ASSERT_EQ(queue.first_ticks(), now);
      ASSERT_EQ(queue.pop().index, first->second);
      events.erase(first);
    }
    ASSERT_EQ(queue.empty(), events.empty());
  }
  size_t found = 0;
  queue.for_each([&](uint64_t ticks, const RunEvent& event) {
    found += static_cast<size_t>(
        std::count(events.begin(), events.end(), std::pair(ticks, event.index)));
  });
  EXPECT_EQ(found, events.size());
}

TEST(EventQueue, TimeJumps) {
  EventQueue queue;
  queue.push(100, numbered(1));
  queue.push(50, numbered(2));
  queue.shift(1000);
  // What comes at the old time, and behind what has moved.
  queue.push(100, numbered(3));
  queue.push(1050, numbered(4));
  EXPECT_EQ(queue.pop().index, 3u);
  EXPECT_EQ(queue.first_ticks(), 1050u);
  EXPECT_EQ(queue.pop().index, 2u);
  EXPECT_EQ(queue.pop().index, 4u);
  EXPECT_EQ(queue.first_ticks(), 1100u);
}

}  // namespace
}  // namespace unirack
