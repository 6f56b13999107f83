#include "transports/tcp/tcp_greeting.h"

#include <algorithm>
#include <array>

#include "lib/base/random.h"

namespace unirack {
namespace {

constexpr milliseconds kPauseMin{5};
constexpr milliseconds kPauseMax{500};

// False when the other end has closed. Never reads past one message, so that frames which follow
// the handshake stay in the socket.
template <class Machine>
Result<bool> pump(int fd, Machine& machine) {
  while (machine.state() == HandshakeState::running) {
    std::array<std::byte, kHandshakeBytes> buffer;
    const Transfer read = UNIRACK_TRY(read_some(fd, Bytes(buffer)));
    if (read.state == IoState::closed) return false;
    if (read.state == IoState::would_block) break;
    BytesView input = BytesView(buffer).first(read.bytes);
    machine.feed(input);
  }
  while (!machine.pending().empty()) {
    const Transfer written = UNIRACK_TRY(write_some(fd, machine.pending()));
    if (written.state != IoState::moved) break;
    machine.sent(written.bytes);
  }
  return true;
}

}  // namespace

TcpDialer::TcpDialer(Poller& poller, uint64_t token, const JobCredentials& job, const Hello& hello,
                     Rank peer, std::vector<TcpRoute> routes, Patience patience)
    : poller_(poller),
      token_(token),
      job_(job),
      hello_(hello),
      peer_(peer),
      routes_(std::move(routes)),
      patience_(patience) {}

TcpDialer::~TcpDialer() { drop(); }

void TcpDialer::drop() {
  if (fd_) poller_.remove(fd_.get());
  fd_.reset();
}

TcpDialer::State TcpDialer::step(TimePoint at) {
  if (stage_ == Stage::waiting) {
    if (at < next_at_) return State::trying;
    if (Status status = start(at); !status) return retry(std::move(status).error(), at);
  }
  if (Status status = advance(); !status) return retry(std::move(status).error(), at);
  if (client_ && client_->state() == HandshakeState::done) {
    poller_.remove(fd_.get());
    return State::done;
  }
  if (at >= next_at_) {
    return retry(
        make_error(Code::timeout,
                   "no answer from " + routes_[attempt_ % routes_.size()].target.to_string(),
                   peer_),
        at);
  }
  return State::trying;
}

Status TcpDialer::start(TimePoint at) {
  const TcpRoute& route = routes_[attempt_ % routes_.size()];
  client_.reset();
  stage_ = Stage::connecting;
  next_at_ = at + patience_.attempt;
  fd_ = UNIRACK_TRY(start_connect(route.target, route.source ? &*route.source : nullptr));
  return poller_.add(fd_.get(), Interest::write, token_);
}

Status TcpDialer::advance() {
  if (stage_ == Stage::connecting) {
    if (!UNIRACK_TRY(finish_connect(fd_.get()))) return ok_status();
    UNIRACK_TRY(set_no_delay(fd_.get()));
    UNIRACK_TRY(poller_.modify(fd_.get(), Interest::read, token_));
    Nonce nonce{};
    UNIRACK_TRY(fill_random(nonce));
    client_.emplace(job_, hello_, peer_, nonce);
    stage_ = Stage::proving;
  }
  return prove();
}

Status TcpDialer::prove() {
  const bool is_open = UNIRACK_TRY(pump(fd_.get(), *client_));
  if (client_->state() == HandshakeState::failed) return client_->error();
  if (!is_open && client_->state() == HandshakeState::running) {
    return make_error(Code::peer_failed, "the peer closed the connection in the handshake", peer_);
  }
  return ok_status();
}

TcpDialer::State TcpDialer::retry(Error error, TimePoint at) {
  drop();
  error_ = std::move(error);
  if (error_.culprit == kNoRank) error_.culprit = peer_;
  const bool is_final = error_.code == Code::unauthenticated ||
                        error_.code == Code::version_mismatch || error_.code == Code::mismatch;
  if (is_final || ++attempt_ == patience_.rounds * routes_.size()) return State::failed;
  stage_ = Stage::waiting;
  const auto doublings = std::min<size_t>(attempt_ / routes_.size(), 10);
  next_at_ = at + std::min<milliseconds>(kPauseMax, kPauseMin * (int64_t{1} << doublings));
  return State::trying;
}

TcpCaller::~TcpCaller() {
  if (fd_) poller_.remove(fd_.get());
}

HandshakeState TcpCaller::step(TimePoint at) {
  const auto is_open = pump(fd_.get(), server_);
  const HandshakeState state = server_.state();
  if (state != HandshakeState::running) return state;
  const bool is_over = !is_open || !*is_open || at >= deadline_;
  return is_over ? HandshakeState::failed : HandshakeState::running;
}

UniqueFd TcpCaller::take() {
  poller_.remove(fd_.get());
  return std::move(fd_);
}

}  // namespace unirack
