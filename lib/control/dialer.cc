#include "lib/control/dialer.h"

#include <algorithm>
#include <cerrno>

#include "lib/base/random.h"
#include "lib/control/handshake_io.h"

namespace unirack {
namespace {

constexpr Duration kAttempt = milliseconds(2000);
constexpr Duration kBackoffMin = milliseconds(10);
constexpr Duration kBackoffMax = milliseconds(200);

bool is_an_answer(Code code) {
  return code == Code::unauthenticated || code == Code::version_mismatch || code == Code::mismatch;
}

}  // namespace

Dialer::Dialer(const JobCredentials& job, Poller& poller, uint64_t token, Options options,
               TimePoint now)
    : job_(job),
      poller_(poller),
      token_(token),
      options_(std::move(options)),
      started_(now),
      wake_at_(now),
      backoff_(kBackoffMin) {}

Dialer::State Dialer::step(TimePoint now) {
  if (state_ != State::trying) return state_;
  if (!fd_ && now < wake_at_) return state_;
  const State state = fd_ ? advance(now) : State::trying;
  if (state != State::trying || fd_ || now < wake_at_) return state;
  Status dialled = dial(now);
  return dialled ? State::trying : next_address(std::move(dialled).error(), now);
}

Dialer::State Dialer::advance(TimePoint now) {
  if (!handshake_) {
    auto connected = finish_connect(fd_.get());
    if (!connected) return next_address(std::move(connected).error(), now);
    if (*connected) {
      Nonce nonce;
      Status ready = fill_random(nonce);
      if (ready) ready = set_no_delay(fd_.get());
      if (ready) ready = poller_.modify(fd_.get(), Interest::read, token_);
      if (!ready) return fail(std::move(ready).error());
      handshake_.emplace(job_, options_.hello, options_.server, nonce);
    }
  }
  if (handshake_) {
    auto moved = move_handshake(fd_.get(), *handshake_, received_);
    if (!moved) return next_address(std::move(moved).error(), now);
    if (*moved == HandshakeState::failed) return next_address(handshake_->error(), now);
    if (*moved == HandshakeState::done) return state_ = State::connected;
  }
  if (now < wake_at_) return State::trying;
  return next_address(make_error(Code::timeout, "no answer"), now);
}

Status Dialer::dial(TimePoint now) {
  handshake_.reset();
  received_ = 0;
  fd_ = UNIRACK_TRY(start_connect(options_.addresses[address_]));
  UNIRACK_TRY(poller_.add(fd_.get(), Interest::write, token_));
  wake_at_ = std::min(now + kAttempt, options_.deadline);
  return ok_status();
}

Dialer::State Dialer::next_address(Error reason, TimePoint now) {
  // Out of descriptors here: another address will not help.
  if (reason.code == Code::resource_exhausted) return fail(std::move(reason));
  if (is_an_answer(reason.code)) verdict_ = reason;
  if (reason.sys_errno != ECONNREFUSED) only_refused_ = false;
  last_ = std::move(reason);
  hang_up();
  wake_at_ = now;
  if (++address_ < options_.addresses.size()) {
    Status dialled = dial(now);
    return dialled ? State::trying : next_address(std::move(dialled).error(), now);
  }
  return end_of_round(now);
}

Dialer::State Dialer::end_of_round(TimePoint now) {
  if (verdict_) return fail(std::move(*verdict_));
  if (only_refused_ && now - started_ >= options_.refused_patience) {
    return fail(
        make_error(Code::unavailable, "nobody listens at " + places(), kNoRank, last_.sys_errno));
  }
  if (now >= options_.deadline) {
    return fail(make_error(Code::timeout,
                           "no answer from " + places() + " until the deadline: " + last_.detail,
                           kNoRank, last_.sys_errno));
  }
  address_ = 0;
  only_refused_ = true;
  wake_at_ = std::min(now + backoff_, options_.deadline);
  backoff_ = std::min(2 * backoff_, kBackoffMax);
  return State::trying;
}

Dialer::State Dialer::fail(Error error) {
  hang_up();
  error_ = std::move(error);
  return state_ = State::failed;
}

UniqueFd Dialer::take_fd() {
  poller_.remove(fd_.get());
  return std::move(fd_);
}

void Dialer::hang_up() {
  if (fd_) poller_.remove(fd_.get());
  fd_.reset();
}

std::string Dialer::places() const {
  std::string text;
  for (const SocketAddress& address : options_.addresses) {
    text += (text.empty() ? "" : ", ") + address.to_string();
  }
  return text;
}

}  // namespace unirack
