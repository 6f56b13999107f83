// An IPv4 or IPv6 address with a port: parsed from text, shown as text, carried on the wire in
// twenty bytes. A plain value. parse() takes numbers only and never blocks; resolve() also takes
// names, asks the system's resolver, and gives up at its deadline. Both may be called from any
// thread.
#pragma once

#include <sys/socket.h>

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "lib/base/bytes.h"
#include "lib/base/clock.h"
#include "lib/base/result.h"

namespace unirack {

struct SocketAddress {
  enum class Family : uint8_t { none = 0, ipv4 = 4, ipv6 = 6 };

  static constexpr size_t kWireBytes = 20;

  Family family = Family::none;
  uint16_t port = 0;
  std::array<std::byte, 16> ip{};  // network order; IPv4 uses the first four, the rest stay zero
  uint32_t scope_id = 0;           // link of an IPv6 link-local address; means nothing elsewhere

  // "1.2.3.4:5", "[::1]:5", "[fe80::1%eth0]:5".
  static Result<SocketAddress> parse(std::string_view text);
  // What parse() takes, and "name:port". Never empty; in the resolver's order of preference.
  static Result<std::vector<SocketAddress>> resolve(std::string_view text, Deadline deadline);
  static Result<SocketAddress> from_sockaddr(const sockaddr* address);
  // Fills `target`, returns the length to pass with it.
  socklen_t to_sockaddr(sockaddr_storage& target) const;

  // Family, port and ip; the link of a link-local address stays behind.
  void encode(Writer& writer) const;
  static Result<SocketAddress> decode(Reader& reader);

  bool is_loopback() const;
  bool is_link_local() const;
  bool is_any() const;
  SocketAddress with_port(uint16_t other) const;
  std::string to_string() const;

  bool operator==(const SocketAddress&) const = default;
};

}  // namespace unirack
