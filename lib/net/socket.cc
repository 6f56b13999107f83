#include "lib/net/socket.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <optional>
#include <string_view>

namespace unirack {
namespace {

constexpr int kBacklog = 1024;
constexpr int kAcceptTriesMax = 16;

Error socket_error(std::string what, int error) {
  switch (error) {
    case ECONNREFUSED:
    case ECONNRESET:
    case ECONNABORTED:
    case EPIPE:
    case ETIMEDOUT:
    case EHOSTUNREACH:
    case EHOSTDOWN:
    case ENETUNREACH:
    case ENETDOWN:
      return make_error(Code::peer_failed, std::move(what), kNoRank, error);
    case EMFILE:
    case ENFILE:
    case ENOBUFS:
    case ENOMEM:
      return make_error(Code::resource_exhausted, std::move(what), kNoRank, error);
    default:
      return make_error(Code::system, std::move(what), kNoRank, error);
  }
}

Status set_int(int fd, int level, int option, int value, const char* name) {
  if (::setsockopt(fd, level, option, &value, sizeof(value)) == 0) return ok_status();
  return socket_error(fmt::format("cannot set socket option {}", name), errno);
}

Result<UniqueFd> open_socket(const SocketAddress& for_address) {
  const int domain = for_address.family == SocketAddress::Family::ipv4 ? AF_INET : AF_INET6;
  UniqueFd fd(::socket(domain, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd) return socket_error("cannot open a socket", errno);
  return fd;
}

UniqueFd open_reserve() { return UniqueFd(::open("/dev/null", O_RDONLY | O_CLOEXEC)); }

// Nothing: somebody else has this port.
Result<std::optional<UniqueFd>> try_listen(const SocketAddress& where) {
  UniqueFd fd = UNIRACK_TRY(open_socket(where));
  UNIRACK_TRY(set_int(fd.get(), SOL_SOCKET, SO_REUSEADDR, 1, "SO_REUSEADDR"));
  if (where.family == SocketAddress::Family::ipv6) {
    UNIRACK_TRY(set_int(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, 1, "IPV6_V6ONLY"));
  }
  sockaddr_storage address{};
  const socklen_t length = where.to_sockaddr(address);
  if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), length) != 0 ||
      ::listen(fd.get(), kBacklog) != 0) {
    const int error = errno;
    if (error == EADDRINUSE) return std::optional<UniqueFd>();
    return socket_error(fmt::format("cannot listen on {}", where.to_string()), error);
  }
  return std::optional<UniqueFd>(std::move(fd));
}

using NameFunction = int(int, sockaddr*, socklen_t*);

Result<SocketAddress> ask_name(int fd, NameFunction* function) {
  sockaddr_storage address{};
  socklen_t length = sizeof(address);
  if (function(fd, reinterpret_cast<sockaddr*>(&address), &length) != 0) {
    return socket_error("socket has no such address", errno);
  }
  return SocketAddress::from_sockaddr(reinterpret_cast<const sockaddr*>(&address));
}

Result<Transfer> transferred(ssize_t moved, bool asked, bool reading) {
  if (moved > 0 || (moved == 0 && !(asked && reading))) {
    return Transfer{IoState::moved, static_cast<size_t>(moved)};
  }
  if (moved == 0) return Transfer{IoState::closed, 0};
  if (errno == EAGAIN || errno == EWOULDBLOCK) return Transfer{IoState::would_block, 0};
  return socket_error(reading ? "connection lost while reading" : "connection lost while writing",
                      errno);
}

msghdr message_of(std::span<const iovec> parts) {
  msghdr message{};
  message.msg_iov = const_cast<iovec*>(parts.data());  // the kernel only reads the array
  message.msg_iovlen = std::min<size_t>(parts.size(), IOV_MAX);
  return message;
}

bool any_bytes(std::span<const iovec> parts) {
  return std::any_of(parts.begin(), parts.end(), [](const iovec& p) { return p.iov_len > 0; });
}

}  // namespace

Result<Listener> Listener::open(const SocketAddress& where, PortRange ports) {
  const bool any_of_range = where.port == 0 && ports.first != 0;
  const unsigned first = any_of_range ? ports.first : where.port;
  const unsigned last = any_of_range ? ports.last : where.port;
  for (unsigned port = first; port <= last; ++port) {
    std::optional<UniqueFd> fd =
        UNIRACK_TRY(try_listen(where.with_port(static_cast<uint16_t>(port))));
    if (!fd) continue;
    Listener listener;
    listener.address_ = UNIRACK_TRY(local_address(fd->get()));
    listener.fd_ = std::move(*fd);
    listener.reserve_ = open_reserve();
    if (!listener.reserve_) return socket_error("cannot reserve a descriptor", errno);
    return listener;
  }
  return make_error(
      Code::unavailable,
      first == last
          ? fmt::format("{} is in use", where.with_port(static_cast<uint16_t>(first)).to_string())
          : fmt::format("ports {}-{} are all in use", first, last));
}

