// Connections before they carry data: the dialling side, which tries route after route until the
// peer answers and both have proved to hold the job key, and the answering side, where a stranger
// gets two seconds and nothing else.
//
// Owned by the transport; each watches its own socket through the transport's poller.
#pragma once

#include <vector>

#include "lib/net/handshake.h"
#include "lib/net/poller.h"
#include "lib/net/socket.h"
#include "transports/tcp/tcp_address.h"

namespace unirack {

class TcpDialer {
 public:
  enum class State : uint8_t { trying, done, failed };
  struct Patience {
    milliseconds attempt{3500};  // long enough for a lost SYN or two
    size_t rounds = 8;           // over all routes: a busy peer may shed us among strangers
  };

  TcpDialer(Poller& poller, uint64_t token, const JobCredentials& job, const Hello& hello,
            Rank peer, std::vector<TcpRoute> routes)
      : TcpDialer(poller, token, job, hello, peer, std::move(routes), Patience()) {}
  TcpDialer(Poller& poller, uint64_t token, const JobCredentials& job, const Hello& hello,
            Rank peer, std::vector<TcpRoute> routes, Patience patience);
  ~TcpDialer();
  TcpDialer(const TcpDialer&) = delete;
  TcpDialer& operator=(const TcpDialer&) = delete;

  // When its socket has something to tell, and now and then.
  State step(TimePoint at);
  const Error& error() const { return error_; }
  // Once done; no longer watched.
  UniqueFd take() { return std::move(fd_); }
  // The address of ours that the attempt is bound to.
  const std::optional<SocketAddress>& source() const {
    return routes_[attempt_ % routes_.size()].source;
  }

 private:
  enum class Stage : uint8_t { waiting, connecting, proving };

  Status start(TimePoint at);
  Status advance();
  Status prove();
  void drop();
  // This attempt has failed; the next comes later, or never.
  State retry(Error error, TimePoint at);

  Poller& poller_;
  uint64_t token_;
  const JobCredentials& job_;
  Hello hello_;
  Rank peer_;
  std::vector<TcpRoute> routes_;
  Patience patience_;
  size_t attempt_ = 0;
  Stage stage_ = Stage::waiting;
  TimePoint next_at_{};  // waiting: the next attempt; else: the end of this one
  UniqueFd fd_;
  std::optional<HandshakeClient> client_;
  Error error_;
};

class TcpCaller {
 public:
  TcpCaller(Poller& poller, UniqueFd fd, const JobCredentials& job, Rank rank, const Nonce& nonce,
            Deadline deadline)
      : poller_(poller), fd_(std::move(fd)), server_(job, rank, nonce), deadline_(deadline) {}
  ~TcpCaller();
  TcpCaller(const TcpCaller&) = delete;
  TcpCaller& operator=(const TcpCaller&) = delete;

  // Running until the caller has proved who he is, or has failed or let his time pass.
  HandshakeState step(TimePoint at);
  const Hello& hello() const { return *server_.caller(); }
  UniqueFd take();

 private:
  Poller& poller_;
  UniqueFd fd_;
  HandshakeServer server_;
  Deadline deadline_;
};

}  // namespace unirack
