#include "transports/tcp/tcp_transport.h"

#include <gtest/gtest.h>
#include <poll.h>

#include <algorithm>
#include <array>

#include "lib/base/random.h"
#include "tests/support/transport_pool.h"
#include "transports/tcp/tcp_frame.h"

namespace unirack::testing {
namespace {

constexpr Subject kTcp{"tcp"};

UniqueFd dial_raw(const Transport& transport) {
  const auto address = TcpAddress::decode(transport.address());
  EXPECT_TRUE(address);
  auto fd = start_connect(address->rails[0].addresses[0]);
  EXPECT_TRUE(fd);
  pollfd entry{fd->get(), POLLOUT, 0};
  EXPECT_EQ(::poll(&entry, 1, 5000), 1);
  return std::move(fd).value();
}

// Whether the other end has hung up.
bool is_dropped(const UniqueFd& fd) {
  std::array<std::byte, 512> buffer;
  const auto read = read_some(fd.get(), Bytes(buffer));
  return !read || read->state == IoState::closed;
}

TEST(TcpTransport, GarbageIsDroppedAtTheFirstBadByte) {
  Pool pool(kTcp, 2);
  const UniqueFd stranger = dial_raw(pool[1].transport());
  const std::array<std::byte, 8> noise{std::byte{0x47}, std::byte{0x45}, std::byte{0x54}};
  ASSERT_TRUE(write_some(stranger.get(), BytesView(noise)));
  EXPECT_TRUE(pool.pump_until([&] { return is_dropped(stranger); }, milliseconds(1500)));
}

TEST(TcpTransport, StrangersChangeNothing) {
  Pool pool(kTcp, 2, 2);
  Random random(5);
  std::vector<UniqueFd> strangers;
  for (size_t i = 0; i < 150; ++i) {
    strangers.push_back(dial_raw(pool[1].transport()));
    std::vector<std::byte> noise(random.below(300));
    random.fill(noise);
    if (i % 3 != 0 && !noise.empty()) (void)write_some(strangers.back().get(), BytesView(noise));
    if (i % 5 == 0) strangers.pop_back();
    pool.pump();
  }
  pool.connect_all();
  for (int i = 0; i < 100; ++i) pool.pump();
  EXPECT_EQ(pool[0].outcomes(RankUnderTest::connect_token(1, 0)).size(), 1u);
}

TEST(TcpTransport, ASilentCallerIsDroppedInTwoSecondsTimed) {
  Pool pool(kTcp, 2);
  const TimePoint start = now();
  const UniqueFd stranger = dial_raw(pool[1].transport());
  ASSERT_TRUE(pool.pump_until([&] { return is_dropped(stranger); }));
  EXPECT_GE(now() - start, milliseconds(1900));
  EXPECT_LE(now() - start, milliseconds(3000));
}

TEST(TcpTransport, ASleeperDropsASilentCallerToo) {
  Pool pool(kTcp, 2);
  const UniqueFd stranger = dial_raw(pool[1].transport());
  const Deadline deadline = deadline_in(kPatience);
  while (!is_dropped(stranger) && !expired(deadline)) {
    pool[1].pump();
    const auto fd = pool[1].transport().arm();
    ASSERT_TRUE(fd);
    (void)is_readable(*fd, 3000);
  }
  EXPECT_TRUE(is_dropped(stranger));
}

TEST(TcpTransport, AWrongKeyIsToldAndChangesNothing) {
  Pool pool(kTcp, 3);
  Config config;
  config.interfaces = {"lo"};
  const std::array<std::byte, 32> wrong_key{};
  auto intruder = TcpTransport::open({0, 3, 7, wrong_key, &config});
  ASSERT_TRUE(intruder) << intruder.error().to_string();
  auto endpoint =
      (*intruder)->connect(1, pool[1].transport().address(), 0, TrafficClass::collective, 5);
  ASSERT_TRUE(endpoint) << endpoint.error().to_string();
  Completion completion;
  ASSERT_TRUE(pool.pump_until([&] { return (*intruder)->poll({&completion, 1}) == 1; }));
  EXPECT_EQ(completion.token, 5u);
  EXPECT_EQ(completion.status.code(), Code::unauthenticated);
  pool.connect_all();
}

// A member of the job that then talks nonsense: its endpoint breaks, the others do not notice.
TEST(TcpTransport, TamperedFramesBreakTheirConnectionOnly) {
  Pool pool(kTcp, 3);
  const auto address = TcpAddress::decode(pool[2].transport().address());
  ASSERT_TRUE(address);
  pool[0].connect(2, pool[2].transport().address(), 0);
  pool[2].connect(0, pool[0].transport().address(), 0);
  pool[2].connect(1, pool[1].transport().address(), 0);
  ASSERT_TRUE(pool.pump_until([&] { return pool[0].is_ready(2) && pool[2].is_ready(0); }));

  std::array<std::byte, 32> key{std::byte{42}};
  const auto job = JobCredentials::from_key(SecretKey(key));
  ASSERT_TRUE(job);
  auto poller = Poller::create();
  ASSERT_TRUE(poller);
  Hello hello;
  hello.role = Role::data;
  hello.rank = 1;
  hello.rank_count = 3;
  hello.instance = 7;
  TcpDialer dialer(*poller, 1, *job, hello, 2, {{address->rails[0].addresses[0], std::nullopt}});
  ASSERT_TRUE(pool.pump_until([&] { return dialer.step(now()) == TcpDialer::State::done; }));
  const UniqueFd fd = dialer.take();
  const TcpHeader::Wire open = TcpHeader().encode();
  ASSERT_TRUE(write_some(fd.get(), BytesView(open)));
  ASSERT_TRUE(pool.pump_until([&] { return pool[2].is_ready(1); }));
  TcpHeader::Wire bad = open;
  bad[40] ^= std::byte{1};
  ASSERT_TRUE(write_some(fd.get(), BytesView(bad)));
  const Token token = RankUnderTest::connect_token(1, 0);
  ASSERT_TRUE(pool.pump_until([&] { return pool[2].outcomes(token).size() == 2; }));
  EXPECT_EQ(pool[2].outcomes(token)[1].code(), Code::corrupted);
  EXPECT_EQ(pool[2].outcomes(token)[1].error().culprit, 1);
  EXPECT_EQ(pool[2].outcomes(RankUnderTest::connect_token(0, 0)).size(), 1u);

  Buffer buffer(Kind::private_memory, 64);
  const auto exposed = pool[2].expose(buffer);
  const Remote remote = pool.import(0, 2, *exposed);
  std::byte byte{7};
  EXPECT_TRUE(pool.put(0, 2, {{&byte, remote, 0, 1}}));
}

// The rest of a frame whose region is taken back while it is half received goes nowhere.
TEST(TcpTransport, AHalfReceivedFrameDrainsToNowhere) {
  Pool pool(kTcp, 2);
  pool.connect_all();
  constexpr size_t kBytes = size_t{48} << 20;
  Buffer buffer(Kind::private_memory, kBytes);
  Buffer other(Kind::private_memory, 64);
  *other.word(0) = 0;
  auto exposed = pool[1].expose(buffer);
  const auto other_exposed = pool[1].expose(other);
  const Remote remote = pool.import(0, 1, *exposed);
  const Remote harmless = pool.import(0, 1, *other_exposed);
  std::vector<std::byte> source(kBytes, std::byte{1});
  const Copy copy{source.data(), remote, 0, kBytes};
  const Signal signal{harmless, 0, 1};
  ASSERT_EQ(pool[0].endpoint(1).put({&copy, 1}, &signal, 1), 1u);
  ASSERT_TRUE(pool.pump_until([&] { return buffer.data()[3 << 20] == std::byte{1}; }));
  EXPECT_EQ(buffer.data()[kBytes - 1], kPoison);
  exposed.reset();
  std::fill_n(buffer.data(), kBytes, std::byte{2});
  // Later puts of the same endpoint arrive; that one signal does not.
  const Signal later{harmless, 8, 5};
  const Copy small{source.data(), harmless, 16, 8};
  ASSERT_TRUE(pool.pump_until([&] {
    return pool[0].endpoint(1).put({&small, 1}, &later, kNoToken) == 1;
  }));
  ASSERT_TRUE(pool.pump_until([&] { return other.load_word(8) == 5; }));
  EXPECT_EQ(other.load_word(0), 0u);
  EXPECT_EQ(std::count(buffer.data(), buffer.data() + kBytes, std::byte{2}),
            static_cast<ptrdiff_t>(kBytes));
}

TEST(TcpTransport, ListensInThePortRange) {
  Config config;
  config.interfaces = {"lo"};
  config.port_range = {42'000, 42'999};
  const std::array<std::byte, 32> key{};
  const auto transport = TcpTransport::open({0, 2, 1, key, &config});
  ASSERT_TRUE(transport) << transport.error().to_string();
  const auto address = TcpAddress::decode((*transport)->address());
  ASSERT_TRUE(address);
  for (const TcpRail& rail : address->rails) {
    for (const SocketAddress& where : rail.addresses) {
      EXPECT_TRUE(where.is_loopback());
      EXPECT_GE(where.port, 42'000);
      EXPECT_LE(where.port, 42'999);
    }
  }
}

}  // namespace
}  // namespace unirack::testing
