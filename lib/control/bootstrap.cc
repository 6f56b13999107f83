#include "lib/control/bootstrap.h"

#include <algorithm>
#include <utility>

#include "lib/control/rank_list.h"

namespace unirack {
namespace {

constexpr size_t kStrangersNamed = 8;

std::string expects(Rank rank, int rank_count) {
  return "rank " + std::to_string(rank) + " expects " + std::to_string(rank_count) + " ranks";
}

}  // namespace

void Bootstrap::arrived(Client client, Arrival arrival, TimePoint now) {
  const Rank rank = arrival.rank;
  if (phase_ == Phase::complete) return;
  if (phase_ == Phase::failed) {
    if (rank_count_ == 0) rank_count_ = arrival.rank_count;
    return refuse(client, rank);
  }
  start_clock(now, arrival.patience);
  auto error = objection(arrival);
  if (error) {
    fail(std::move(*error));
    return refuse(client, rank);
  }
  if (rank_count_ == 0) {
    rank_count_ = arrival.rank_count;
    first_rank_ = rank;
  }
  members_.emplace(rank, Member{client, std::move(arrival)});
  if (std::cmp_equal(members_.size(), rank_count_)) complete_table();
}

void Bootstrap::version_refused(Error error, TimePoint now) {
  if (phase_ != Phase::gathering) return;
  start_clock(now, patience_);
  told_[error.culprit] = true;  // by the handshake
  fail(std::move(error));
}

void Bootstrap::stranger(std::string address) {
  ++stranger_count_;
  const bool known = std::find(strangers_.begin(), strangers_.end(), address) != strangers_.end();
  if (!known && strangers_.size() < kStrangersNamed) strangers_.push_back(std::move(address));
}

void Bootstrap::meshed(Client client) {
  if (phase_ != Phase::meshing) return;
  for (auto& [rank, member] : members_) {
    if (member.client != client || member.meshed) continue;
    member.meshed = true;
    ++meshed_count_;
  }
  if (meshed_count_ < members_.size()) return;
  phase_ = Phase::complete;
  deadline_ = kNoDeadline;
  for (const auto& [rank, member] : members_) actions_.push_back({Do::send_go, member.client});
}

void Bootstrap::gave_up(Client client, Error error) {
  if (phase_ == Phase::complete || phase_ == Phase::failed || find(client) == nullptr) return;
  fail(std::move(error));
}

void Bootstrap::lost(Client client) {
  const Member* member = find(client);
  if (member == nullptr || phase_ == Phase::complete || phase_ == Phase::failed) return;
  const Rank rank = member->arrival.rank;
  fail(make_error(Code::peer_failed,
                  "rank " + std::to_string(rank) + " at " + member->arrival.origin +
                      " was lost while the pool was joining",
                  rank));
}

void Bootstrap::tick(TimePoint now) {
  if (phase_ == Phase::failed) {
    lingered_ = lingered_ || now >= linger_until_;
    return;
  }
  if (now < deadline_) return;
  std::vector<Rank> missing;
  for (Rank rank = 0; rank < rank_count_; ++rank) {
    const auto member = members_.find(rank);
    const bool there = member != members_.end();
    if (phase_ == Phase::gathering ? !there : !member->second.meshed) missing.push_back(rank);
  }
  const Rank culprit = missing.front();
  fail(make_error(Code::timeout, missing_text(std::move(missing)), culprit));
}

std::vector<Bootstrap::Action> Bootstrap::take_actions() { return std::exchange(actions_, {}); }

bool Bootstrap::finished() const {
  if (phase_ == Phase::complete) return true;
  if (phase_ != Phase::failed) return false;
  return lingered_ || (rank_count_ > 0 && std::cmp_equal(told_.size(), rank_count_));
}

std::optional<Error> Bootstrap::objection(const Arrival& arrival) const {
  const Rank rank = arrival.rank;
  if (rank_count_ != 0 && arrival.rank_count != rank_count_) {
    return make_error(Code::mismatch,
                      expects(rank, arrival.rank_count) + ", " + expects(first_rank_, rank_count_),
                      rank);
  }
  if (rank < 0 || rank >= arrival.rank_count) {
    return make_error(Code::mismatch,
                      "a rank of " + std::to_string(arrival.rank_count) + " calls itself rank " +
                          std::to_string(rank) + ", at " + arrival.origin,
                      rank);
  }
  const auto member = members_.find(rank);
  if (member == members_.end()) return std::nullopt;
  return make_error(Code::mismatch,
                    "rank " + std::to_string(rank) + " joined twice: from " +
                        member->second.arrival.origin + " and from " + arrival.origin,
                    rank);
}

void Bootstrap::start_clock(TimePoint now, Duration patience) {
  deadline_ = std::min(deadline_, now + patience);
  linger_until_ = std::max(linger_until_, now + patience);
}

void Bootstrap::fail(Error error) {
  phase_ = Phase::failed;
  failure_ = std::move(error);
  for (const auto& [rank, member] : members_) refuse(member.client, rank);
}

void Bootstrap::refuse(Client client, Rank rank) {
  actions_.push_back({Do::refuse, client});
  if (rank >= 0 && rank < rank_count_) told_[rank] = true;
}

void Bootstrap::complete_table() {
  phase_ = Phase::meshing;
  contacts_.resize(members_.size());
  for (auto& [rank, member] : members_) {
    contacts_[static_cast<size_t>(rank)] = member.arrival.contact;
    actions_.push_back({Do::send_table, member.client});
  }
}

std::string Bootstrap::missing_text(std::vector<Rank> missing) const {
  std::string text = rank_list(missing) + " of " + std::to_string(rank_count_);
  text += missing.size() == 1 ? " has not " : " have not ";
  text += phase_ == Phase::gathering ? "joined" : "reached every other rank";
  if (stranger_count_ == 0) return text;
  text += "; refused " + std::to_string(stranger_count_) + " connections, from ";
  for (size_t i = 0; i < strangers_.size(); ++i) text += (i > 0 ? ", " : "") + strangers_[i];
  return text + (stranger_count_ > strangers_.size() ? " and more" : "");
}

const Bootstrap::Member* Bootstrap::find(Client client) const {
  for (const auto& [rank, member] : members_) {
    if (member.client == client) return &member;
  }
  return nullptr;
}

}  // namespace unirack