Result<Accepted> Listener::accept() {
  for (int tries = 0; tries < kAcceptTriesMax; ++tries) {
    sockaddr_storage address{};
    socklen_t length = sizeof(address);
    UniqueFd fd(::accept4(fd_.get(), reinterpret_cast<sockaddr*>(&address), &length,
                          SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (fd) {
      Accepted accepted{AcceptState::accepted, std::move(fd), {}};
      accepted.peer =
          UNIRACK_TRY(SocketAddress::from_sockaddr(reinterpret_cast<const sockaddr*>(&address)));
      return accepted;
    }
    switch (errno) {
      case EAGAIN:
        return Accepted{};
      case EMFILE:
      case ENFILE:
        return shed();
      // The caller is gone already, or its network is: the next one may be there.
      case EINTR:
      case ECONNABORTED:
      case EPROTO:
      case ENETDOWN:
      case ENOPROTOOPT:
      case EHOSTDOWN:
      case EHOSTUNREACH:
      case EOPNOTSUPP:
      case ENETUNREACH:
        continue;
      default:
        return socket_error("cannot accept connections", errno);
    }
  }
  return Accepted{};  // a storm: give the caller's loop a turn
}

Result<Accepted> Listener::shed() {
  reserve_.reset();
  UniqueFd victim(::accept4(fd_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
  const int error = victim ? 0 : errno;
  victim.reset();
  reserve_ = open_reserve();
  if (error == 0) return Accepted{AcceptState::shed, {}, {}};
  if (error == EAGAIN) return Accepted{};
  return socket_error("out of descriptors, and the reserve was taken by another thread", error);
}

Result<UniqueFd> start_connect(const SocketAddress& target, const SocketAddress* source) {
  UniqueFd fd = UNIRACK_TRY(open_socket(target));
  sockaddr_storage address{};
  if (source != nullptr) {
    const socklen_t length = source->to_sockaddr(address);
    if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), length) != 0) {
      const int error = errno;
      return socket_error(fmt::format("cannot connect from {}", source->to_string()), error);
    }
  }
  const socklen_t length = target.to_sockaddr(address);
  if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), length) != 0 &&
      errno != EINPROGRESS && errno != EINTR) {
    const int error = errno;
    return socket_error(fmt::format("cannot connect to {}", target.to_string()), error);
  }
  return fd;
}

Result<bool> finish_connect(int fd) {
  pollfd state{fd, POLLOUT, 0};
  if (::poll(&state, 1, 0) <= 0) return false;
  int error = 0;
  socklen_t length = sizeof(error);
  if (::getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length) != 0) error = errno;
  if (error != 0) return socket_error("connection refused or lost", error);
  // A connection to a free local port can meet itself: TCP allows it, we do not.
  const SocketAddress peer = UNIRACK_TRY(peer_address(fd));
  const SocketAddress self = UNIRACK_TRY(local_address(fd));
  if (peer == self) return socket_error("nobody listens, the socket met itself", ECONNREFUSED);
  return true;
}

Status set_no_delay(int fd) { return set_int(fd, IPPROTO_TCP, TCP_NODELAY, 1, "TCP_NODELAY"); }

Status set_priority(int fd, int priority) {
  return set_int(fd, SOL_SOCKET, SO_PRIORITY, priority, "SO_PRIORITY");
}

void leave_bbr(int fd) {
  char name[16] = {};
  socklen_t length = sizeof(name) - 1;
  if (::getsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, name, &length) != 0) return;
  if (!std::string_view(name).starts_with("bbr")) return;
  for (const std::string_view other : {"cubic", "reno"}) {
    const auto size = static_cast<socklen_t>(other.size());
    if (::setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, other.data(), size) == 0) return;
  }
}

Status set_liveness(int fd, Duration user_timeout) {
  const auto timeout_ms = static_cast<int>(std::clamp<int64_t>(to_ms(user_timeout), 1, INT_MAX));
  const int probe_s = std::max(1, timeout_ms / 2000);
  UNIRACK_TRY(set_int(fd, SOL_SOCKET, SO_KEEPALIVE, 1, "SO_KEEPALIVE"));
  UNIRACK_TRY(set_int(fd, IPPROTO_TCP, TCP_KEEPIDLE, probe_s, "TCP_KEEPIDLE"));
  UNIRACK_TRY(set_int(fd, IPPROTO_TCP, TCP_KEEPINTVL, probe_s, "TCP_KEEPINTVL"));
  UNIRACK_TRY(set_int(fd, IPPROTO_TCP, TCP_KEEPCNT, 2, "TCP_KEEPCNT"));
  return set_int(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, timeout_ms, "TCP_USER_TIMEOUT");
}

Result<SocketAddress> local_address(int fd) { return ask_name(fd, ::getsockname); }
Result<SocketAddress> peer_address(int fd) { return ask_name(fd, ::getpeername); }

Result<Transfer> read_some(int fd, Bytes target) {
  ssize_t moved = 0;
  do {
    moved = ::recv(fd, target.data(), target.size(), MSG_DONTWAIT);
  } while (moved < 0 && errno == EINTR);
  return transferred(moved, !target.empty(), true);
}

Result<Transfer> write_some(int fd, BytesView source) {
  ssize_t moved = 0;
  do {
    moved = ::send(fd, source.data(), source.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
  } while (moved < 0 && errno == EINTR);
  return transferred(moved, !source.empty(), false);
}

Result<Transfer> read_some(int fd, std::span<const iovec> targets) {
  msghdr message = message_of(targets);
  ssize_t moved = 0;
  do {
    moved = ::recvmsg(fd, &message, MSG_DONTWAIT);
  } while (moved < 0 && errno == EINTR);
  return transferred(moved, any_bytes(targets), true);
}

Result<Transfer> write_some(int fd, std::span<const iovec> sources) {
  const msghdr message = message_of(sources);
  ssize_t moved = 0;
  do {
    moved = ::sendmsg(fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
  } while (moved < 0 && errno == EINTR);
  return transferred(moved, any_bytes(sources), false);
}

}  // namespace unirack
