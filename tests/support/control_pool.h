// Ranks as threads that join a pool through real sockets on the loopback interface, and callers
// that are no ranks: who say too little, too much, or the wrong thing.
#pragma once

#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "lib/control/channel.h"
#include "lib/control/control_plane.h"
#include "lib/control/rendezvous.h"
#include "lib/net/handshake.h"

namespace unirack::testing {

// Loopback only, short deadlines.
Config loopback_config(milliseconds join_timeout = milliseconds(10'000));

using Plane = std::unique_ptr<ControlPlane>;

struct Joined {
  Result<Plane> plane = make_error(Code::internal, "did not run");
  Duration took{};
};

// Joins `ranks` of `rank_count` at once, each in a thread; `tweak` may change a request.
std::vector<Joined> join_threads(const UniqueId& id, const std::vector<Rank>& ranks, int rank_count,
                                 const Config& config,
                                 const std::function<void(JoinRequest&)>& tweak = {});

// All ranks of a healthy pool; fails the test if one does not join.
std::vector<Plane> join_all(const UniqueId& id, int rank_count, const Config& config,
                            const std::function<void(JoinRequest&)>& tweak = {});

// Calls `body` with each rank in a thread of its own.
void for_each_rank(int rank_count, const std::function<void(Rank)>& body);

// Waits until every plane has a verdict.
void await_verdicts(const std::vector<Plane>& planes, milliseconds patience = milliseconds(10'000));

// A TCP connection that has said nothing yet.
UniqueFd connect_to(const SocketAddress& address);
// Has the peer closed it within the time?
bool is_closed_within(const UniqueFd& fd, milliseconds patience);

// Dials as a member of the job would; the hello can say anything.
Result<Channel> dial(const SecretKey& key, const SocketAddress& address, const Hello& hello);

}  // namespace unirack::testing
