#include "lib/net/address.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <net/if.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <memory>

#include "lib/base/unique_fd.h"

namespace unirack {
namespace {

constexpr size_t kHostBytesMax = 255;

struct HostPort {
  std::string host;
  uint16_t port = 0;
};

Error bad_address(std::string_view text) {
  return make_error(
      Code::invalid_argument,
      fmt::format("'{}' is no address, expected 1.2.3.4:port, [::1]:port or name:port",
                  text.substr(0, kHostBytesMax)));
}

Result<HostPort> split(std::string_view text) {
  const size_t colon = text.rfind(':');
  if (colon == std::string_view::npos || colon > kHostBytesMax) return bad_address(text);
  std::string_view host = text.substr(0, colon);
  const std::string_view digits = text.substr(colon + 1);
  const bool bracketed = host.starts_with('[') && host.ends_with(']');
  if (bracketed) host = host.substr(1, host.size() - 2);
  // An IPv6 address without brackets would lose its last group to the port.
  if (host.empty() || (!bracketed && host.find(':') != std::string_view::npos)) {
    return bad_address(text);
  }
  HostPort result{std::string(host), 0};
  const char* end = digits.data() + digits.size();
  const auto [stop, error] = std::from_chars(digits.data(), end, result.port);
  if (error != std::errc() || stop != end) return bad_address(text);
  return result;
}

bool parse_numeric(const HostPort& from, SocketAddress& address) {
  address = {};
  address.port = from.port;
  if (::inet_pton(AF_INET, from.host.c_str(), address.ip.data()) == 1) {
    address.family = SocketAddress::Family::ipv4;
    return true;
  }
  const size_t percent = from.host.find('%');
  if (::inet_pton(AF_INET6, from.host.substr(0, percent).c_str(), address.ip.data()) != 1) {
    return false;
  }
  address.family = SocketAddress::Family::ipv6;
  if (percent == std::string::npos) return true;
  address.scope_id = ::if_nametoindex(from.host.c_str() + percent + 1);
  return address.scope_id != 0;
}

// A look-up runs on a thread of its own, which shares nothing with the caller but one end of a
// socket pair: whoever gives up first just closes it. (getaddrinfo_a would do the same, but its
// threads are hidden from the thread sanitizer, which crashes on them.)
struct Lookup {
  std::string host;
  UniqueFd answer_to;
};

constexpr size_t kAnswerAddressesMax = 32;
constexpr size_t kAnswerAddressBytes = SocketAddress::kWireBytes + sizeof(uint32_t);

// The error of getaddrinfo, then the addresses, each with its link.
std::vector<std::byte> look_up(const std::string& host) {
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_ADDRCONFIG;
  addrinfo* list = nullptr;
  const int32_t error = ::getaddrinfo(host.c_str(), nullptr, &hints, &list);
  std::vector<std::byte> answer;
  Writer writer(answer);
  writer.put(error);
  size_t left = kAnswerAddressesMax;
  for (const addrinfo* at = list; at != nullptr && left > 0; at = at->ai_next) {
    const Result<SocketAddress> address = SocketAddress::from_sockaddr(at->ai_addr);
    if (!address) continue;
    address->encode(writer);
    writer.put(address->scope_id);
    --left;
  }
  if (list != nullptr) ::freeaddrinfo(list);
  return answer;
}

void* run_lookup(void* argument) {
  const std::unique_ptr<Lookup> lookup(static_cast<Lookup*>(argument));
  const std::vector<std::byte> answer = look_up(lookup->host);
  (void)!::send(lookup->answer_to.get(), answer.data(), answer.size(), MSG_NOSIGNAL);
  return nullptr;
}

// Returns where the answer will arrive, as one packet.
Result<UniqueFd> start_lookup(const std::string& host) {
  int ends[2] = {-1, -1};
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) {
    return make_error(Code::resource_exhausted, "cannot open a socket pair", kNoRank, errno);
  }
  UniqueFd mine(ends[0]);
  auto lookup = std::make_unique<Lookup>(Lookup{host, UniqueFd(ends[1])});
  pthread_attr_t detached{};
  (void)::pthread_attr_init(&detached);
  (void)::pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED);
  pthread_t thread{};
  const int error = ::pthread_create(&thread, &detached, run_lookup, lookup.get());
  (void)::pthread_attr_destroy(&detached);
  if (error != 0) {
    return make_error(Code::resource_exhausted, "cannot start a thread", kNoRank, error);
  }
  (void)lookup.release();  // the thread's now
  return mine;
}

// Rounded up, and short enough to look at the deadline now and then.
int poll_timeout_ms(Deadline deadline) {
  const Duration left =
      std::clamp<Duration>(deadline - now(), Duration::zero(), std::chrono::seconds(1));
  return static_cast<int>(std::chrono::ceil<milliseconds>(left).count());
}

Result<std::vector<SocketAddress>> parse_answer(const HostPort& of, BytesView answer) {
  Reader reader(answer);
  const auto error = UNIRACK_TRY(reader.take<int32_t>());
  if (error != 0) {
    return make_error(Code::unavailable,
                      fmt::format("cannot resolve '{}': {}", of.host, ::gai_strerror(error)));
  }
  std::vector<SocketAddress> addresses;
  while (reader.remaining() != 0) {
    SocketAddress address = UNIRACK_TRY(SocketAddress::decode(reader));
    address.scope_id = UNIRACK_TRY(reader.take<uint32_t>());
    addresses.push_back(address.with_port(of.port));
  }
  if (!addresses.empty()) return addresses;
  return make_error(Code::unavailable, "'" + of.host + "' has no IPv4 or IPv6 address");
}

}  // namespace

