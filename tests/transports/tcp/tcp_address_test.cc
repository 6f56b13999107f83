#include "transports/tcp/tcp_address.h"

#include <gtest/gtest.h>

#include <array>

namespace unirack {
namespace {

SocketAddress address(const char* text) { return *SocketAddress::parse(text); }

InterfaceScore score(const char* name, const char* text, bool has_device, bool usable = true) {
  InterfaceScore result;
  result.interface.name = name;
  result.interface.address = address(text);
  result.interface.has_device = has_device;
  result.tier = has_device ? 4 : (result.interface.address.is_loopback() ? 0 : 3);
  result.usable = usable;
  return result;
}

TEST(TcpAddress, ComesBackAsItWasSent) {
  TcpAddress sent;
  sent.instance = 99;
  sent.rails = {{{address("10.0.0.1:5"), address("[fd00::1]:6")}}, {{address("10.0.1.1:7")}}};
  const auto wire = sent.encode();
  const auto received = TcpAddress::decode(wire);
  ASSERT_TRUE(received) << received.error().to_string();
  EXPECT_EQ(received->encode(), wire);
  EXPECT_EQ(received->rails[0].addresses[1], address("[fd00::1]:6"));
  for (size_t length = 0; length < wire.size(); ++length) {
    EXPECT_FALSE(TcpAddress::decode(BytesView(wire).first(length))) << length;
  }
}

TEST(TcpAddress, EveryRealDeviceIsARail) {
  const auto rails =
      choose_rails({score("eth0", "10.0.0.1:0", true), score("eth0", "[fd00::1]:0", true),
                    score("eth1", "10.0.1.1:0", true), score("docker0", "172.17.0.1:0", false),
                    score("eth2", "10.0.2.1:0", true, false)},
                   false);
  ASSERT_TRUE(rails);
  ASSERT_EQ(rails->size(), 2u);
  EXPECT_EQ((*rails)[0].addresses.size(), 2u);
  EXPECT_EQ((*rails)[1].addresses[0], address("10.0.1.1:0"));
}

TEST(TcpAddress, ASlowInterfaceBesideAFastOneIsNoRail) {
  auto fast = score("eth0", "10.0.0.1:0", true);
  auto same = score("eth1", "10.0.1.1:0", true);
  auto slow = score("eth2", "10.0.2.1:0", true);
  fast.interface.speed_mbit_per_s = 100'000;
  same.interface.speed_mbit_per_s = 50'000;
  slow.interface.speed_mbit_per_s = 1000;
  const auto rails = choose_rails({fast, same, slow}, false);
  ASSERT_TRUE(rails);
  EXPECT_EQ(rails->size(), 2u);
  EXPECT_EQ(choose_rails({fast, same, slow}, true)->size(), 3u);
}

TEST(TcpAddress, InterfacesOfOneKindAreAllRailsAlsoWithoutADevice) {
  const auto rails =
      choose_rails({score("rail0", "10.0.0.1:0", false), score("rail1", "10.0.1.1:0", false),
                    score("lo", "127.0.0.1:0", false)},
                   false);
  ASSERT_TRUE(rails);
  ASSERT_EQ(rails->size(), 2u);
  EXPECT_EQ((*rails)[1].addresses[0], address("10.0.1.1:0"));
}

TEST(TcpAddress, WithoutADeviceTheBestThatIsLeft) {
  const auto rails =
      choose_rails({score("veth0", "10.0.0.1:0", false), score("lo", "127.0.0.1:0", false)}, false);
  ASSERT_TRUE(rails);
  ASSERT_EQ(rails->size(), 1u);
  EXPECT_EQ((*rails)[0].addresses[0], address("10.0.0.1:0"));
}

TEST(TcpAddress, WhatIsWantedByNameIsTaken) {
  const auto rails =
      choose_rails({score("veth0", "10.0.0.1:0", false), score("eth0", "10.0.1.1:0", true)}, true);
  ASSERT_TRUE(rails);
  EXPECT_EQ(rails->size(), 2u);
  EXPECT_FALSE(choose_rails({score("eth0", "10.0.1.1:0", true, false)}, true));
}

TEST(TcpAddress, PathsTakeTurnsOverTheRails) {
  const std::vector<TcpRail> ours{{{address("10.0.0.1:0")}}, {{address("10.0.1.1:0")}}};
  const std::vector<TcpRail> theirs{{{address("10.0.0.2:5")}}, {{address("10.0.1.2:5")}}};
  for (int path = 0; path < 4; ++path) {
    const auto routes = routes_of_path(ours, theirs, path);
    ASSERT_EQ(routes.size(), 3u);
    const auto rail = static_cast<size_t>(path % 2);
    EXPECT_EQ(routes[0].target, theirs[rail].addresses[0]);
    EXPECT_EQ(routes[0].source, ours[rail].addresses[0]);
    // Then whatever else may work.
    EXPECT_EQ(routes[1].target, theirs[rail].addresses[0]);
    EXPECT_FALSE(routes[1].source);
    EXPECT_EQ(routes[2].target, theirs[1 - rail].addresses[0]);
  }
}

TEST(TcpAddress, ALostRailIsTriedLast) {
  const std::vector<TcpRail> ours{
      {{address("10.0.0.1:0")}}, {{address("10.0.1.1:0")}}, {{address("10.0.2.1:0")}}};
  const std::vector<TcpRail> theirs{
      {{address("10.0.0.2:5")}}, {{address("10.0.1.2:5")}}, {{address("10.0.2.2:5")}}};
  const auto routes = routes_around(ours, theirs, 1);
  ASSERT_EQ(routes.size(), 3u);
  const std::array<size_t, 3> order{2, 0, 1};
  for (size_t i = 0; i < order.size(); ++i) {
    EXPECT_EQ(routes[i].source, ours[order[i]].addresses[0]);
    EXPECT_EQ(routes[i].target, theirs[order[i]].addresses[0]);
  }
}

TEST(TcpAddress, ARouteStaysInItsFamily) {
  const std::vector<TcpRail> ours{{{address("10.0.0.1:0")}}};
  const std::vector<TcpRail> theirs{{{address("[fd00::2]:5"), address("10.0.0.2:5")}}};
  const auto routes = routes_of_path(ours, theirs, 0);
  ASSERT_EQ(routes.size(), 3u);
  EXPECT_EQ(routes[0].target, address("10.0.0.2:5"));
}

}  // namespace
}  // namespace unirack
