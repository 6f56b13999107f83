#include "lib/net/poller.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <thread>

namespace unirack {
namespace {

struct Fixture {
  Fixture() {
    int raw[2] = {-1, -1};
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, raw), 0);
    near.reset(raw[0]);
    far.reset(raw[1]);
  }
  Poller poller = std::move(Poller::create()).value();
  UniqueFd near;
  UniqueFd far;
  std::array<PollEvent, 4> events{};
};

Deadline soon() { return deadline_in(std::chrono::seconds(10)); }

TEST(Poller, ReportsWhatIsAskedFor) {
  Fixture f;
  ASSERT_TRUE(f.poller.add(f.near.get(), Interest::read, 7));
  EXPECT_EQ(f.poller.wait(f.events, now()).value(), 0u);
  ASSERT_EQ(::write(f.far.get(), "x", 1), 1);
  ASSERT_EQ(f.poller.wait(f.events, soon()).value(), 1u);
  EXPECT_EQ(f.events[0].token, 7u);
  EXPECT_TRUE(f.events[0].readable);
  EXPECT_FALSE(f.events[0].writable);

  ASSERT_TRUE(f.poller.modify(f.near.get(), Interest::write, 8));
  ASSERT_EQ(f.poller.wait(f.events, soon()).value(), 1u);
  EXPECT_EQ(f.events[0].token, 8u);
  EXPECT_TRUE(f.events[0].writable);

  f.poller.remove(f.near.get());
  EXPECT_EQ(f.poller.wait(f.events, now()).value(), 0u);
}

TEST(Poller, HangUpIsReportedWithoutInterest) {
  Fixture f;
  ASSERT_TRUE(f.poller.add(f.near.get(), Interest::none, 1));
  f.far.reset();
  ASSERT_EQ(f.poller.wait(f.events, soon()).value(), 1u);
  EXPECT_TRUE(f.events[0].hung_up);
}

TEST(Poller, AnEarlyWakeUpIsNotLost) {
  Fixture f;
  f.poller.wake();
  f.poller.wake();
  const TimePoint start = now();
  EXPECT_EQ(f.poller.wait(f.events, soon()).value(), 0u);
  EXPECT_LT(now() - start, std::chrono::seconds(5));
  EXPECT_EQ(f.poller.wait(f.events, now()).value(), 0u) << "and counts once";
}

TEST(Poller, DeadlineIsKeptAndNotAnticipated) {
  Fixture f;
  const Deadline deadline = deadline_in(milliseconds(3));
  EXPECT_EQ(f.poller.wait(f.events, deadline).value(), 0u);
  EXPECT_GE(now(), deadline);
}

TEST(PollerThreaded, WakesFromAnotherThread) {
  Fixture f;
  const TimePoint start = now();
  std::thread waker([&] { f.poller.wake(); });
  EXPECT_EQ(f.poller.wait(f.events, soon()).value(), 0u);
  waker.join();
  EXPECT_LT(now() - start, std::chrono::seconds(5));
}

TEST(Poller, RefusesADescriptorThatIsNone) {
  Fixture f;
  EXPECT_EQ(f.poller.add(-1, Interest::read, 1).code(), Code::system);
}

}  // namespace
}  // namespace unirack