Result<SocketAddress> SocketAddress::parse(std::string_view text) {
  const HostPort parts = UNIRACK_TRY(split(text));
  SocketAddress address;
  if (!parse_numeric(parts, address)) return bad_address(text);
  return address;
}

Result<std::vector<SocketAddress>> SocketAddress::resolve(std::string_view text,
                                                          Deadline deadline) {
  const HostPort parts = UNIRACK_TRY(split(text));
  SocketAddress numeric;
  if (parse_numeric(parts, numeric)) return std::vector{numeric};

  const UniqueFd answer = UNIRACK_TRY(start_lookup(parts.host));
  std::array<std::byte, sizeof(int32_t) + kAnswerAddressesMax * kAnswerAddressBytes> buffer{};
  pollfd readable{answer.get(), POLLIN, 0};
  while (::poll(&readable, 1, poll_timeout_ms(deadline)) <= 0) {
    if (expired(deadline)) {
      return make_error(Code::timeout, "resolver did not answer for '" + parts.host + "'");
    }
  }
  const ssize_t length = ::recv(answer.get(), buffer.data(), buffer.size(), 0);
  return parse_answer(parts, BytesView(buffer).first(length > 0 ? static_cast<size_t>(length) : 0));
}

Result<SocketAddress> SocketAddress::from_sockaddr(const sockaddr* address) {
  SocketAddress result;
  if (address != nullptr && address->sa_family == AF_INET) {
    sockaddr_in in{};
    std::memcpy(&in, address, sizeof(in));
    result.family = Family::ipv4;
    result.port = ntohs(in.sin_port);
    std::memcpy(result.ip.data(), &in.sin_addr, 4);
    return result;
  }
  if (address != nullptr && address->sa_family == AF_INET6) {
    sockaddr_in6 in{};
    std::memcpy(&in, address, sizeof(in));
    result.family = Family::ipv6;
    result.port = ntohs(in.sin6_port);
    result.scope_id = in.sin6_scope_id;
    std::memcpy(result.ip.data(), &in.sin6_addr, 16);
    return result;
  }
  return make_error(Code::invalid_argument, "address is neither IPv4 nor IPv6");
}

socklen_t SocketAddress::to_sockaddr(sockaddr_storage& target) const {
  target = {};
  if (family == Family::ipv4) {
    sockaddr_in in{};
    in.sin_family = AF_INET;
    in.sin_port = htons(port);
    std::memcpy(&in.sin_addr, ip.data(), 4);
    std::memcpy(&target, &in, sizeof(in));
    return sizeof(in);
  }
  sockaddr_in6 in{};
  in.sin6_family = AF_INET6;
  in.sin6_port = htons(port);
  in.sin6_scope_id = scope_id;
  std::memcpy(&in.sin6_addr, ip.data(), 16);
  std::memcpy(&target, &in, sizeof(in));
  return sizeof(in);
}

void SocketAddress::encode(Writer& writer) const {
  writer.put(static_cast<uint8_t>(family));
  writer.put(uint8_t{0});
  writer.put(port);
  writer.put_bytes(ip);
}

Result<SocketAddress> SocketAddress::decode(Reader& reader) {
  SocketAddress address;
  const auto family = UNIRACK_TRY(reader.take<uint8_t>());
  const auto reserved = UNIRACK_TRY(reader.take<uint8_t>());
  address.port = UNIRACK_TRY(reader.take<uint16_t>());
  UNIRACK_TRY(reader.take_into(address.ip));
  address.family = static_cast<Family>(family);
  const size_t used = address.family == Family::ipv4 ? 4 : address.family == Family::ipv6 ? 16 : 0;
  const bool padded = std::all_of(address.ip.begin() + static_cast<ptrdiff_t>(used),
                                  address.ip.end(), [](std::byte b) { return b == std::byte{}; });
  // `none` is legal only as twenty zeros, an unused place in a list.
  if (reserved != 0 || !padded || (used == 0 && (family != 0 || address.port != 0))) {
    return make_error(Code::corrupted, "malformed socket address");
  }
  return address;
}

bool SocketAddress::is_loopback() const {
  if (family == Family::ipv4) return ip[0] == std::byte{127};
  return family == Family::ipv6 && ip[15] == std::byte{1} &&
         std::all_of(ip.begin(), ip.end() - 1, [](std::byte b) { return b == std::byte{}; });
}

bool SocketAddress::is_link_local() const {
  if (family == Family::ipv4) return ip[0] == std::byte{169} && ip[1] == std::byte{254};
  return family == Family::ipv6 && ip[0] == std::byte{0xfe} &&
         (ip[1] & std::byte{0xc0}) == std::byte{0x80};
}

bool SocketAddress::is_any() const {
  return std::all_of(ip.begin(), ip.end(), [](std::byte b) { return b == std::byte{}; });
}

SocketAddress SocketAddress::with_port(uint16_t other) const {
  SocketAddress copy = *this;
  copy.port = other;
  return copy;
}

std::string SocketAddress::to_string() const {
  std::array<char, INET6_ADDRSTRLEN> text{};
  if (family == Family::none) return "none";
  if (family == Family::ipv4) {
    (void)::inet_ntop(AF_INET, ip.data(), text.data(), text.size());
    return fmt::format("{}:{}", text.data(), port);
  }
  (void)::inet_ntop(AF_INET6, ip.data(), text.data(), text.size());
  std::array<char, IF_NAMESIZE> link{};
  if (scope_id == 0 || ::if_indextoname(scope_id, link.data()) == nullptr) {
    return fmt::format("[{}]:{}", text.data(), port);
  }
  return fmt::format("[{}%{}]:{}", text.data(), link.data(), port);
}

}  // namespace unirack
