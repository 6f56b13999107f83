#include "collectives/simulate/end_queue.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <utility>

namespace unirack {
namespace {

TEST(EndQueue, EndsComeInTurnHoweverTheyMove) {
  std::mt19937 random(3);
  EndQueue queue;
  std::map<uint32_t, uint64_t> ends;  // by flow
  for (int round = 0; round < 20'000; ++round) {
    const auto flow = static_cast<uint32_t>(random() % 200);
    switch (random() % 4) {
      case 0:
      case 1:
        ends[flow] = random() % 500;
        queue.set(flow, ends[flow]);
        break;
      case 2:
        ends.erase(flow);
        queue.remove(flow);
        break;
      case 3: {
        if (ends.empty()) break;
        std::pair<uint64_t, uint32_t> first(UINT64_MAX, 0);
        for (const auto& [each, ticks] : ends) first = std::min(first, std::pair(ticks, each));
        ASSERT_EQ(queue.first_ticks(), first.first);
        ASSERT_EQ(queue.pop(), first.second);
        ends.erase(first.second);
      }
    }
    ASSERT_EQ(queue.empty(), ends.empty());
  }
}

TEST(EndQueue, TimeJumps) {
  EndQueue queue;
  queue.set(4, 100);
  queue.set(2, 50);
  queue.shift(1000);
  EXPECT_EQ(queue.first_ticks(), 1050u);
  EXPECT_EQ(queue.pop(), 2u);
  EXPECT_EQ(queue.first_ticks(), 1100u);
}

}  // namespace
}  // namespace unirack
