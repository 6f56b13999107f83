#include "lib/control/doorkeeper.h"

#include <utility>

#include "lib/base/random.h"
#include "lib/control/handshake_io.h"

namespace unirack {

Status Doorkeeper::listen(std::span<const SocketAddress> places, PortRange ports) {
  Status status = make_error(Code::invalid_argument, "no address to listen at");
  for (const SocketAddress& place : places) {
    auto listener = Listener::open(place, ports);
    if (listener) {
      listeners_.push_back(std::move(*listener));
    } else {
      status = std::move(listener).error();
    }
  }
  return listeners_.empty() ? std::move(status) : ok_status();
}

Status Doorkeeper::open() {
  for (size_t i = 0; i < listeners_.size(); ++i) {
    UNIRACK_TRY(poller_.add(listeners_[i].fd(), Interest::read, kTokens + i));
  }
  return ok_status();
}

void Doorkeeper::close() {
  for (const Listener& listener : listeners_) poller_.remove(listener.fd());
  for (const auto& [token, pending] : pending_) poller_.remove(pending.fd.get());
  listeners_.clear();
  pending_.clear();
}

std::vector<SocketAddress> Doorkeeper::addresses() const {
  std::vector<SocketAddress> addresses;
  for (const Listener& listener : listeners_) addresses.push_back(listener.address());
  return addresses;
}

bool Doorkeeper::handle(const PollEvent& event, TimePoint now) {
  if (event.token < kTokens || event.token == Poller::kWakeToken) return false;
  const uint64_t index = event.token - kTokens;
  if (index < listeners_.size()) {
    accept_all(listeners_[index], now);
  } else {
    step(event.token);
  }
  return true;
}

void Doorkeeper::tick(TimePoint now) {
  while (!pending_.empty() && pending_.begin()->second.deadline <= now) {
    dismiss(oldest(), make_error(Code::timeout, "kept silent"));
  }
}

TimePoint Doorkeeper::next_tick() const {
  return pending_.empty() ? kNoDeadline : pending_.begin()->second.deadline;
}

std::vector<Doorkeeper::Visitor> Doorkeeper::take_visitors() {
  return std::exchange(visitors_, {});
}

std::vector<Doorkeeper::Refused> Doorkeeper::take_refused() { return std::exchange(refused_, {}); }

void Doorkeeper::accept_all(Listener& listener, TimePoint now) {
  // As many as may be pending at once, then the handshakes get a turn.
  for (size_t i = 0; i < kPendingMax; ++i) {
    auto accepted = listener.accept();
    if (!accepted || accepted->state == AcceptState::none) return;
    if (accepted->state == AcceptState::accepted) welcome(std::move(*accepted), now);
  }
}

void Doorkeeper::welcome(Accepted accepted, TimePoint now) {
  if (pending_.size() >= kPendingMax) {
    dismiss(oldest(), make_error(Code::resource_exhausted, "gave way to newer callers"));
  }
  Nonce nonce;
  const uint64_t token = next_token_++;
  if (!fill_random(nonce) || !set_no_delay(accepted.fd.get()) ||
      !poller_.add(accepted.fd.get(), Interest::read, token)) {
    return;  // the caller sees a closed connection and tries again
  }
  pending_.emplace(token, Pending{std::move(accepted.fd), accepted.peer,
                                  HandshakeServer(job_, rank_, nonce), 0, now + kPatience});
}

void Doorkeeper::step(uint64_t token) {
  const auto found = pending_.find(token);
  if (found == pending_.end()) return;
  Pending& pending = found->second;
  const auto state = move_handshake(pending.fd.get(), pending.handshake, pending.received);
  if (!state) return dismiss(token, state.error());
  if (*state == HandshakeState::running) return;
  if (*state == HandshakeState::failed) return dismiss(token, pending.handshake.error());
  poller_.remove(pending.fd.get());
  visitors_.push_back({std::move(pending.fd), pending.address, *pending.handshake.caller(),
                       pending.handshake.session()});
  pending_.erase(found);
}

void Doorkeeper::dismiss(uint64_t token, Error error) {
  const auto found = pending_.find(token);
  Pending& pending = found->second;
  poller_.remove(pending.fd.get());
  Refused refused{pending.address, std::move(error), std::nullopt};
  if (pending.handshake.caller() != nullptr) refused.member = *pending.handshake.caller();
  refused_.push_back(std::move(refused));
  pending_.erase(found);
}

}  // namespace unirack
