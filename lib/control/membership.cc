#include "lib/control/membership.h"

#include <utility>

namespace unirack {

Membership::Membership(Rank rank, int rank_count, Duration grace)
    : rank_(rank), grace_(grace), members_(static_cast<size_t>(rank_count)) {}

void Membership::left(Rank peer, uint64_t last_sequence) {
  Member& member = at(peer);
  if (member.presence != Presence::present) return;
  member.presence = Presence::left;
  member.last_sequence = last_sequence;
}

void Membership::lost(Rank peer) {
  Member& member = at(peer);
  if (member.presence == Presence::present) member.presence = Presence::lost;
}

void Membership::judged(Verdict verdict, TimePoint now) {
  if (!standing_) adopt(std::move(verdict), now);
}

void Membership::heard(Rank from, Verdict verdict, TimePoint now) {
  const Order order = order_of(verdict);
  at(from).echoed = order;
  if (settled_) return;
  if (!standing_ || order < order_of(*standing_)) adopt(std::move(verdict), now);
}

bool Membership::take_flood() { return std::exchange(flood_, false); }

bool Membership::settled(TimePoint now) {
  if (settled_ || !standing_) return settled_;
  settled_ = now >= settles_by_;
  if (settled_) return true;
  const Order order = order_of(*standing_);
  for (Rank peer = 0; peer < rank_count(); ++peer) {
    if (echo_expected(peer) && at(peer).echoed != order) return false;
  }
  settled_ = true;
  return true;
}

Membership::Order Membership::order_of(const Verdict& verdict) {
  // No culprit comes last: a name is worth more.
  const auto culprit = static_cast<uint32_t>(verdict.error.culprit);
  return {verdict.sequence, culprit, verdict.error.code};
}

void Membership::adopt(Verdict verdict, TimePoint now) {
  standing_ = std::move(verdict);
  flood_ = true;
  if (settles_by_ == kNoDeadline) settles_by_ = now + grace_;
}

bool Membership::echo_expected(Rank peer) const {
  if (peer == rank_ || at(peer).presence != Presence::present) return false;
  const Error& error = standing_->error;
  const bool culprit_is_mute = error.code == Code::timeout || error.code == Code::peer_failed;
  return !(culprit_is_mute && peer == error.culprit);
}

}  // namespace unirack
