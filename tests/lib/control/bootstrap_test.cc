#include "lib/control/bootstrap.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>

#include "lib/base/random.h"

namespace unirack {
namespace {

using Do = Bootstrap::Do;
using Phase = Bootstrap::Phase;

constexpr TimePoint kStart = TimePoint(Duration(1000));

Bootstrap::Arrival arrival(Rank rank, int rank_count, Duration patience = milliseconds(1000)) {
  return {
      rank, rank_count, "host" + std::to_string(rank), {static_cast<std::byte>(rank)}, patience};
}

// Every client gets this, in any order.
void expect_all(Bootstrap& bootstrap, Do what, std::set<Bootstrap::Client> clients) {
  for (const auto& action : bootstrap.take_actions()) {
    EXPECT_EQ(action.what, what);
    EXPECT_EQ(clients.erase(action.client), 1u) << "client " << action.client;
  }
  EXPECT_TRUE(clients.empty());
}

TEST(Bootstrap, GathersThenMeshesThenGoes) {
  Bootstrap bootstrap(milliseconds(1000));
  EXPECT_EQ(bootstrap.next_tick(), kNoDeadline);
  bootstrap.arrived(10, arrival(1, 3), kStart);
  bootstrap.arrived(11, arrival(2, 3), kStart);
  EXPECT_TRUE(bootstrap.take_actions().empty());
  bootstrap.arrived(12, arrival(0, 3), kStart);
  expect_all(bootstrap, Do::send_table, {10, 11, 12});
  EXPECT_EQ(bootstrap.contacts()[2][0], std::byte{2});
  bootstrap.meshed(10);
  bootstrap.meshed(10);
  bootstrap.meshed(11);
  EXPECT_FALSE(bootstrap.finished());
  bootstrap.meshed(12);
  expect_all(bootstrap, Do::send_go, {10, 11, 12});
  EXPECT_TRUE(bootstrap.finished());
}

TEST(Bootstrap, APoolOfOne) {
  Bootstrap bootstrap(milliseconds(1000));
  bootstrap.arrived(1, arrival(0, 1), kStart);
  expect_all(bootstrap, Do::send_table, {1});
  bootstrap.meshed(1);
  expect_all(bootstrap, Do::send_go, {1});
}

TEST(Bootstrap, WrongRankCountNamesBothToAllAndToLatecomers) {
  Bootstrap bootstrap(milliseconds(1000));
  bootstrap.arrived(1, arrival(0, 8), kStart);
  bootstrap.arrived(2, arrival(1, 8), kStart);
  bootstrap.arrived(3, arrival(5, 16), kStart);
  expect_all(bootstrap, Do::refuse, {1, 2, 3});
  EXPECT_EQ(bootstrap.failure().code, Code::mismatch);
  EXPECT_EQ(bootstrap.failure().culprit, 5);
  EXPECT_EQ(bootstrap.failure().detail, "rank 5 expects 16 ranks, rank 0 expects 8 ranks");
  bootstrap.arrived(4, arrival(6, 8), kStart + milliseconds(500));
  expect_all(bootstrap, Do::refuse, {4});
  EXPECT_FALSE(bootstrap.finished());
  bootstrap.tick(kStart + milliseconds(999));
  EXPECT_FALSE(bootstrap.finished());
  bootstrap.tick(kStart + milliseconds(1000));
  EXPECT_TRUE(bootstrap.finished());
}

TEST(Bootstrap, FinishesEarlyWhenAllHaveBeenTold) {
  Bootstrap bootstrap(milliseconds(1000));
  for (Rank rank = 0; rank < 3; ++rank) {
    bootstrap.arrived(static_cast<Bootstrap::Client>(rank), arrival(rank, 4), kStart);
  }
  bootstrap.arrived(9, arrival(0, 4), kStart);
  EXPECT_EQ(bootstrap.failure().code, Code::mismatch);
  EXPECT_NE(bootstrap.failure().detail.find("joined twice: from host0 and from host0"),
            std::string::npos);
  EXPECT_FALSE(bootstrap.finished());
  bootstrap.arrived(10, arrival(3, 4), kStart);
  EXPECT_TRUE(bootstrap.finished());
}

TEST(Bootstrap, RankOutOfRange) {
  Bootstrap bootstrap(milliseconds(1000));
  bootstrap.arrived(1, arrival(4, 4), kStart);
  expect_all(bootstrap, Do::refuse, {1});
  EXPECT_EQ(bootstrap.failure().code, Code::mismatch);
}

TEST(Bootstrap, WrongVersionIsToldToAll) {
  Bootstrap bootstrap(milliseconds(1000));
  bootstrap.arrived(1, arrival(0, 2), kStart);
  bootstrap.version_refused(make_error(Code::version_mismatch, "rank 1 speaks 7", 1), kStart);
  expect_all(bootstrap, Do::refuse, {1});
  EXPECT_EQ(bootstrap.failure().code, Code::version_mismatch);
  EXPECT_EQ(bootstrap.failure().culprit, 1);
  EXPECT_TRUE(bootstrap.finished());

  Bootstrap first(milliseconds(1000));
  first.version_refused(make_error(Code::version_mismatch, "rank 1 speaks 7", 1), kStart);
  EXPECT_FALSE(first.finished());
  first.arrived(1, arrival(0, 2), kStart);
  expect_all(first, Do::refuse, {1});
  EXPECT_TRUE(first.finished());
}

TEST(Bootstrap, DeadlineNamesTheMissingAndTheStrangers) {
  Bootstrap bootstrap(milliseconds(5000));
  bootstrap.arrived(1, arrival(0, 4), kStart);
  bootstrap.arrived(2, arrival(2, 4, milliseconds(300)), kStart);
  for (int i = 0; i < 100; ++i)
    bootstrap.stranger("10.0.0." + std::to_string(i % 20) + ": bad key");
  EXPECT_EQ(bootstrap.next_tick(), kStart + milliseconds(300));
  bootstrap.tick(kStart + milliseconds(299));
  EXPECT_TRUE(bootstrap.take_actions().empty());
  bootstrap.tick(kStart + milliseconds(300));
  expect_all(bootstrap, Do::refuse, {1, 2});
  EXPECT_EQ(bootstrap.failure().code, Code::timeout);
  EXPECT_EQ(bootstrap.failure().culprit, 1);
  EXPECT_EQ(bootstrap.failure().detail.find(
                "ranks 1 and 3 of 4 have not joined; refused 100 connections, from "
                "10.0.0.0: bad key, "),
            0u)
      << bootstrap.failure().detail;
}

TEST(Bootstrap, LossAndGivingUpAreToldToAll) {
  for (const bool meshing : {false, true}) {
    Bootstrap bootstrap(milliseconds(1000));
    bootstrap.arrived(1, arrival(0, 3), kStart);
    bootstrap.arrived(2, arrival(1, 3), kStart);
    if (meshing) bootstrap.arrived(3, arrival(2, 3), kStart);
    (void)bootstrap.take_actions();
    bootstrap.lost(77);
    EXPECT_EQ(bootstrap.phase(), meshing ? Phase::meshing : Phase::gathering);
    bootstrap.lost(2);
    EXPECT_EQ(bootstrap.failure().code, Code::peer_failed);
    EXPECT_EQ(bootstrap.failure().culprit, 1);
    bootstrap.gave_up(1, make_error(Code::revoked, "aborted", 0));
    EXPECT_EQ(bootstrap.failure().culprit, 1);
  }
}

// Ranks arrive, mesh, die, lie and come late in any order: all who are told anything in the end are
// told the same, and an undisturbed pool always completes.
TEST(Bootstrap, AnyOrderOfEventsEndsTheSameForAll) {
  for (uint64_t seed = 0; seed < 5000; ++seed) {
    Random random(seed);
    const int count = static_cast<int>(1 + random.below(6));
    const bool disturbed = random.below(3) != 0;
    Bootstrap bootstrap(milliseconds(100));
    std::map<Bootstrap::Client, std::vector<Do>> told;
    std::set<Bootstrap::Client> alive;
    std::vector<Rank> waiting;
    for (Rank rank = 0; rank < count; ++rank) waiting.push_back(rank);
    TimePoint now = kStart;
    Bootstrap::Client next_client = 1;
    for (int step = 0; step < 60; ++step) {
      now += milliseconds(disturbed ? random.below(8) : 0);
      const uint64_t dice = random.below(disturbed ? 12 : 6);
      if (dice < 3 && !waiting.empty()) {
        const size_t pick = random.below(waiting.size());
        const Rank rank = waiting[pick];
        waiting.erase(waiting.begin() + static_cast<long>(pick));
        alive.insert(next_client);
        bootstrap.arrived(next_client++, arrival(rank, count, milliseconds(100)), now);
      } else if (dice < 6) {
        for (const auto client : alive) {
          if (!told[client].empty() && told[client].back() == Do::send_table) {
            bootstrap.meshed(client);
          }
        }
      } else if (dice == 6 && random.below(4) == 0) {
        alive.insert(next_client);
        bootstrap.arrived(next_client++,
                          arrival(0, count + static_cast<int>(random.below(2)), milliseconds(100)),
                          now);
      } else if (dice == 7 && random.below(4) == 0 && !alive.empty()) {
        bootstrap.lost(*alive.begin());
        alive.erase(alive.begin());
      } else if (dice == 8) {
        bootstrap.stranger("stranger");
      }
      bootstrap.tick(now);
      for (const auto& action : bootstrap.take_actions()) {
        told[action.client].push_back(action.what);
      }
    }
    now += milliseconds(300);
    bootstrap.tick(now);
    for (const auto& action : bootstrap.take_actions()) told[action.client].push_back(action.what);
    if (next_client == 1) continue;
    ASSERT_TRUE(bootstrap.finished()) << "seed " << seed;
    if (!disturbed && waiting.empty()) {
      ASSERT_EQ(bootstrap.phase(), Phase::complete) << "seed " << seed;
    }
    const Do last = bootstrap.phase() == Phase::complete ? Do::send_go : Do::refuse;
    for (const auto client : alive) {
      if (told[client].empty()) {  // came when all was complete
        ASSERT_EQ(bootstrap.phase(), Phase::complete) << "seed " << seed;
        continue;
      }
      ASSERT_EQ(told[client].back(), last) << "seed " << seed << " client " << client;
      ASSERT_EQ(std::count(told[client].begin(), told[client].end(), last), 1) << "seed " << seed;
    }
    if (bootstrap.phase() == Phase::failed) {
      ASSERT_NE(bootstrap.failure().code, Code::ok);
      ASSERT_FALSE(bootstrap.failure().detail.empty());
    }
  }
}

}  // namespace
}  // namespace unirack
