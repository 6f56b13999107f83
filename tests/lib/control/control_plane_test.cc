#include "lib/control/control_plane.h"

#include <gtest/gtest.h>

#include <condition_variable>
#include <mutex>
#include <thread>

#include "lib/base/random.h"
#include "tests/support/control_pool.h"

namespace unirack {
namespace {

using testing::for_each_rank;
using testing::join_all;
using testing::loopback_config;
using testing::Plane;
using Blob = std::vector<std::byte>;

Blob blob_of(Rank rank, int round, size_t bytes) {
  Blob blob(bytes);
  Random(static_cast<uint64_t>(rank) * 1000 + static_cast<uint64_t>(round)).fill(blob);
  return blob;
}

Deadline soon() { return deadline_in(milliseconds(10'000)); }

class Pool {
 public:
  explicit Pool(int rank_count, const std::function<void(JoinRequest&)>& tweak = {})
      : config_(loopback_config()) {
    auto opened = Rendezvous::open(config_);
    EXPECT_TRUE(opened) << opened.error().to_string();
    rendezvous_ = std::move(opened->rendezvous);
    planes = join_all(opened->id, rank_count, config_, tweak);
    EXPECT_EQ(planes.size(), static_cast<size_t>(rank_count));
  }

  int count() const { return static_cast<int>(planes.size()); }
  ControlPlane& operator[](Rank rank) { return *planes[static_cast<size_t>(rank)]; }

  std::vector<Plane> planes;

 private:
  Config config_;
  std::unique_ptr<Rendezvous> rendezvous_;
};

// What ask() delivers.
class Answers {
 public:
  std::function<void(Result<Blob>)> expect() {
    return [this](Result<Blob> answer) {
      const std::lock_guard lock(mutex_);
      answers_.push_back(std::move(answer));
      changed_.notify_all();
    };
  }
  std::vector<Result<Blob>> take(size_t count) {
    std::unique_lock lock(mutex_);
    EXPECT_TRUE(changed_.wait_for(lock, std::chrono::seconds(10),
                                  [&] { return answers_.size() >= count; }));
    return std::move(answers_);
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<Result<Blob>> answers_;
};

class ControlPlaneThreaded : public ::testing::TestWithParam<int> {};

TEST_P(ControlPlaneThreaded, JoinsKnowsTheCardsAndLeaves) {
  Pool pool(GetParam());
  ASSERT_EQ(pool.count(), GetParam());
  for (const Plane& plane : pool.planes) {
    EXPECT_EQ(plane->instance(), pool[0].instance());
    EXPECT_EQ(plane->verdict(), nullptr);
    for (Rank rank = 0; rank < pool.count(); ++rank) {
      ASSERT_EQ(plane->card(rank).size(), 2u);
      EXPECT_EQ(plane->card(rank)[0], static_cast<std::byte>(rank));
    }
  }
  for_each_rank(pool.count(), [&](Rank rank) {
    pool[rank].leave();
    pool[rank].leave();
    EXPECT_EQ(pool[rank].verdict(), nullptr);
  });
}

TEST_P(ControlPlaneThreaded, ExchangesMatchInOrder) {
  Pool pool(GetParam());
  for_each_rank(pool.count(), [&](Rank rank) {
    for (int round = 0; round < 30; ++round) {
      const size_t bytes = round == 7 ? size_t{32} << 10 : static_cast<size_t>(round);
      const auto all = pool[rank].exchange(blob_of(rank, round, bytes), soon());
      ASSERT_TRUE(all) << all.error().to_string();
      for (Rank peer = 0; peer < pool.count(); ++peer) {
        ASSERT_EQ((*all)[static_cast<size_t>(peer)], blob_of(peer, round, bytes)) << round;
      }
    }
  });
}

TEST_P(ControlPlaneThreaded, EveryoneAnswersEveryone) {
  Pool pool(GetParam(), [](JoinRequest& request) {
    request.answer = [rank = request.rank](Rank asker,
                                           std::span<const std::byte> question) -> Result<Blob> {
      if (question.empty()) return make_error(Code::stale, "no question", rank);
      Blob answer(question.begin(), question.end());
      answer.push_back(static_cast<std::byte>(asker));
      answer.push_back(static_cast<std::byte>(rank));
      return answer;
    };
  });
  for_each_rank(pool.count(), [&](Rank rank) {
    for (Rank peer = 0; peer < pool.count(); ++peer) {
      Answers answers;
      pool[rank].ask(peer, blob_of(rank, 1, 100), answers.expect());
      const auto got = answers.take(1);
      ASSERT_TRUE(got[0]) << got[0].error().to_string();
      Blob expected = blob_of(rank, 1, 100);
      expected.push_back(static_cast<std::byte>(rank));
      expected.push_back(static_cast<std::byte>(peer));
      EXPECT_EQ(*got[0], expected);
      Answers errors;
      pool[rank].ask(peer, {}, errors.expect());
      const auto refused = errors.take(1);
      EXPECT_EQ(refused[0].code(), Code::stale);
      EXPECT_EQ(refused[0].error().culprit, peer);
    }
  });
}

INSTANTIATE_TEST_SUITE_P(Ranks, ControlPlaneThreaded, ::testing::Values(1, 2, 5, 8));

using ControlPlanePoolThreaded = ::testing::Test;

TEST(ControlPlanePoolThreaded, ALonelyRankNeedsNoSockets) {
  const Config config = loopback_config();
  JoinRequest request;
  request.id = *UniqueId::make({});
  request.config = &config;
  std::atomic<int> progressed{0};
  request.progress = [&] {
    ++progressed;
    return kNoDeadline;
  };
  auto plane = ControlPlane::join(std::move(request));
  ASSERT_TRUE(plane) << plane.error().to_string();
  const auto all = (*plane)->exchange(blob_of(0, 0, 5), soon());
  ASSERT_TRUE(all);
  EXPECT_EQ(all->size(), 1u);
  const int before = progressed;
  (*plane)->kick();
  const Deadline deadline = soon();
  while (progressed == before && !expired(deadline)) std::this_thread::yield();
  EXPECT_GT(progressed, before);
  (*plane)->report(3, make_error(Code::revoked, "enough", 0));
  testing::await_verdicts({});
  while ((*plane)->verdict() == nullptr && !expired(deadline)) std::this_thread::yield();
  EXPECT_EQ((*plane)->verdict()->error.code, Code::revoked);
}

TEST(ControlPlanePoolThreaded, AReportReachesEveryone) {
  std::atomic<int> woken{0};
  Pool pool(5, [&](JoinRequest& request) { request.on_verdict = [&] { ++woken; }; });
  pool[3].report(7, make_error(Code::revoked, "rank 3 gave up", 3));
  testing::await_verdicts(pool.planes);
  for (const Plane& plane : pool.planes) {
    EXPECT_EQ(plane->verdict()->sequence, 7u);
    EXPECT_EQ(plane->verdict()->error.code, Code::revoked);
    EXPECT_EQ(plane->verdict()->error.culprit, 3);
    EXPECT_EQ(plane->verdict()->error.detail, "rank 3 gave up");
  }
  const auto refused = pool[0].exchange({}, soon());
  EXPECT_EQ(refused.code(), Code::revoked);
  Answers answers;
  pool[0].ask(1, {}, answers.expect());
  EXPECT_EQ(answers.take(1)[0].code(), Code::revoked);
  for (const Plane& plane : pool.planes) plane->leave();
  EXPECT_EQ(woken, 5);
}

TEST(ControlPlanePoolThreaded, ManyReportsEndInOneVerdict) {
  for (int round = 0; round < 10; ++round) {
    Pool pool(4);
    for_each_rank(4, [&](Rank rank) {
      pool[rank].report(5, make_error(Code::corrupted, "mine", (rank + 1) % 4));
    });
    testing::await_verdicts(pool.planes);
    for (const Plane& plane : pool.planes) {
      EXPECT_EQ(plane->verdict()->error.culprit, pool[0].verdict()->error.culprit);
    }
  }
}

TEST(ControlPlanePoolThreaded, MismatchNamesWhoCalledWhat) {
  Pool pool(4, [](JoinRequest& request) {
    request.describe = [](uint64_t kind, uint64_t count) {
      return (kind == 1 ? "all_reduce x " : "all_gather x ") + std::to_string(count);
    };
  });
  for (Rank rank = 0; rank < 4; ++rank) {
    pool[rank].publish({9, rank == 2 ? 2u : 1u, 1024, 0, kNoRank, true});
  }
  pool[0].report_mismatch(9);
  pool[2].report_mismatch(9);
  testing::await_verdicts(pool.planes);
  for (const Plane& plane : pool.planes) {
    EXPECT_EQ(plane->verdict()->error.code, Code::mismatch);
    EXPECT_EQ(plane->verdict()->error.culprit, 2);
    EXPECT_EQ(plane->verdict()->error.detail,
              "operation 9: rank 2 called all_gather x 1024, ranks 0, 1 and 3 called all_reduce x "
              "1024");
  }
}

TEST(ControlPlanePoolThreaded, StallNamesTheRankThatHasNotCome) {
  Pool pool(4);
  pool[0].publish({9, 1, 1024, 2, 1, true});
  pool[1].publish({9, 1, 1024, 1, 3, true});
  pool[2].publish({9, 1, 1024, 1, 3, true});
  pool[3].publish({8, 1, 1024, 0, kNoRank, false});
  pool[0].report_stall(9, 1);
  testing::await_verdicts(pool.planes);
  for (const Plane& plane : pool.planes) {
    EXPECT_EQ(plane->verdict()->error.code, Code::timeout);
    EXPECT_EQ(plane->verdict()->error.culprit, 3);
  }
  EXPECT_EQ(pool[0].verdict()->error.detail,
            "rank 0 waits for rank 1, which waits for rank 3, which has not entered operation 9 "
            "since it finished operation 8");
}

TEST(ControlPlanePoolThreaded, LeavingIsNoFailureUnlessSomebodyWaits) {
  Pool pool(3);
  pool[2].publish({4, 1, 8, 0, kNoRank, false});
  pool[2].leave();
  const auto alone = pool[0].exchange({}, soon());
  EXPECT_EQ(alone.code(), Code::peer_failed);
  EXPECT_EQ(alone.error().culprit, 2);
  EXPECT_EQ(alone.error().detail, "rank 2 has left the pool");
  EXPECT_EQ(pool[0].verdict(), nullptr);
  Answers answers;
  pool[1].ask(2, {}, answers.expect());
  EXPECT_EQ(answers.take(1)[0].code(), Code::peer_failed);
  pool[1].publish({5, 1, 8, 0, 2, true});
  pool[1].kick();
  testing::await_verdicts({});
  const Deadline deadline = soon();
  for (Rank rank = 0; rank < 2; ++rank) {
    while (pool[rank].verdict() == nullptr && !expired(deadline)) std::this_thread::yield();
    ASSERT_NE(pool[rank].verdict(), nullptr);
    EXPECT_EQ(pool[rank].verdict()->error.code, Code::peer_failed);
    EXPECT_EQ(pool[rank].verdict()->error.culprit, 2);
  }
}

TEST(ControlPlanePoolThreaded, ExchangeTimesOutNamingWhoIsMissing) {
  Pool pool(3);
  std::thread other([&] { (void)pool[1].exchange({}, deadline_in(milliseconds(300))); });
  const auto waited = pool[0].exchange({}, deadline_in(milliseconds(300)));
  other.join();
  EXPECT_EQ(waited.code(), Code::timeout);
  EXPECT_EQ(waited.error().culprit, 2);
  EXPECT_EQ(pool[0].verdict(), nullptr);
  // The next one is matched again.
  std::vector<int> good(3);
  for_each_rank(3, [&](Rank rank) {
    if (rank == 2) (void)pool[rank].exchange({}, soon());
    const auto all = pool[rank].exchange(blob_of(rank, 2, 10), soon());
    if (all && (*all)[1] == blob_of(1, 2, 10)) good[static_cast<size_t>(rank)] = 1;
  });
  EXPECT_EQ(good, (std::vector{1, 1, 1}));
}

TEST(ControlPlanePoolThreaded, ADestroyedRankHasLeft) {
  Pool pool(3);
  pool.planes.pop_back();
  const auto alone = pool[0].exchange({}, soon());
  EXPECT_EQ(alone.code(), Code::peer_failed);
  EXPECT_EQ(pool[0].verdict(), nullptr);
}

TEST(ControlPlanePoolThreaded, BadArgumentsAreRefusedAtOnce) {
  const Config config = loopback_config();
  JoinRequest request;
  request.id = *UniqueId::make({});
  request.config = &config;
  request.rank_count = 2;
  EXPECT_EQ(ControlPlane::join(request).code(), Code::invalid_argument);
  request.rank = 2;
  EXPECT_EQ(ControlPlane::join(request).code(), Code::invalid_argument);
  request.rank = 0;
  request.rank_count = 1;
  request.card.resize((size_t{16} << 10) + 1);
  EXPECT_EQ(ControlPlane::join(request).code(), Code::invalid_argument);
}

}  // namespace
}  // namespace unirack
