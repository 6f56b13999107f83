// Ranks as values in virtual time: each has the failure detector and the membership of a real one,
// and a network that delays every message by chance but keeps the order of each connection.
// Whatever breaks, every surviving rank must settle on the same verdict, and on the right culprit.
#include <gtest/gtest.h>

#include <deque>
#include <map>
#include <memory>

#include "lib/base/random.h"
#include "lib/control/failure_detector.h"

namespace unirack {
namespace {

constexpr Duration kStep = milliseconds(5);
constexpr Duration kBeat = milliseconds(100);
constexpr Duration kPeerTimeout = milliseconds(1000);
constexpr TimePoint kStart = TimePoint(milliseconds(1'000'000));

struct Message {
  TimePoint arrives{};
  MessageType type{};  // card stands for the end of the stream
  HeartbeatMessage heartbeat{};
  uint32_t query = 0;
  Verdict verdict{};
};

class World;

struct Node {
  Node(Rank rank, int count)
      : membership(rank, count, milliseconds(100)),
        detector(membership, {kPeerTimeout, kBeat, [](uint64_t, uint64_t) { return "op"; }},
                 kStart),
        query_seen(static_cast<size_t>(count)) {}

  Membership membership;
  FailureDetector detector;
  std::vector<uint32_t> query_seen;
  HeartbeatMessage mine;
  TimePoint beat_at = kStart;
  bool dead = false;
  bool stopped = false;
  bool exits_on_verdict = false;
  std::optional<Verdict> published;
};

class World {
 public:
  World(int count, Random& random) : random_(random) {
    for (Rank rank = 0; rank < count; ++rank) {
      nodes_.push_back(std::make_unique<Node>(rank, count));
      nodes_.back()->beat_at = kStart + milliseconds(random.below(100));
    }
  }

  Node& node(Rank rank) { return *nodes_[static_cast<size_t>(rank)]; }
  int count() const { return static_cast<int>(nodes_.size()); }
  TimePoint time() const { return now_; }

  void enter(Rank rank, uint64_t sequence, uint64_t request, Rank waiting_for) {
    node(rank).mine.activity = {sequence, request, 8, 0, waiting_for, true};
    node(rank).mine.entered = {{sequence, request, 8}};
  }

  void kill(Rank rank) {
    node(rank).dead = true;
    for (Rank peer = 0; peer < count(); ++peer) send(rank, peer, {.type = MessageType::card});
  }

  // A rank that has told all of a verdict goes: other connections than the one that carries the
  // verdict may break first.
  void exit(Rank rank) {
    kill(rank);
    for (Rank peer = 0; peer < count(); ++peer) {
      if (peer == rank || random_.below(2) == 0) continue;
      node(peer).detector.report(4, make_error(Code::peer_failed, "link broke", rank), now_);
    }
  }

  void step() {
    now_ += kStep;
    for (Rank rank = 0; rank < count(); ++rank) deliver(rank);
    for (Rank rank = 0; rank < count(); ++rank) think(rank);
  }

  bool settled() {
    for (const auto& one : nodes_) {
      if (!one->dead && !one->stopped && !one->published) return false;
    }
    return true;
  }

 private:
  void send(Rank sender, Rank receiver, Message message) {
    if (sender == receiver) return;
    auto& queue = network_[{sender, receiver}];
    message.arrives = now_ + milliseconds(random_.below(12));
    if (!queue.empty()) message.arrives = std::max(message.arrives, queue.back().arrives);
    queue.push_back(std::move(message));
  }
  void send_to_all(Rank sender, const Message& message) {
    for (Rank peer = 0; peer < count(); ++peer) send(sender, peer, message);
  }
  void beat(Rank sender, Rank receiver) {
    Message message{.type = MessageType::heartbeat, .heartbeat = node(sender).mine};
    message.heartbeat.query_seen = node(sender).query_seen[static_cast<size_t>(receiver)];
    send(sender, receiver, std::move(message));
  }

