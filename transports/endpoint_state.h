// The life of an endpoint as its owner sees it: connecting, ready, broken or closed, and which
// tokens must still complete with what. Every transport's endpoints use it, so that they all fail
// alike. Used by the thread that owns the transport.
#pragma once

#include <optional>
#include <span>

#include "transports/completion_queue.h"

namespace unirack {

class EndpointState {
 public:
  EndpointState(CompletionQueue& completions, Rank peer, Token connect_token)
      : completions_(completions), peer_(peer), connect_token_(connect_token) {}

  Rank peer() const { return peer_; }
  bool is_connecting() const { return phase_ == Phase::connecting; }
  bool is_ready() const { return phase_ == Phase::ready; }
  bool is_over() const { return phase_ == Phase::over; }
  // Why it is over.
  const Error& reason() const { return *reason_; }

  void set_ready();
  // The first reason stands. The connect token completes with it, even if it has completed before;
  // the caller then ends its own operations through complete().
  void fail(Error reason);
  // In order: the connect token completes only if it never did.
  void close();

  // The next completion carries this, unless an earlier refusal waits.
  void note_refused(Error refusal);
  // With the reason if it is over, else with a waiting refusal, else ok.
  void complete(Token token);
  // What put and get answer once it is over: accepted, and failed.
  size_t reject(std::span<const Copy> copies, Token token);

 private:
  enum class Phase : uint8_t { connecting, ready, over };

  CompletionQueue& completions_;
  Rank peer_;
  Token connect_token_;
  Phase phase_ = Phase::connecting;
  std::optional<Error> reason_;
  std::optional<Error> refusal_;
};

}  // namespace unirack
