// Lets members of the job in and keeps everybody else out: listens, accepts, and runs the server
// side of the handshake with many callers at once. Strangers cost at most kPendingMax descriptors
// for kPatience each, the oldest giving way; nothing is allocated for what they say.
//
// Lives in its owner's poller and thread: the owner passes every event to handle() and calls
// tick().
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "lib/net/handshake.h"
#include "lib/net/poller.h"
#include "lib/net/socket.h"

namespace unirack {

class Doorkeeper {
 public:
  static constexpr size_t kPendingMax = 64;
  static constexpr Duration kPatience = std::chrono::seconds(2);
  // Tokens from here up to Poller::kWakeToken belong to the doorkeeper.
  static constexpr uint64_t kTokens = uint64_t{1} << 62;

  struct Visitor {
    UniqueFd fd;
    SocketAddress address;
    Hello hello;
    Session session;
  };
  struct Refused {
    SocketAddress address;
    Error error;
    std::optional<Hello> member;  // a member of the job after all, of another version
  };

  // `rank` answers; kNoRank for a rendezvous. `job` and `poller` are borrowed.
  Doorkeeper(const JobCredentials& job, Rank rank, Poller& poller)
      : job_(job), rank_(rank), poller_(poller) {}
  ~Doorkeeper() { close(); }
  Doorkeeper(const Doorkeeper&) = delete;
  Doorkeeper& operator=(const Doorkeeper&) = delete;

  // At each place that this machine has and that is free; an error if there is none.
  Status listen(std::span<const SocketAddress> places, PortRange ports = {});
  // Callers wait in the kernel's queue until this is called.
  Status open();
  // Turns everybody away from now on.
  void close();
  std::vector<SocketAddress> addresses() const;

  // False: the event is not the doorkeeper's.
  bool handle(const PollEvent& event, TimePoint now);
  void tick(TimePoint now);
  TimePoint next_tick() const;

  std::vector<Visitor> take_visitors();
  std::vector<Refused> take_refused();

 private:
  struct Pending {
    UniqueFd fd;
    SocketAddress address;
    HandshakeServer handshake;
    size_t received;
    Deadline deadline;
  };

  void accept_all(Listener& listener, TimePoint now);
  void welcome(Accepted accepted, TimePoint now);
  void step(uint64_t token);
  void dismiss(uint64_t token, Error error);
  uint64_t oldest() const { return pending_.begin()->first; }

  const JobCredentials& job_;
  Rank rank_;
  Poller& poller_;
  std::vector<Listener> listeners_;      // token kTokens + index
  std::map<uint64_t, Pending> pending_;  // by token, which rises: the first is the oldest
  uint64_t next_token_ = kTokens + 1024;
  std::vector<Visitor> visitors_;
  std::vector<Refused> refused_;
};

}  // namespace unirack
