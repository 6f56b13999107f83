#include "transports/shm/shm_channel.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace unirack {
namespace {

constexpr int kListenBacklog = 1024;
constexpr size_t kBacklogMax = 65'536;  // registrations that a peer has not yet taken note of

union ControlBuffer {
  cmsghdr header;
  std::array<std::byte, CMSG_SPACE(sizeof(int) * kShmDescriptorsMax)> bytes;
};

socklen_t fill_name(sockaddr_un& address, const std::string& name) {
  address = {};
  address.sun_family = AF_UNIX;
  // sun_path[0] stays zero: an abstract name.
  const size_t length = std::min(name.size(), sizeof(address.sun_path) - 1);
  std::memcpy(address.sun_path + 1, name.data(), length);
  return static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + length);
}

Result<UniqueFd> open_socket() {
  UniqueFd fd(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (fd) return fd;
  const bool is_shortage = errno == EMFILE || errno == ENFILE || errno == ENOMEM;
  return make_error(is_shortage ? Code::resource_exhausted : Code::unavailable,
                    "no unix socket can be opened", kNoRank, errno);
}

Error lost(int error) {
  return make_error(Code::peer_failed, "the peer's process closed its socket or died", kNoRank,
                    error);
}

Result<ucred> credentials_of(int fd) {
  ucred credentials{};
  socklen_t length = sizeof(credentials);
  if (::getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &length) != 0) {
    return make_error(Code::system, "the peer's credentials cannot be read", kNoRank, errno);
  }
  return credentials;
}

// Takes ownership of every descriptor that came, also of those we did not expect.
void take_descriptors(msghdr& header, ShmPacket& packet) {
  size_t count = 0;
  for (cmsghdr* part = CMSG_FIRSTHDR(&header); part != nullptr; part = CMSG_NXTHDR(&header, part)) {
    if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS) continue;
    const size_t here = (part->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (size_t i = 0; i < here; ++i) {
      int fd = -1;
      std::memcpy(&fd, CMSG_DATA(part) + i * sizeof(int), sizeof(int));
      UniqueFd owned(fd);
      if (count < packet.fds.size()) packet.fds[count++] = std::move(owned);
    }
  }
}

}  // namespace

Result<ShmChannel> ShmChannel::dial(const std::string& socket_name) {
  UniqueFd fd = UNIRACK_TRY(open_socket());
  sockaddr_un address{};
  const socklen_t length = fill_name(address, socket_name);
  if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), length) == 0) {
    return ShmChannel(std::move(fd));
  }
  if (errno == EAGAIN) return make_error(Code::unavailable, "the peer's queue is full");
  return make_error(Code::peer_failed, "the peer's socket does not answer", kNoRank, errno);
}

Result<pid_t> ShmChannel::peer_pid() const { return UNIRACK_TRY(credentials_of(fd_.get())).pid; }

Status ShmChannel::check_peer_user() const {
  const ucred credentials = UNIRACK_TRY(credentials_of(fd_.get()));
  if (credentials.uid == ::geteuid()) return ok_status();
  return make_error(Code::unauthenticated, "the other end belongs to another user");
}

Status ShmChannel::send(BytesView bytes, int fd_a, int fd_b) {
  ShmPacket packet;
  packet.size = std::min(bytes.size(), packet.bytes.size());
  std::memcpy(packet.bytes.data(), bytes.data(), packet.size);
  size_t count = 0;
  for (const int fd : {fd_a, fd_b}) {
    if (fd < 0) continue;
    packet.fds[count].reset(::fcntl(fd, F_DUPFD_CLOEXEC, 0));
    if (!packet.fds[count++]) {
      return make_error(Code::resource_exhausted, "no descriptor left to share memory", kNoRank,
                        errno);
    }
  }
  UNIRACK_TRY(flush());
  if (backlog_.empty() && UNIRACK_TRY(send_now(packet))) return ok_status();
  if (backlog_.size() == kBacklogMax) {
    return make_error(Code::resource_exhausted, "the peer does not read its socket");
  }
  backlog_.push_back(std::move(packet));
  return ok_status();
}

Status ShmChannel::flush() {
  while (!backlog_.empty() && UNIRACK_TRY(send_now(backlog_.front()))) backlog_.pop_front();
  return ok_status();
}

Result<bool> ShmChannel::send_now(const ShmPacket& packet) {
  iovec part{const_cast<std::byte*>(packet.bytes.data()), packet.size};
  ControlBuffer control{};
  msghdr header{};
  header.msg_iov = &part;
  header.msg_iovlen = 1;
  size_t count = 0;
  while (count < packet.fds.size() && packet.fds[count]) ++count;
  if (count > 0) {
    header.msg_control = control.bytes.data();
    header.msg_controllen = CMSG_SPACE(sizeof(int) * count);
    cmsghdr* const rights = CMSG_FIRSTHDR(&header);
    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN(sizeof(int) * count);
    for (size_t i = 0; i < count; ++i) {
      const int fd = packet.fds[i].get();
      std::memcpy(CMSG_DATA(rights) + i * sizeof(int), &fd, sizeof(int));
    }
  }
  if (::sendmsg(fd_.get(), &header, MSG_NOSIGNAL | MSG_DONTWAIT) >= 0) return true;
  // ETOOMANYREFS: more descriptors in flight than we may have open; they drain as peers read.
  if (errno == EAGAIN || errno == EINTR || errno == ENOBUFS || errno == ETOOMANYREFS) return false;
  return lost(errno);
}

Result<bool> ShmChannel::receive(ShmPacket& packet) {
  for (UniqueFd& fd : packet.fds) fd.reset();
  iovec part{packet.bytes.data(), packet.bytes.size()};
  ControlBuffer control{};
  msghdr header{};
  header.msg_iov = &part;
  header.msg_iovlen = 1;
  header.msg_control = control.bytes.data();
  header.msg_controllen = control.bytes.size();
  const ssize_t received = ::recvmsg(fd_.get(), &header, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
  if (received < 0) {
    if (errno == EAGAIN || errno == EINTR) return false;
    return lost(errno);
  }
  take_descriptors(header, packet);
  if (received == 0) return lost(0);
  if ((header.msg_flags & MSG_CTRUNC) != 0) {
    return make_error(Code::resource_exhausted, "no descriptor left to receive shared memory");
  }
  packet.size = static_cast<size_t>(received);
  return true;
}

Result<ShmListener> ShmListener::open(const std::string& socket_name) {
  UniqueFd fd = UNIRACK_TRY(open_socket());
  sockaddr_un address{};
  const socklen_t length = fill_name(address, socket_name);
  if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), length) != 0 ||
      ::listen(fd.get(), kListenBacklog) != 0) {
    return make_error(Code::unavailable, "no unix socket can be bound", kNoRank, errno);
  }
  return ShmListener(std::move(fd));
}

UniqueFd ShmListener::accept() {
  return UniqueFd(::accept4(fd_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
}

}  // namespace unirack