  void deliver(Rank rank) {
    Node& self = node(rank);
    if (self.dead || self.stopped) return;
    for (Rank peer = 0; peer < count(); ++peer) {
      auto& queue = network_[{peer, rank}];
      while (!queue.empty() && queue.front().arrives <= now_) {
        const Message message = std::move(queue.front());
        queue.pop_front();
        receive(self, rank, peer, message);
      }
    }
  }

  void receive(Node& self, Rank rank, Rank peer, const Message& message) {
    self.detector.heard(peer, now_);
    switch (message.type) {
      case MessageType::heartbeat:
        return self.detector.heartbeat(peer, message.heartbeat, now_);
      case MessageType::query:
        self.query_seen[static_cast<size_t>(peer)] = message.query;
        return beat(rank, peer);
      case MessageType::verdict:
        return self.membership.heard(peer, message.verdict, now_);
      default:
        self.membership.lost(peer);
        if (self.membership.standing() == nullptr) {
          self.detector.connection_lost(peer, "is gone", now_);
        }
    }
  }

  void think(Rank rank) {
    Node& self = node(rank);
    if (self.dead || self.stopped) return;
    self.detector.self(self.mine.activity, self.mine.entered, now_);
    if (now_ >= self.beat_at) {
      self.beat_at = now_ + kBeat;
      for (Rank peer = 0; peer < count(); ++peer) beat(rank, peer);
    }
    if (self.membership.standing() == nullptr) {
      auto verdict = self.detector.judge(now_);
      if (verdict) self.membership.judged(std::move(*verdict), now_);
      const auto query = self.detector.take_query();
      if (query) send_to_all(rank, {.type = MessageType::query, .query = *query});
    }
    if (self.membership.take_flood()) {
      send_to_all(rank, {.type = MessageType::verdict, .verdict = *self.membership.standing()});
    }
    if (!self.published && self.membership.settled(now_)) {
      self.published = *self.membership.standing();
      if (self.exits_on_verdict) exit(rank);
    }
  }

  Random& random_;
  TimePoint now_ = kStart;
  std::vector<std::unique_ptr<Node>> nodes_;
  std::map<std::pair<Rank, Rank>, std::deque<Message>> network_;
};

struct Story {
  explicit Story(uint64_t seed)
      : random(seed), world(static_cast<int>(2 + random.below(6)), random) {
    for (Rank rank = 0; rank < world.count(); ++rank) {
      const auto next = static_cast<Rank>((rank + 1) % world.count());
      world.enter(rank, 5 + random.below(2), 1, next);
      world.node(rank).exits_on_verdict = random.below(3) == 0;
    }
    run(milliseconds(random.below(300)));
  }

  Rank any_rank() { return static_cast<Rank>(random.below(static_cast<uint64_t>(world.count()))); }

  void run(Duration duration) {
    const TimePoint end = world.time() + duration;
    while (world.time() < end) world.step();
  }
  // Everybody who lives must settle in time.
  void settle(Duration limit) {
    const TimePoint end = world.time() + limit;
    while (world.time() < end && !world.settled()) world.step();
    ASSERT_TRUE(world.settled());
  }
  void expect_all(Code code, Rank culprit) {
    for (Rank rank = 0; rank < world.count(); ++rank) {
      const auto& verdict = world.node(rank).published;
      if (!verdict) continue;
      ASSERT_EQ(verdict->error.code, code) << verdict->error.to_string();
      ASSERT_EQ(verdict->error.culprit, culprit) << verdict->error.to_string();
    }
  }
  void expect_agreement() {
    std::optional<Verdict> first;
    for (Rank rank = 0; rank < world.count(); ++rank) {
      const auto& verdict = world.node(rank).published;
      if (!verdict) continue;
      if (!first) first = verdict;
      ASSERT_EQ(verdict->error.culprit, first->error.culprit);
      ASSERT_EQ(verdict->error.code, first->error.code);
    }
  }

