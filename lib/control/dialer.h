// Reaches one listener of the job: tries its addresses in turn, proves the key, and tries again
// until its deadline, since the other side may not be up yet. Pure waiting is left to the owner:
// poll fd() for interest(), call step() when it is ready or next_step() has come. One owner, one
// thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "lib/net/handshake.h"
#include "lib/net/poller.h"
#include "lib/net/socket.h"

namespace unirack {

class Dialer {
 public:
  struct Options {
    std::vector<SocketAddress> addresses;  // not empty
    Hello hello;
    Rank server = kNoRank;
    Deadline deadline = kNoDeadline;
    // How long "connection refused" at every address may mean "not up yet".
    Duration refused_patience = Duration::max();
  };
  enum class State : uint8_t { trying, connected, failed };

  // `job` and `poller` are borrowed.
  Dialer(const JobCredentials& job, Poller& poller, uint64_t token, Options options, TimePoint now);
  ~Dialer() { hang_up(); }
  Dialer(const Dialer&) = delete;
  Dialer& operator=(const Dialer&) = delete;

  State step(TimePoint now);
  State state() const { return state_; }
  TimePoint next_step() const { return state_ == State::trying ? wake_at_ : kNoDeadline; }

  // Once connected.
  UniqueFd take_fd();
  const Session& session() const { return handshake_->session(); }
  // Once failed: unauthenticated, version_mismatch and mismatch are the server's word; unavailable
  // is nobody there; timeout is the deadline, with the last reason.
  const Error& error() const { return error_; }

 private:
  State fail(Error error);
  State next_address(Error reason, TimePoint now);
  State end_of_round(TimePoint now);
  State advance(TimePoint now);
  Status dial(TimePoint now);
  void hang_up();
  std::string places() const;

  const JobCredentials& job_;
  Poller& poller_;
  uint64_t token_;
  Options options_;
  TimePoint started_;
  State state_ = State::trying;
  UniqueFd fd_;
  std::optional<HandshakeClient> handshake_;
  size_t received_ = 0;
  size_t address_ = 0;
  TimePoint wake_at_;
  Duration backoff_;
  std::optional<Error> verdict_;  // of this round: an answer, though not the one we want
  bool only_refused_ = true;      // in this round
  Error last_;
  Error error_;
};

}  // namespace unirack
