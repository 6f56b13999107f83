// The unix socket between two processes of a link: it proves who is there, carries file descriptors
// and small messages, and breaks when the other process dies. Its name is abstract, so nothing is
// left in any file system. Packets (SOCK_SEQPACKET) keep messages and their descriptors together.
//
// Non-blocking; owned by one link and used by the thread that owns the transport.
#pragma once

#include <sys/types.h>

#include <array>
#include <cstdint>
#include <deque>
#include <string>

#include "lib/base/bytes.h"
#include "lib/base/result.h"
#include "lib/base/unique_fd.h"

namespace unirack {

inline constexpr size_t kShmDescriptorsMax = 2;

struct ShmPacket {
  std::array<std::byte, 160> bytes;
  size_t size = 0;
  std::array<UniqueFd, kShmDescriptorsMax> fds;

  BytesView view() const { return BytesView(bytes).first(size); }
};

class ShmChannel {
 public:
  explicit ShmChannel(UniqueFd fd) : fd_(std::move(fd)) {}

  // `unavailable` while the peer's queue of callers is full: try again.
  static Result<ShmChannel> dial(const std::string& socket_name);

  int fd() const { return fd_.get(); }
  // Of the process at the other end, as the kernel knows it.
  Result<pid_t> peer_pid() const;
  // An error unless the other end belongs to our user.
  Status check_peer_user() const;

  // Sends what waits before it, then this, or keeps it for flush(). Duplicates the descriptors.
  Status send(BytesView bytes, int fd_a = -1, int fd_b = -1);
  Status flush();
  bool has_backlog() const { return !backlog_.empty(); }
  // False when nothing is there. An error when the peer has closed or died.
  Result<bool> receive(ShmPacket& packet);

 private:
  // False when the socket is full.
  Result<bool> send_now(const ShmPacket& packet);

  UniqueFd fd_;
  std::deque<ShmPacket> backlog_;
};

// The listening end.
class ShmListener {
 public:
  static Result<ShmListener> open(const std::string& socket_name);
  int fd() const { return fd_.get(); }
  // An invalid descriptor when nobody waits.
  UniqueFd accept();

 private:
  explicit ShmListener(UniqueFd fd) : fd_(std::move(fd)) {}
  UniqueFd fd_;
};

}  // namespace unirack