  Random random;
  World world;
};

TEST(Agreement, ADeathIsBlamedOnTheDead) {
  for (uint64_t seed = 0; seed < 3000; ++seed) {
    SCOPED_TRACE(seed);
    Story story(seed);
    const Rank dead = story.any_rank();
    story.world.kill(dead);
    // Transports notice too, some earlier and some later than the control connection.
    for (Rank rank = 0; rank < story.world.count(); ++rank) {
      if (rank == dead || story.random.below(2) == 0) continue;
      story.world.node(rank).detector.report(5, make_error(Code::peer_failed, "link broke", dead),
                                             story.world.time());
    }
    story.settle(milliseconds(300));
    story.expect_all(Code::peer_failed, dead);
    if (::testing::Test::HasFatalFailure()) return;
  }
}

TEST(Agreement, AStoppedRankIsTimedOut) {
  for (uint64_t seed = 0; seed < 1000; ++seed) {
    SCOPED_TRACE(seed);
    Story story(seed);
    const Rank stopped = story.any_rank();
    story.world.node(stopped).stopped = true;
    story.settle(kPeerTimeout + milliseconds(300));
    story.expect_all(Code::timeout, stopped);
    if (::testing::Test::HasFatalFailure()) return;
  }
}

TEST(Agreement, TheOddCallIsBlamed) {
  for (uint64_t seed = 0; seed < 3000; ++seed) {
    SCOPED_TRACE(seed);
    Story story(seed);
    if (story.world.count() < 3) continue;
    const Rank odd = story.any_rank();
    for (Rank rank = 0; rank < story.world.count(); ++rank) {
      story.world.enter(rank, 7, rank == odd ? 2 : 1, kNoRank);
    }
    story.run(milliseconds(story.random.below(20)));
    const Rank reporter = story.any_rank();
    for (Rank rank = 0; rank < story.world.count(); ++rank) {
      if (rank != reporter && story.random.below(2) == 0) continue;
      story.world.node(rank).detector.report_mismatch(7, story.world.time());
    }
    story.settle(milliseconds(800));
    story.expect_all(Code::mismatch, odd);
    if (::testing::Test::HasFatalFailure()) return;
  }
}

TEST(Agreement, AStallIsBlamedOnTheEndOfTheChain) {
  for (uint64_t seed = 0; seed < 2000; ++seed) {
    SCOPED_TRACE(seed);
    Story story(seed);
    const Rank late = story.any_rank();
    for (Rank rank = 0; rank < story.world.count(); ++rank) {
      story.world.enter(rank, 7, 1, static_cast<Rank>((rank + 1) % story.world.count()));
    }
    story.world.node(late).mine.activity = {6, 1, 8, 0, kNoRank, false};
    for (Rank rank = 0; rank < story.world.count(); ++rank) {
      if (rank == late) continue;
      story.world.node(rank).detector.report_stall(
          7, static_cast<Rank>((rank + 1) % story.world.count()), story.world.time());
    }
    story.settle(milliseconds(500));
    story.expect_all(Code::timeout, late);
    if (::testing::Test::HasFatalFailure()) return;
  }
}

TEST(Agreement, SeveralFailuresAtOnceEndInOneVerdict) {
  for (uint64_t seed = 0; seed < 3000; ++seed) {
    SCOPED_TRACE(seed);
    Story story(seed);
    for (Rank rank = 0; rank < story.world.count(); ++rank) {
      story.world.node(rank).exits_on_verdict = false;
    }
    const Rank first = story.any_rank();
    const Rank second = story.any_rank();
    story.world.kill(first);
    story.run(milliseconds(story.random.below(40)));
    if (second != first && !story.world.node(second).published) story.world.kill(second);
    const Rank reporter = story.any_rank();
    story.world.node(reporter).detector.report(4, make_error(Code::corrupted, "bad bytes", first),
                                               story.world.time());
    story.settle(milliseconds(500));
    story.expect_agreement();
    if (::testing::Test::HasFatalFailure()) return;
  }
}

}  // namespace
}  // namespace unirack
