#include "lib/net/interface.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace unirack {
namespace {

InterfaceInfo interface(std::string name, std::string_view ip, bool has_device, int speed) {
  const std::string text = ip.find(':') == std::string_view::npos ? std::string(ip) + ":0"
                                                                  : "[" + std::string(ip) + "]:0";
  return {
      std::move(name), SocketAddress::parse(text).value(), true, true, false, has_device, speed};
}

std::vector<InterfaceInfo> machine() {
  InterfaceInfo loopback = interface("lo", "127.0.0.1", false, 0);
  loopback.loopback = true;
  InterfaceInfo down = interface("eth2", "10.2.0.1", true, 400'000);
  down.up = down.running = false;
  InterfaceInfo no_carrier = interface("eth3", "10.3.0.1", true, 400'000);
  no_carrier.running = false;
  return {loopback,
          interface("docker0", "172.17.0.1", false, 10'000),
          interface("eth0", "10.0.0.1", true, 10'000),
          interface("eth0", "fe80::1", true, 10'000),
          interface("eth0", "2001:db8::1", true, 10'000),
          interface("eth1", "10.1.0.1", true, 100'000),
          down,
          no_carrier,
          interface("va", "10.4.0.1", false, 10'000),
          interface("usb0", "169.254.3.4", true, 400'000)};
}

std::vector<std::string> order(std::span<const std::string> wanted) {
  std::vector<std::string> names;
  for (const InterfaceScore& score : score_interfaces(machine(), wanted)) {
    if (score.usable) names.push_back(score.interface.name);
  }
  return names;
}

std::string reason(std::string_view name, std::span<const std::string> wanted = {}) {
  for (const InterfaceScore& score : score_interfaces(machine(), wanted)) {
    if (score.interface.name == name) return score.reason;
  }
  return "missing";
}

using Names = std::vector<std::string>;

TEST(Interface, RealAndFastComeFirstLoopbackLast) {
  EXPECT_EQ(order({}), (Names{"eth1", "eth0", "eth0", "va", "docker0", "usb0", "lo"}));
}

TEST(Interface, Ipv4BeforeIpv6OfTheSame) {
  const auto scores = score_interfaces(machine(), {});
  EXPECT_EQ(scores[1].interface.address.family, SocketAddress::Family::ipv4);
  EXPECT_EQ(scores[2].interface.address.family, SocketAddress::Family::ipv6);
}

TEST(Interface, WishesDecide) {
  EXPECT_EQ(order(Names{"docker", "eth0"}), (Names{"docker0", "eth0", "eth0"}));
  EXPECT_EQ(order(Names{"^eth", "^docker"}), (Names{"va", "usb0", "lo"}));
  EXPECT_EQ(order(Names{"eth", "^eth1"}), (Names{"eth0", "eth0"}));
  EXPECT_EQ(order(Names{"lo"}), (Names{"lo"}));
  EXPECT_EQ(order(Names{"nonesuch"}), Names{});
}

TEST(Interface, EveryScoreHasAReason) {
  EXPECT_EQ(reason("eth1"), "device, 100000 Mbit/s");
  EXPECT_EQ(reason("lo"), "loopback, the last resort, speed unknown");
  EXPECT_EQ(reason("eth2"), "down");
  EXPECT_EQ(reason("eth3"), "no carrier");
  EXPECT_EQ(reason("eth1", Names{"^eth"}), "excluded by ^eth");
  EXPECT_EQ(reason("lo", Names{"eth0"}), "not among the wanted interfaces");
  EXPECT_EQ(reason("va", Names{"v"}), "wanted by 'v', no device behind it, 10000 Mbit/s");
}

TEST(Interface, ListFindsLoopback) {
  const auto interfaces = list_interfaces();
  ASSERT_TRUE(interfaces) << interfaces.error().to_string();
  EXPECT_TRUE(std::any_of(interfaces->begin(), interfaces->end(),
                          [](const InterfaceInfo& info) { return info.loopback; }));
}

}  // namespace
}  // namespace unirack
