#include "transports/shm/shm_transport.h"

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <fstream>

#include "tests/support/transport_pool.h"
#include "tests/support/two_processes.h"

namespace unirack::testing {
namespace {

constexpr Subject kShm{"shm"};

bool is_socket_listed(const std::string& name) {
  std::ifstream sockets("/proc/net/unix");
  std::string line;
  while (std::getline(sockets, line)) {
    if (line.find(name) != std::string::npos) return true;
  }
  return false;
}

TEST(ShmTransport, AKilledProcessLeavesNoSocket) {
  TwoProcesses processes([&](const Wire& wire) {
    RankUnderTest rank(kShm, 1, 2);
    wire.exchange(rank.transport().address());
    wire.receive();
  });
  const auto address = ShmAddress::decode(processes.wire().receive());
  ASSERT_TRUE(address);
  EXPECT_TRUE(is_socket_listed(address->socket_name()));
  processes.kill_child();
  EXPECT_FALSE(is_socket_listed(address->socket_name()));
}

UniqueFd dial_raw(const ShmAddress& address) {
  UniqueFd fd(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  sockaddr_un name{};
  name.sun_family = AF_UNIX;
  const std::string text = address.socket_name();
  std::memcpy(name.sun_path + 1, text.data(), text.size());
  const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + text.size());
  EXPECT_EQ(::connect(fd.get(), reinterpret_cast<const sockaddr*>(&name), length), 0);
  return fd;
}

// A hundred that say nothing or nonsense, before and while the ranks meet.
TEST(ShmTransport, StrangersChangeNothing) {
  Pool pool(kShm, 2);
  const auto address = ShmAddress::decode(pool[1].transport().address());
  ASSERT_TRUE(address);
  std::vector<UniqueFd> strangers;
  for (size_t i = 0; i < 100; ++i) {
    strangers.push_back(dial_raw(*address));
    const std::vector<std::byte> noise(i * 2, static_cast<std::byte>(i));
    if (i % 2 == 1) ::send(strangers.back().get(), noise.data(), noise.size(), MSG_NOSIGNAL);
    pool.pump();
  }
  pool.connect_all();
  for (int i = 0; i < 100; ++i) pool.pump();
  EXPECT_EQ(pool[0].outcomes(RankUnderTest::connect_token(1, 0)).size(), 1u);
}

TEST(ShmTransport, AWrongKeyIsToldAndChangesNothing) {
  Pool pool(kShm, 3);
  Config config;
  std::array<std::byte, 32> wrong_key{};
  auto intruder = ShmTransport::open({0, 3, 7, wrong_key, &config});
  ASSERT_TRUE(intruder);
  auto endpoint =
      (*intruder)->connect(1, pool[1].transport().address(), 0, TrafficClass::collective, 5);
  ASSERT_TRUE(endpoint) << endpoint.error().to_string();
  Completion completion;
  ASSERT_TRUE(pool.pump_until([&] { return (*intruder)->poll({&completion, 1}) == 1; }));
  EXPECT_EQ(completion.token, 5u);
  EXPECT_EQ(completion.status.code(), Code::unauthenticated);
  pool.connect_all();
}

TEST(ShmTransport, NeverMapsMemoryThatCouldShrink) {
  Pool pool(kShm, 2);
  UniqueFd unsealed(::memfd_create("test", MFD_CLOEXEC));
  ASSERT_EQ(::ftruncate(unsealed.get(), 4096), 0);
  Buffer buffer(Kind::private_memory, 4096);
  const auto refused = pool[0].transport().register_memory({buffer.data(), 4096, unsealed.get()},
                                                           Access::read_write);
  EXPECT_EQ(refused.code(), Code::invalid_argument);
}

TEST(ShmTransport, SymmetricMemoryReachesThoseWhoConnectLater) {
  Pool pool(kShm, 2);
  Buffer buffer(Kind::symmetric, 4096);
  const auto exposed = pool[1].expose(buffer);
  pool.connect_all();
  const Remote remote = pool.import(0, 1, *exposed);
  ASSERT_NE(remote.mapped, nullptr);
  buffer.data()[7] = std::byte{9};
  EXPECT_EQ(remote.mapped[7], std::byte{9});
}

// What a peer still holds a pointer to when the owner has taken it back.
TEST(ShmTransport, AMappingOutlivesItsRegionHarmlessly) {
  Pool pool(kShm, 2);
  pool.connect_all();
  Buffer buffer(Kind::symmetric, 8192);
  auto exposed = pool[1].expose(buffer);
  const Remote remote = pool.import(0, 1, *exposed);
  remote.mapped[0] = std::byte{1};
  EXPECT_EQ(buffer.data()[0], std::byte{1});
  exposed.reset();
  ASSERT_TRUE(pool.pump_until([&] {
    remote.mapped[0] = std::byte{2};
    return buffer.data()[0] != std::byte{2} || remote.mapped[1] == std::byte{0};
  }));
}

}  // namespace
}  // namespace unirack::testing
