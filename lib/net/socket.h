// Non-blocking TCP sockets: listen, accept, connect, options, and moving bytes. Descriptors are
// owned by UniqueFd; these functions borrow them as ints. Nothing here blocks or raises a signal,
// and any thread may call it, one at a time for each descriptor.
//
// A lost connection (reset, unreachable, timed out by the kernel) is Code::peer_failed; what is
// wrong with this machine is Code::system or Code::resource_exhausted.
#pragma once

#include <sys/uio.h>

#include <cstdint>
#include <span>

#include "lib/base/bytes.h"
#include "lib/base/clock.h"
#include "lib/base/config.h"
#include "lib/base/result.h"
#include "lib/base/unique_fd.h"
#include "lib/net/address.h"

namespace unirack {

enum class AcceptState : uint8_t {
  accepted,
  none,  // nobody is waiting
  shed,  // out of descriptors: somebody was waiting and has been turned away
};

struct Accepted {
  AcceptState state = AcceptState::none;
  UniqueFd fd;  // non-blocking, close-on-exec
  SocketAddress peer;
};

// Keeps one descriptor in reserve, so that a process that has run out can still turn callers away
// instead of leaving them in the queue (and the listener readable) for ever.
class Listener {
 public:
  // Port 0 takes the first free one of `ports`, or any if the range is 0-0.
  static Result<Listener> open(const SocketAddress& where, PortRange ports = {});

  Result<Accepted> accept();
  int fd() const { return fd_.get(); }
  const SocketAddress& address() const { return address_; }

 private:
  Result<Accepted> shed();

  UniqueFd fd_;
  UniqueFd reserve_;
  SocketAddress address_;
};

// Starts to connect; done when the descriptor is writable and finish_connect says so. `source`, if
// not null, chooses the local address.
Result<UniqueFd> start_connect(const SocketAddress& target, const SocketAddress* source = nullptr);
// True once connected, false while it still tries.
Result<bool> finish_connect(int fd);

// No delay for small frames. For every connection.
Status set_no_delay(int fd);
// SO_PRIORITY, 0 to 6: which queue of the interface, or class of its shaper, sends it.
Status set_priority(int fd, int priority);
// For bulk data that many connections carry together: away from BBR, where the host defaults to it,
// to what the system permits of cubic and reno. BBR all but stops a connection for 200 ms every ten
// seconds to measure its round trip (draft-ietf-ccwg-bbr, ProbeRTT), and a collective waits for the
// slowest of its connections. Does nothing where something else is set.
void leave_bbr(int fd);
// Lets the kernel notice a vanished host: keepalive when idle, TCP_USER_TIMEOUT when data waits for
// an acknowledgement. For control connections only: with bulk data in flight the latter executes a
// peer that is alive but slow to read.
Status set_liveness(int fd, Duration user_timeout);

Result<SocketAddress> local_address(int fd);
Result<SocketAddress> peer_address(int fd);

enum class IoState : uint8_t { moved, would_block, closed };

struct Transfer {
  IoState state = IoState::moved;
  size_t bytes = 0;  // more than 0 exactly when state is `moved` and something was asked for
};

Result<Transfer> read_some(int fd, Bytes target);
Result<Transfer> write_some(int fd, BytesView source);
// At most IOV_MAX parts are looked at.
Result<Transfer> read_some(int fd, std::span<const iovec> targets);
Result<Transfer> write_some(int fd, std::span<const iovec> sources);

}  // namespace unirack
