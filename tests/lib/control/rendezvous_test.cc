// Joining a pool when something is wrong with one of the callers.
#include "lib/control/rendezvous.h"

#include <gtest/gtest.h>

#include <thread>

#include "lib/base/crc32c.h"
#include "lib/base/random.h"
#include "lib/net/socket.h"
#include "tests/support/control_pool.h"

namespace unirack {
namespace {

using testing::connect_to;
using testing::dial;
using testing::is_closed_within;
using testing::join_threads;
using testing::Joined;
using testing::loopback_config;

constexpr Duration kPrompt = milliseconds(1000);

struct Meeting {
  explicit Meeting(milliseconds join_timeout = milliseconds(10'000))
      : config(loopback_config(join_timeout)), opened(Rendezvous::open(config)) {
    EXPECT_TRUE(opened) << opened.error().to_string();
  }
  const UniqueId& id() const { return opened->id; }
  const SocketAddress& address() const { return opened->id.addresses()[0]; }

  Config config;
  Result<Rendezvous::Opened> opened;
};

void expect_all(const std::vector<Joined>& joined, Code code, Rank culprit, Duration within) {
  for (const Joined& one : joined) {
    ASSERT_FALSE(one.plane);
    EXPECT_EQ(one.plane.code(), code) << one.plane.error().to_string();
    EXPECT_EQ(one.plane.error().culprit, culprit) << one.plane.error().to_string();
    EXPECT_LT(to_ms(one.took), to_ms(within)) << one.plane.error().to_string();
  }
}

// A member of the job at the rendezvous that has said nothing but its hello.
Result<Channel> half_joined(const Meeting& meeting, Rank rank, int rank_count) {
  Hello hello;
  hello.rank = rank;
  hello.rank_count = rank_count;
  return dial(meeting.id().key(), meeting.address(), hello);
}

TEST(RendezvousThreadedTimed, WrongRankCountIsToldToAllAndToLatecomers) {
  Meeting meeting;
  auto joined = join_threads(meeting.id(), {0, 1, 2, 3}, 4, meeting.config, [](JoinRequest& one) {
    if (one.rank == 3) one.rank_count = 7;
  });
  for (const Joined& one : joined) {
    ASSERT_FALSE(one.plane);
    EXPECT_EQ(one.plane.code(), Code::mismatch);
    EXPECT_LT(one.took, kPrompt);
    EXPECT_NE(one.plane.error().detail.find("rank 3 expects 7 ranks"), std::string::npos)
        << one.plane.error().detail;
    EXPECT_NE(one.plane.error().detail.find("expects 4 ranks"), std::string::npos);
  }
}

TEST(RendezvousThreadedTimed, DuplicateRankIsToldToAllAndToLatecomers) {
  Meeting meeting;
  const auto joined = join_threads(meeting.id(), {0, 1, 1}, 4, meeting.config);
  expect_all(joined, Code::mismatch, 1, kPrompt);
  EXPECT_NE(joined[0].plane.error().detail.find("rank 1 joined twice"), std::string::npos);
  expect_all(join_threads(meeting.id(), {2}, 4, meeting.config), Code::mismatch, 1, kPrompt);
  EXPECT_TRUE(meeting.opened->rendezvous->running());
  expect_all(join_threads(meeting.id(), {3}, 4, meeting.config), Code::mismatch, 1, kPrompt);
  // All four have been told.
  const Deadline deadline = deadline_in(milliseconds(5000));
  while (meeting.opened->rendezvous->running() && !expired(deadline)) std::this_thread::yield();
  EXPECT_FALSE(meeting.opened->rendezvous->running());
}

TEST(RendezvousThreadedTimed, WrongVersionIsToldToAll) {
  Meeting meeting;
  std::thread stranger([&] {
    Hello hello;
    hello.rank = 2;
    hello.rank_count = 3;
    hello.protocols = {700, 900};
    const auto refused = dial(meeting.id().key(), meeting.address(), hello);
    EXPECT_EQ(refused.code(), Code::version_mismatch);
  });
  const auto joined = join_threads(meeting.id(), {0, 1}, 3, meeting.config);
  stranger.join();
  expect_all(joined, Code::version_mismatch, 2, kPrompt);
  EXPECT_NE(joined[0].plane.error().detail.find("700 to 900"), std::string::npos);
}

TEST(RendezvousThreadedTimed, WrongKeyIsToldAtOnceAndNamedAtTheDeadline) {
  Meeting meeting(milliseconds(1500));
  const UniqueId other = UniqueId::make({})->with_addresses(meeting.id().addresses());
  std::thread intruder([&] {
    expect_all(join_threads(other, {2}, 3, meeting.config), Code::unauthenticated, kNoRank,
               kPrompt);
  });
  const auto joined = join_threads(meeting.id(), {0, 1}, 3, meeting.config);
  intruder.join();
  expect_all(joined, Code::timeout, 2, milliseconds(2000));
  for (const Joined& one : joined) {
    EXPECT_GE(one.took, milliseconds(1400));
    const std::string& detail = one.plane.error().detail;
    EXPECT_EQ(detail.find("rank 2 of 3 has not joined; refused 2 connections, from 127.0.0.1:"), 0u)
        << detail;
    EXPECT_NE(detail.find("another job"), std::string::npos) << detail;
  }
}

TEST(RendezvousThreadedTimed, WrongKeyDoesNotDisturbTheOthers) {
  Meeting meeting;
  const UniqueId other = UniqueId::make({})->with_addresses(meeting.id().addresses());
  std::vector<Joined> last;
  std::thread intruder([&] {
    expect_all(join_threads(other, {0, 1}, 2, meeting.config), Code::unauthenticated, kNoRank,
               kPrompt);
    last = join_threads(meeting.id(), {2}, 3, meeting.config);
  });
  const auto joined = join_threads(meeting.id(), {0, 1}, 3, meeting.config);
  intruder.join();
  for (const Joined& one : joined) EXPECT_TRUE(one.plane) << one.plane.error().to_string();
  EXPECT_TRUE(last[0].plane) << last[0].plane.error().to_string();
}

TEST(RendezvousThreadedTimed, MissingRankAtTheDeadline) {
  Meeting meeting(milliseconds(1000));
  const auto joined = join_threads(meeting.id(), {0, 2, 3}, 5, meeting.config);
  expect_all(joined, Code::timeout, 1, milliseconds(1300));
  for (const Joined& one : joined) {
    EXPECT_GE(one.took, milliseconds(900));
    EXPECT_EQ(one.plane.error().detail, "ranks 1 and 4 of 5 have not joined");
  }
}

TEST(RendezvousThreaded, LateRankIsWaitedFor) {
  Meeting meeting;
  std::vector<Joined> late;
  std::thread thread([&] {
    // Late by the rendezvous' own account: it has seen the others.
    auto first = half_joined(meeting, 0, 3);
    EXPECT_TRUE(first);
    late = join_threads(meeting.id(), {2}, 3, meeting.config);
  });
  const auto joined = join_threads(meeting.id(), {0, 1}, 3, meeting.config);
  thread.join();
  for (const Joined& one : joined) EXPECT_TRUE(one.plane) << one.plane.error().to_string();
  EXPECT_TRUE(late[0].plane) << late[0].plane.error().to_string();
}

TEST(RendezvousThreadedTimed, ARankLostWhileJoiningIsToldToAll) {
  Meeting meeting;
  std::thread loser([&] {
    auto channel = half_joined(meeting, 1, 3);
    ASSERT_TRUE(channel) << channel.error().to_string();
    EXPECT_TRUE(channel->send(MessageType::join, encode_join({10'000, "a lost soul", {}})));
    channel->shut_down();
    const Deadline deadline = deadline_in(milliseconds(5000));
    while (!expired(deadline)) {
      const auto open = channel->receive([](MessageType, BytesView) { return ok_status(); });
      if (!open || !*open) break;
    }
  });
  const auto joined = join_threads(meeting.id(), {0}, 3, meeting.config);
  loser.join();
  expect_all(joined, Code::peer_failed, 1, kPrompt);
  EXPECT_NE(joined[0].plane.error().detail.find("a lost soul"), std::string::npos);
}

TEST(RendezvousThreadedTimed, ARankThatCannotBeReachedIsToldToAll) {
  Meeting meeting;
  std::thread unreachable([&] {
    auto channel = half_joined(meeting, 2, 3);
    ASSERT_TRUE(channel) << channel.error().to_string();
    std::vector<std::byte> contact;
    Writer writer(contact);
    SocketAddress::parse("127.0.0.1:1")->encode(writer);
    EXPECT_TRUE(channel->send(MessageType::join, encode_join({10'000, "behind a wall", contact})));
    const Deadline deadline = deadline_in(milliseconds(5000));
    bool refused = false;
    while (!refused && !expired(deadline)) {
      const auto open = channel->receive([&](MessageType type, BytesView) {
        refused = refused || type == MessageType::refusal;
        return ok_status();
      });
      if (!open || !*open) break;
    }
    EXPECT_TRUE(refused);
  });
  const auto joined = join_threads(meeting.id(), {0, 1}, 3, meeting.config);
  unreachable.join();
  expect_all(joined, Code::peer_failed, 2, milliseconds(1500));
}

TEST(RendezvousThreadedTimed, StrangersChangeNothing) {
  Meeting meeting;
  std::vector<UniqueFd> half_open;
  for (int i = 0; i < 200; ++i) half_open.push_back(connect_to(meeting.address()));
  std::vector<std::byte> garbage(5000);
  Random(1).fill(garbage);
  std::vector<UniqueFd> noisy;
  for (int i = 0; i < 20; ++i) {
    noisy.push_back(connect_to(meeting.address()));
    (void)write_some(noisy.back().get(), BytesView(garbage));
  }
  for (const Joined& one : join_threads(meeting.id(), {0, 1, 2, 3}, 4, meeting.config)) {
    EXPECT_TRUE(one.plane) << one.plane.error().to_string();
    EXPECT_LT(one.took, kPrompt);
  }
  for (const UniqueFd& fd : noisy) EXPECT_TRUE(is_closed_within(fd, milliseconds(5000)));
}

TEST(RendezvousThreadedTimed, SilentCallerIsDroppedAfterTwoSeconds) {
  Meeting meeting;
  const UniqueFd silent = connect_to(meeting.address());
  EXPECT_FALSE(is_closed_within(silent, milliseconds(1700)));
  EXPECT_TRUE(is_closed_within(silent, milliseconds(1000)));
}

TEST(RendezvousThreadedTimed, AClosedRendezvousIsNotWaitedForLong) {
  Meeting meeting;
  const UniqueId id = meeting.id();
  meeting.opened->rendezvous.reset();
  expect_all(join_threads(id, {0}, 2, meeting.config), Code::unavailable, kNoRank, kPrompt);
}

TEST(RendezvousThreadedTimed, ClosingItEndsTheJoin) {
  Meeting meeting;
  std::thread closer([&] {
    EXPECT_TRUE(half_joined(meeting, 1, 2));
    meeting.opened->rendezvous.reset();
  });
  const auto joined = join_threads(meeting.id(), {0}, 2, meeting.config);
  closer.join();
  ASSERT_FALSE(joined[0].plane);
  EXPECT_LT(joined[0].took, milliseconds(2000));
}

TEST(RendezvousThreaded, OverIPv6) {
  Config config = loopback_config();
  const auto address = SocketAddress::parse("[::1]:0");
  auto probe = Listener::open(*address);
  if (!probe) GTEST_SKIP() << "no IPv6 here";
  const SocketAddress place = probe->address();
  probe = make_error(Code::unavailable, "closed again");
  const UniqueId id = UniqueId::make(std::vector{place}).value();
  auto rendezvous = Rendezvous::open_at(id, config);
  ASSERT_TRUE(rendezvous) << rendezvous.error().to_string();
  for (const Joined& one : join_threads(id, {0, 1, 2}, 3, config)) {
    EXPECT_TRUE(one.plane) << one.plane.error().to_string();
  }
}

// Rank 0 opens the rendezvous itself; its failed join must not silence it for those who come late.
TEST(RendezvousThreadedTimed, ByEnvironmentLatecomersLearnWhyTheJoinFailed) {
  const Config config = loopback_config();
  auto probe = Listener::open(*SocketAddress::parse("127.0.0.1:0"));
  ASSERT_TRUE(probe);
  // What UniqueId::from_environment makes of UNIRACK_RENDEZVOUS, with a key from no file.
  auto bytes = UniqueId::make(std::vector{probe->address()})->serialise();
  probe = make_error(Code::unavailable, "closed again");
  bytes[1] = std::byte{1};
  std::fill_n(bytes.begin() + 4, 4, std::byte{0});
  store_little(bytes.data() + 4, crc32c(bytes));
  const auto id = UniqueId::parse(bytes);
  ASSERT_TRUE(id) << id.error().to_string();

  std::unique_ptr<Rendezvous> kept;
  const auto keep = [&](JoinRequest& request) {
    if (request.rank == 2) request.rank_count = 5;
    request.keep_rendezvous = [&](std::unique_ptr<Rendezvous> rendezvous) {
      kept = std::move(rendezvous);
    };
  };
  for (const Joined& one : join_threads(*id, {2, 0}, 4, config, keep)) {
    EXPECT_EQ(one.plane.code(), Code::mismatch);
  }
  ASSERT_NE(kept, nullptr);
  for (const Joined& one : join_threads(*id, {1, 3}, 4, config)) {
    EXPECT_EQ(one.plane.code(), Code::mismatch) << one.plane.error().to_string();
    EXPECT_LT(one.took, kPrompt);
  }
}

TEST(RendezvousThreaded, SeveralPoolsAtOnceDoNotMix) {
  Meeting a;
  Meeting b;
  std::vector<Joined> in_b;
  std::thread other([&] { in_b = join_threads(b.id(), {0, 1}, 2, b.config); });
  const auto in_a = join_threads(a.id(), {0, 1, 2}, 3, a.config);
  other.join();
  for (const Joined& one : in_a) ASSERT_TRUE(one.plane) << one.plane.error().to_string();
  for (const Joined& one : in_b) ASSERT_TRUE(one.plane) << one.plane.error().to_string();
  EXPECT_NE((*in_a[0].plane)->instance(), (*in_b[0].plane)->instance());
}

}  // namespace
}  // namespace unirack
