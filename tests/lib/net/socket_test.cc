#include "lib/net/socket.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include <array>
#include <cerrno>

namespace unirack {
namespace {

constexpr int kPatienceMs = 10'000;

SocketAddress local() { return SocketAddress::parse("127.0.0.1:0").value(); }

bool wait_for(int fd, short what) {
  pollfd state{fd, what, 0};
  return ::poll(&state, 1, kPatienceMs) == 1;
}

struct Pair {
  UniqueFd client;
  UniqueFd server;
};

Pair connected_pair(Listener& listener) {
  Pair pair;
  pair.client = start_connect(listener.address()).value();
  EXPECT_TRUE(wait_for(pair.client.get(), POLLOUT));
  EXPECT_TRUE(finish_connect(pair.client.get()).value());
  EXPECT_TRUE(wait_for(listener.fd(), POLLIN));
  Accepted accepted = std::move(listener.accept()).value();
  EXPECT_EQ(accepted.state, AcceptState::accepted);
  EXPECT_EQ(accepted.peer, local_address(pair.client.get()).value());
  pair.server = std::move(accepted.fd);
  return pair;
}

TEST(Socket, BytesTravelBothWays) {
  for (const char* where : {"127.0.0.1:0", "[::1]:0"}) {
    auto listener = Listener::open(SocketAddress::parse(where).value());
    if (!listener && listener.error().sys_errno == EADDRNOTAVAIL) continue;  // no IPv6 here
    ASSERT_TRUE(listener) << listener.error().to_string();
    EXPECT_NE(listener->address().port, 0);
    Pair pair = connected_pair(*listener);
    std::array<std::byte, 8> buffer{};
    EXPECT_EQ(read_some(pair.server.get(), Bytes(buffer))->state, IoState::would_block);
    EXPECT_EQ(write_some(pair.client.get(), bytes_of("hello"))->bytes, 5u);
    ASSERT_TRUE(wait_for(pair.server.get(), POLLIN));
    EXPECT_EQ(read_some(pair.server.get(), Bytes(buffer))->bytes, 5u);
    EXPECT_EQ(text_of(BytesView(buffer).first(5)), "hello");
  }
}

TEST(Socket, PartsAreGatheredAndScattered) {
  auto listener = std::move(Listener::open(local())).value();
  Pair pair = connected_pair(listener);
  char a[] = "abc";
  char b[] = "defgh";
  const std::array<iovec, 3> sources = {iovec{a, 3}, iovec{nullptr, 0}, iovec{b, 5}};
  EXPECT_EQ(write_some(pair.server.get(), sources)->bytes, 8u);
  ASSERT_TRUE(wait_for(pair.client.get(), POLLIN));
  char c[5] = {};
  char d[5] = {};
  const std::array<iovec, 2> targets = {iovec{c, 4}, iovec{d, 4}};
  EXPECT_EQ(read_some(pair.client.get(), targets)->bytes, 8u);
  EXPECT_STREQ(c, "abcd");
  EXPECT_STREQ(d, "efgh");
}

TEST(Socket, EndAndResetAreTold) {
  auto listener = std::move(Listener::open(local())).value();
  std::array<std::byte, 8> buffer{};
  {
    Pair pair = connected_pair(listener);
    pair.server.reset();
    ASSERT_TRUE(wait_for(pair.client.get(), POLLIN));
    EXPECT_EQ(read_some(pair.client.get(), Bytes(buffer))->state, IoState::closed);
    EXPECT_EQ(read_some(pair.client.get(), Bytes())->state, IoState::moved);
  }
  Pair pair = connected_pair(listener);
  const linger abort_now{1, 0};
  ASSERT_EQ(::setsockopt(pair.server.get(), SOL_SOCKET, SO_LINGER, &abort_now, sizeof(abort_now)),
            0);
  pair.server.reset();
  ASSERT_TRUE(wait_for(pair.client.get(), POLLIN));
  EXPECT_EQ(read_some(pair.client.get(), Bytes(buffer)).code(), Code::peer_failed);
  EXPECT_EQ(write_some(pair.client.get(), bytes_of("x")).code(), Code::peer_failed)
      << "and no SIGPIPE";
}

TEST(Socket, RefusedConnectionIsAPeerFailure) {
  const SocketAddress nobody = [] {
    const auto listener = std::move(Listener::open(local())).value();
    return listener.address();
  }();
  auto fd = start_connect(nobody);
  if (fd) {
    ASSERT_TRUE(wait_for(fd->get(), POLLOUT));
    const auto finished = finish_connect(fd->get());
    EXPECT_EQ(finished.code(), Code::peer_failed);
    EXPECT_EQ(finished.error().sys_errno, ECONNREFUSED);
  } else {
    EXPECT_EQ(fd.code(), Code::peer_failed);
  }
}

TEST(Socket, SelfConnectionIsRefused) {
  auto listener = std::move(Listener::open(local())).value();
  const SocketAddress self = listener.address();
  { const Listener closed = std::move(listener); }
  const auto fd = start_connect(self, &self);
  ASSERT_TRUE(fd) << fd.error().to_string();
  ASSERT_TRUE(wait_for(fd->get(), POLLOUT));
  EXPECT_EQ(finish_connect(fd->get()).code(), Code::peer_failed);
}

TEST(Socket, PortRangeIsFollowedAndExhausted) {
  // Two neighbouring ports that are free at the moment; another try if somebody is faster.
  for (int tries = 0; tries < 20; ++tries) {
    uint16_t first = 0;
    {
      const auto probe = Listener::open(local());
      ASSERT_TRUE(probe);
      first = probe->address().port;
    }
    if (first == 65535) continue;
    const PortRange range{first, static_cast<uint16_t>(first + 1)};
    const auto a = Listener::open(local(), range);
    const auto b = Listener::open(local(), range);
    if (!a || !b) continue;
    EXPECT_EQ(a->address().port, first);
    EXPECT_EQ(b->address().port, first + 1);
    const auto c = Listener::open(local(), range);
    EXPECT_EQ(c.code(), Code::unavailable);
    EXPECT_NE(c.error().detail.find("all in use"), std::string::npos);
    return;
  }
  FAIL() << "no two neighbouring ports in 20 tries";
}

TEST(Socket, OptionsReachTheKernel) {
  auto listener = std::move(Listener::open(local())).value();
  Pair pair = connected_pair(listener);
  ASSERT_TRUE(set_no_delay(pair.client.get()));
  ASSERT_TRUE(set_liveness(pair.client.get(), milliseconds(2000)));
  int value = 0;
  socklen_t length = sizeof(value);
  ::getsockopt(pair.client.get(), IPPROTO_TCP, TCP_USER_TIMEOUT, &value, &length);
  EXPECT_EQ(value, 2000);
  ::getsockopt(pair.client.get(), IPPROTO_TCP, TCP_NODELAY, &value, &length);
  EXPECT_NE(value, 0);
  EXPECT_NE(::fcntl(pair.server.get(), F_GETFL) & O_NONBLOCK, 0);
  EXPECT_NE(::fcntl(pair.server.get(), F_GETFD) & FD_CLOEXEC, 0);
}

std::string congestion_control(int fd) {
  char name[16] = {};
  socklen_t length = sizeof(name) - 1;
  EXPECT_EQ(::getsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, name, &length), 0);
  return name;
}

TEST(Socket, LeavesBbrAndNothingElse) {
  auto listener = std::move(Listener::open(local())).value();
  const Pair pair = connected_pair(listener);
  const int fd = pair.client.get();
  ASSERT_EQ(::setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, "reno", 4), 0);
  leave_bbr(fd);
  EXPECT_EQ(congestion_control(fd), "reno");
  if (::setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, "bbr", 3) != 0) {
    GTEST_SKIP() << "the kernel has no bbr for us";
  }
  leave_bbr(fd);
  EXPECT_NE(congestion_control(fd), "bbr");
}

