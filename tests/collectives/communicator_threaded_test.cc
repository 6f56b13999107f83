#include "collectives/communicator.h"

#include <gtest/gtest.h>

#include <string>
#include <thread>
#include <vector>

namespace unirack {
namespace {

// What every rank gets when rank `odd` has settings of its own.
std::vector<std::string> join_with(int rank_count, Rank odd, const Config& usual,
                                   const Config& its) {
  const auto id = open_pool(usual);
  std::vector<std::string> answers(static_cast<size_t>(rank_count), "joined");
  if (!id) return answers;
  std::vector<std::thread> threads;
  for (Rank rank = 0; rank < rank_count; ++rank) {
    threads.emplace_back([&, rank] {
      auto made = Communicator::create(*id, rank, rank_count, rank == odd ? its : usual);
      if (!made) {
        answers[static_cast<size_t>(rank)] =
            std::to_string(made.error().culprit) + " " + made.error().detail;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  return answers;
}

TEST(CommunicatorThreaded, ARankThatWouldPlanOtherwiseIsNamedWhenItJoins) {
  Config usual;
  usual.transports = {"loopback"};
  Config its = usual;
  its.reassociate = true;
  for (const std::string& answer : join_with(3, 2, usual, its)) {
    EXPECT_EQ(answer.find("2 rank 2 plans otherwise"), 0u) << answer;
  }
  for (const std::string& answer : join_with(3, 0, usual, its)) {
    EXPECT_EQ(answer.find("0 rank 0 plans otherwise"), 0u) << answer;
  }
  for (const std::string& answer : join_with(3, 0, usual, usual)) EXPECT_EQ(answer, "joined");
}

}  // namespace
}  // namespace unirack
