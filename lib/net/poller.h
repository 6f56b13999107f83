// Waits for many descriptors at once (epoll) and can be woken from another thread (eventfd).
//
// One thread owns a Poller and calls everything but wake(), which any thread may call. Descriptors
// stay owned by the caller, who removes them before closing. Level-triggered: what is not dealt
// with is reported again. A wake-up is never lost: one that comes before wait() makes it return at
// once.
#pragma once

#include <cstdint>
#include <span>

#include "lib/base/clock.h"
#include "lib/base/result.h"
#include "lib/base/unique_fd.h"

namespace unirack {

enum class Interest : uint8_t { none = 0, read = 1, write = 2, read_write = 3 };

struct PollEvent {
  uint64_t token = 0;
  bool readable = false;
  bool writable = false;
  bool hung_up = false;  // error or both directions closed; reading tells which
};

class Poller {
 public:
  static Result<Poller> create();

  // The token comes back in events; kWakeToken is taken.
  Status add(int fd, Interest interest, uint64_t token);
  Status modify(int fd, Interest interest, uint64_t token);
  void remove(int fd);

  // Returns how many events were written: 0 after a wake-up or when the deadline has passed.
  Result<size_t> wait(std::span<PollEvent> events, Deadline deadline);
  void wake() const;

  // Readable when wait() would return at once; to wait for several pollers.
  int fd() const { return epoll_.get(); }

  static constexpr uint64_t kWakeToken = ~uint64_t{0};

 private:
  UniqueFd epoll_;
  UniqueFd wake_;
};

}  // namespace unirack
