#include "tests/support/control_pool.h"

#include <poll.h>

#include <thread>

#include "lib/control/dialer.h"
#include "lib/net/socket.h"

namespace unirack::testing {

Config loopback_config(milliseconds join_timeout) {
  Config config;
  config.interfaces = {"lo"};
  config.join_timeout = join_timeout;
  config.log = LogLevel::off;
  return config;
}

std::vector<Joined> join_threads(const UniqueId& id, const std::vector<Rank>& ranks, int rank_count,
                                 const Config& config,
                                 const std::function<void(JoinRequest&)>& tweak) {
  std::vector<Joined> joined(ranks.size());
  std::vector<std::thread> threads;
  for (size_t i = 0; i < ranks.size(); ++i) {
    threads.emplace_back([&, i] {
      JoinRequest request;
      request.id = id;
      request.rank = ranks[i];
      request.rank_count = rank_count;
      request.config = &config;
      request.card = {static_cast<std::byte>(ranks[i]), std::byte{42}};
      if (tweak) tweak(request);
      const TimePoint start = now();
      joined[i].plane = ControlPlane::join(std::move(request));
      joined[i].took = now() - start;
    });
  }
  for (std::thread& thread : threads) thread.join();
  return joined;
}

std::vector<Plane> join_all(const UniqueId& id, int rank_count, const Config& config,
                            const std::function<void(JoinRequest&)>& tweak) {
  std::vector<Rank> ranks;
  for (Rank rank = 0; rank < rank_count; ++rank) ranks.push_back(rank);
  std::vector<Plane> planes;
  for (Joined& joined : join_threads(id, ranks, rank_count, config, tweak)) {
    EXPECT_TRUE(joined.plane) << joined.plane.error().to_string();
    if (joined.plane) planes.push_back(std::move(*joined.plane));
  }
  return planes;
}

void for_each_rank(int rank_count, const std::function<void(Rank)>& body) {
  std::vector<std::thread> threads;
  for (Rank rank = 0; rank < rank_count; ++rank) threads.emplace_back([&, rank] { body(rank); });
  for (std::thread& thread : threads) thread.join();
}

void await_verdicts(const std::vector<Plane>& planes, milliseconds patience) {
  const Deadline deadline = deadline_in(patience);
  for (const Plane& plane : planes) {
    while (plane->verdict() == nullptr && !expired(deadline)) std::this_thread::yield();
    ASSERT_NE(plane->verdict(), nullptr);
  }
}

UniqueFd connect_to(const SocketAddress& address) {
  auto fd = start_connect(address);
  EXPECT_TRUE(fd) << fd.error().to_string();
  if (!fd) return {};
  pollfd state{fd->get(), POLLOUT, 0};
  EXPECT_EQ(::poll(&state, 1, 5000), 1);
  return std::move(*fd);
}

bool is_closed_within(const UniqueFd& fd, milliseconds patience) {
  pollfd state{fd.get(), POLLIN, 0};
  if (::poll(&state, 1, static_cast<int>(patience.count())) != 1) return false;
  std::array<std::byte, 4096> buffer;
  for (;;) {
    const auto transfer = read_some(fd.get(), Bytes(buffer));
    if (!transfer || transfer->state == IoState::closed) return true;
    if (transfer->state == IoState::would_block) return is_closed_within(fd, patience);
  }
}

Result<Channel> dial(const SecretKey& key, const SocketAddress& address, const Hello& hello) {
  const JobCredentials job = UNIRACK_TRY(JobCredentials::from_key(key));
  Poller poller = UNIRACK_TRY(Poller::create());
  Dialer::Options options;
  options.addresses = {address};
  options.hello = hello;
  options.deadline = deadline_in(milliseconds(5000));
  Dialer dialer(job, poller, 1, options, now());
  while (dialer.step(now()) == Dialer::State::trying) {
    std::array<PollEvent, 4> events;
    UNIRACK_TRY(poller.wait(events, dialer.next_step()));
  }
  if (dialer.state() == Dialer::State::failed) return dialer.error();
  return Channel::create(dialer.take_fd(), dialer.session());
}

}  // namespace unirack::testing
