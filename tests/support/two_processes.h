// A test in two real processes: the parent is rank 0, a forked child rank 1, and a socket between
// them carries what a pool's control plane would. The child dies with its parent, ends by _exit and
// is reaped when this object dies.
#pragma once

#include <sys/types.h>

#include <functional>
#include <vector>

#include "lib/base/bytes.h"
#include "lib/base/unique_fd.h"

namespace unirack::testing {

// One end of the socket; each wait fails the test after a few seconds.
class Wire {
 public:
  explicit Wire(UniqueFd fd) : fd_(std::move(fd)) {}
  void send(BytesView message) const;
  std::vector<std::byte> receive() const;
  // Both ends call it.
  std::vector<std::byte> exchange(BytesView mine) const {
    send(mine);
    return receive();
  }

 private:
  UniqueFd fd_;
};

class TwoProcesses {
 public:
  // Runs `child` in a new process, before the parent has made anything that a fork would share.
  explicit TwoProcesses(const std::function<void(const Wire& wire)>& child);
  ~TwoProcesses();
  TwoProcesses(const TwoProcesses&) = delete;
  TwoProcesses& operator=(const TwoProcesses&) = delete;

  const Wire& wire() const { return wire_; }
  void kill_child();
  // Whether the child's part passed.
  bool join();

 private:
  pid_t child_ = -1;
  Wire wire_{UniqueFd()};
};

}  // namespace unirack::testing