// In a child, because it uses up the process's descriptors. Returns 0 if all went as it should.
int run_out_of_descriptors() {
  auto listener = std::move(Listener::open(local())).value();
  const UniqueFd client = start_connect(listener.address()).value();
  if (!wait_for(listener.fd(), POLLIN)) return 1;
  const rlimit limit{64, 64};
  if (::setrlimit(RLIMIT_NOFILE, &limit) != 0) return 2;
  std::array<UniqueFd, 64> hoard;
  for (UniqueFd& fd : hoard) fd.reset(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  const auto shed = listener.accept();
  if (!shed || shed->state != AcceptState::shed) return 3;
  const auto after = listener.accept();
  if (!after || after->state != AcceptState::none) return 4;
  std::array<std::byte, 1> buffer{};
  if (!wait_for(client.get(), POLLIN)) return 5;
  const auto told = read_some(client.get(), Bytes(buffer));
  if (told && told->state != IoState::closed) return 6;  // an end or a reset, but an answer
  for (UniqueFd& fd : hoard) fd.reset();
  const UniqueFd next = start_connect(listener.address()).value();
  if (!wait_for(listener.fd(), POLLIN)) return 7;
  const auto accepted = listener.accept();
  return accepted && accepted->state == AcceptState::accepted ? 0 : 8;
}

TEST(Socket, ListenerOutlivesDescriptorExhaustion) {
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    ::alarm(20);
    ::_exit(run_out_of_descriptors());
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

}  // namespace
}  // namespace unirack
