#include "transports/endpoint_state.h"

#include <utility>

namespace unirack {

void EndpointState::set_ready() {
  phase_ = Phase::ready;
  completions_.push(connect_token_, ok_status());
}

void EndpointState::fail(Error reason) {
  if (is_over()) return;
  phase_ = Phase::over;
  reason_ = std::move(reason);
  completions_.push(connect_token_, *reason_);
}

void EndpointState::close() {
  if (is_over()) return;
  const bool was_connecting = is_connecting();
  phase_ = Phase::over;
  reason_ = make_error(Code::revoked, "the endpoint was closed");
  if (was_connecting) completions_.push(connect_token_, *reason_);
}

void EndpointState::note_refused(Error refusal) {
  if (!refusal_) refusal_ = std::move(refusal);
}

void EndpointState::complete(Token token) {
  if (token == kNoToken) return;
  if (is_over()) {
    completions_.push(token, *reason_);
  } else if (refusal_) {
    completions_.push(token, *std::exchange(refusal_, std::nullopt));
  } else {
    completions_.push(token, ok_status());
  }
}

size_t EndpointState::reject(std::span<const Copy> copies, Token token) {
  complete(token);
  return copies.size();
}

}  // namespace unirack
