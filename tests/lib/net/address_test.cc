#include "lib/net/address.h"

#include <gtest/gtest.h>
#include <unistd.h>

namespace unirack {
namespace {

SocketAddress address(std::string_view text) { return SocketAddress::parse(text).value(); }

TEST(SocketAddress, TextRoundTrips) {
  for (const char* text : {"1.2.3.4:5", "0.0.0.0:0", "255.255.255.255:65535", "[::1]:80",
                           "[2001:db8::ff00:42:8329]:29500", "[::]:0"}) {
    EXPECT_EQ(address(text).to_string(), text);
  }
}

TEST(SocketAddress, NonsenseIsRefused) {
  for (const char* text : {"", ":", "1.2.3.4", "1.2.3.4:", ":5", "1.2.3:5", "1.2.3.4:65536",
                           "1.2.3.4:-1", "1.2.3.4:5x", "::1:5", "[::1]", "[::1:5", "[]:5",
                           "[::1%nonesuch0]:5", "name:5", "1.2.3.4:+5", " 1.2.3.4:5"}) {
    EXPECT_EQ(SocketAddress::parse(text).code(), Code::invalid_argument) << text;
  }
  std::string endless(10'000, 'a');
  endless += ":5";
  EXPECT_EQ(SocketAddress::parse(endless).code(), Code::invalid_argument);
}

TEST(SocketAddress, GoldenWireBytes) {
  std::vector<std::byte> wire;
  Writer writer(wire);
  address("1.2.3.4:258").encode(writer);
  const std::array<uint8_t, 20> expected = {4, 0, 2, 1, 1, 2, 3, 4};
  ASSERT_EQ(wire.size(), SocketAddress::kWireBytes);
  EXPECT_EQ(std::memcmp(wire.data(), expected.data(), wire.size()), 0);
}

TEST(SocketAddress, WireRoundTrips) {
  for (const SocketAddress& original :
       {address("9.8.7.6:29500"), address("[2001:db8::1]:1"), SocketAddress{}}) {
    std::array<std::byte, SocketAddress::kWireBytes> wire{};
    Writer writer{Bytes(wire)};
    original.encode(writer);
    ASSERT_TRUE(writer.finish());
    Reader reader(wire);
    EXPECT_EQ(SocketAddress::decode(reader).value(), original);
    EXPECT_TRUE(reader.expect_end());
  }
}

TEST(SocketAddress, MalformedWireIsRefused) {
  std::array<std::byte, SocketAddress::kWireBytes> wire{};
  const auto code = [&] {
    Reader reader(wire);
    return SocketAddress::decode(reader).code();
  };
  EXPECT_EQ(code(), Code::ok);
  wire[0] = std::byte{5};
  EXPECT_EQ(code(), Code::corrupted) << "unknown family";
  wire[0] = std::byte{4};
  wire[19] = std::byte{1};
  EXPECT_EQ(code(), Code::corrupted) << "bytes after an IPv4 address";
  wire = {};
  wire[2] = std::byte{1};
  EXPECT_EQ(code(), Code::corrupted) << "a port without an address";
  Reader truncated(BytesView(wire).first(19));
  EXPECT_EQ(SocketAddress::decode(truncated).code(), Code::corrupted);
}

TEST(SocketAddress, KindsAreTold) {
  EXPECT_TRUE(address("127.0.0.9:1").is_loopback());
  EXPECT_TRUE(address("[::1]:1").is_loopback());
  EXPECT_FALSE(address("[::2]:1").is_loopback());
  EXPECT_TRUE(address("169.254.1.1:1").is_link_local());
  EXPECT_TRUE(address("[fe80::1]:1").is_link_local());
  EXPECT_TRUE(address("[::]:1").is_any());
  EXPECT_FALSE(address("10.0.0.1:1").is_any());
}

TEST(SocketAddress, SockaddrRoundTrips) {
  for (const char* text : {"1.2.3.4:5", "[2001:db8::1]:7"}) {
    sockaddr_storage storage{};
    (void)address(text).to_sockaddr(storage);
    EXPECT_EQ(SocketAddress::from_sockaddr(reinterpret_cast<const sockaddr*>(&storage)).value(),
              address(text));
  }
  EXPECT_EQ(SocketAddress::from_sockaddr(nullptr).code(), Code::invalid_argument);
}

TEST(SocketAddressThreaded, ResolveTakesNumbersAndNames) {
  const Deadline deadline = deadline_in(std::chrono::seconds(20));
  EXPECT_EQ(SocketAddress::resolve("1.2.3.4:5", deadline).value(),
            std::vector{address("1.2.3.4:5")});
  if (::access("/etc/hosts", R_OK) != 0) GTEST_SKIP() << "no /etc/hosts here, so no localhost";
  const auto local = SocketAddress::resolve("localhost:77", deadline);
  ASSERT_TRUE(local) << local.error().to_string();
  for (const SocketAddress& found : *local) {
    EXPECT_TRUE(found.is_loopback());
    EXPECT_EQ(found.port, 77);
  }
}

// Whether a resolver is there, quick, slow or silent: an error, and in time.
TEST(SocketAddressThreaded, ResolveKeepsItsDeadline) {
  for (const Deadline deadline : {deadline_in(std::chrono::seconds(5)), now()}) {
    const auto result = SocketAddress::resolve("no-such-host.invalid:1", deadline);
    EXPECT_TRUE(result.code() == Code::unavailable || result.code() == Code::timeout);
    EXPECT_LT(now(), deadline + std::chrono::seconds(5));
  }
}

}  // namespace
}  // namespace unirack
