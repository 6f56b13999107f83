#include "lib/control/failure_detector.h"

#include <algorithm>
#include <utility>

#include "lib/control/vote.h"
#include "lib/control/waiting_chain.h"

namespace unirack {
namespace {

// A verdict that was sent before its sender closed a connection arrives within this time after the
// close, also over another connection.
constexpr Duration kRipening = milliseconds(20);
// How long to wait for ranks that have not entered an operation to say what they call.
constexpr Duration kBallotPatience = milliseconds(500);
constexpr Duration kAnswerPatience = milliseconds(250);

std::string name(Rank rank) { return "rank " + std::to_string(rank); }

std::string operation(uint64_t sequence) { return "operation " + std::to_string(sequence); }

std::string seconds_text(Duration duration) {
  const int64_t tenths = to_ms(duration) / 100;
  return std::to_string(tenths / 10) + "." + std::to_string(tenths % 10) + " s";
}

auto order_of(const Verdict& verdict) {
  return std::pair(verdict.sequence, static_cast<uint32_t>(verdict.error.culprit));
}

const Entered* find_entered(const std::vector<Entered>& entered, uint64_t sequence) {
  const auto found = std::find_if(entered.begin(), entered.end(), [&](const Entered& candidate) {
    return candidate.sequence == sequence;
  });
  return found == entered.end() ? nullptr : &*found;
}

}  // namespace

FailureDetector::FailureDetector(const Membership& membership, Options options, TimePoint now)
    : membership_(membership),
      options_(std::move(options)),
      peers_(static_cast<size_t>(membership.rank_count())),
      busy_since_(now),
      judged_at_(now) {
  for (Peer& peer : peers_) peer.heard_at = now;
}

void FailureDetector::self(const Activity& activity, std::vector<Entered> entered, TimePoint now) {
  Peer& me = at(membership_.rank());
  if (activity.busy && !me.activity.busy) busy_since_ = now;
  me.activity = activity;
  me.entered = std::move(entered);
}

void FailureDetector::heard(Rank peer, TimePoint now) { at(peer).heard_at = now; }

void FailureDetector::heartbeat(Rank peer, const HeartbeatMessage& message, TimePoint now) {
  Peer& sender = at(peer);
  sender.heard_at = now;
  sender.activity = message.activity;
  sender.entered = message.entered;
  sender.query_seen = message.query_seen;
}

void FailureDetector::connection_lost(Rank peer, const std::string& how, TimePoint now) {
  add(at(membership_.rank()).activity.sequence,
      make_error(Code::peer_failed, name(peer) + " " + how, peer), now + kRipening);
}

void FailureDetector::report(uint64_t sequence, Error error, TimePoint now) {
  const bool may_be_echo =
      is_peer(error.culprit) && (error.code == Code::peer_failed ||
                                 error.code == Code::unavailable || error.code == Code::system);
  add(sequence, std::move(error), may_be_echo ? now + kRipening : now);
}

void FailureDetector::report_mismatch(uint64_t sequence, TimePoint now) {
  open_case(sequence, kNoRank, now);
}

void FailureDetector::report_stall(uint64_t sequence, Rank peer, TimePoint now) {
  if (is_peer(peer)) return open_case(sequence, peer, now);
  add(sequence,
      make_error(Code::timeout,
                 name(membership_.rank()) + " made no progress in " + operation(sequence),
                 membership_.rank()),
      now);
}

std::optional<uint32_t> FailureDetector::take_query() {
  if (!std::exchange(query_due_, false)) return std::nullopt;
  return query_;
}

std::optional<Verdict> FailureDetector::judge(TimePoint now) {
  forgive_unobserved(now);
  look_for_silence(now);
  look_for_absence(now);
  for (const Case& open : cases_) {
    if (!answered(open, now)) continue;
    auto verdict = open.peer == kNoRank ? decide_mismatch(open, now) : decide_stall(open);
    if (verdict) add(verdict->sequence, std::move(verdict->error), now);
  }
  const bool ripe = std::any_of(evidence_.begin(), evidence_.end(),
                                [&](const Evidence& one) { return one.ripe_at <= now; });
  if (!ripe) return std::nullopt;
  const auto lowest = std::min_element(evidence_.begin(), evidence_.end(),
                                       [](const Evidence& a, const Evidence& b) {
                                         return order_of(a.verdict) < order_of(b.verdict);
                                       });
  Verdict verdict = std::move(lowest->verdict);
  evidence_.clear();
  cases_.clear();
  return verdict;
}

TimePoint FailureDetector::next_check() const {
  TimePoint next = kNoDeadline;
  for (const Evidence& one : evidence_) next = std::min(next, one.ripe_at);
  for (const Case& open : cases_) {
    next = std::min(next, open.answers_by > judged_at_ ? open.answers_by : open.decide_by);
  }
  if (!at(membership_.rank()).activity.busy) return next;
  for (Rank peer = 0; peer < membership_.rank_count(); ++peer) {
    if (peer == membership_.rank() || membership_.presence(peer) != Presence::present) continue;
    next = std::min(next, std::max(at(peer).heard_at, busy_since_) + options_.peer_timeout);
  }
  return next;
}

bool FailureDetector::is_peer(Rank rank) const {
  return rank >= 0 && rank < membership_.rank_count() && rank != membership_.rank();
}

void FailureDetector::add(uint64_t sequence, Error error, TimePoint ripe_at) {
  if (is_peer(error.culprit) && error.code == Code::peer_failed &&
      membership_.presence(error.culprit) == Presence::left) {
    error.detail = absence_text(error.culprit, sequence);
  }
  const bool known = std::any_of(evidence_.begin(), evidence_.end(), [&](const Evidence& one) {
    return one.verdict.sequence == sequence && one.verdict.error.culprit == error.culprit &&
           one.verdict.error.code == error.code;
  });
  if (!known) evidence_.push_back({{sequence, std::move(error)}, ripe_at});
}

void FailureDetector::open_case(uint64_t sequence, Rank peer, TimePoint now) {
  const bool known = std::any_of(cases_.begin(), cases_.end(), [&](const Case& open) {
    return open.sequence == sequence && open.peer == peer;
  });
  if (known) return;
  query_due_ = true;
  const Duration patience = std::min(kAnswerPatience, options_.peer_timeout / 2);
  cases_.push_back({sequence, peer, ++query_, now + patience, now + kBallotPatience});
}

// A process that was stopped or starved must not blame its peers for the time it missed.
void FailureDetector::forgive_unobserved(TimePoint now) {
  const Duration gap = now - std::exchange(judged_at_, now);
  if (gap <= 2 * options_.interval) return;
  const Duration missed = gap - options_.interval;
  for (Peer& peer : peers_) peer.heard_at = std::min(now, peer.heard_at + missed);
}

void FailureDetector::look_for_silence(TimePoint now) {
  const Activity& mine = at(membership_.rank()).activity;
  if (!mine.busy) return;
  for (Rank peer = 0; peer < membership_.rank_count(); ++peer) {
    if (peer == membership_.rank() || membership_.presence(peer) != Presence::present) continue;
    if (now - std::max(at(peer).heard_at, busy_since_) < options_.peer_timeout) continue;
    add(mine.sequence,
        make_error(Code::timeout,
                   name(peer) + " has not been heard of for " +
                       seconds_text(now - at(peer).heard_at) +
                       " (stopped, starved or cut off; UNIRACK_PEER_TIMEOUT_MS is the limit)",
                   peer),
        now);
  }
}

void FailureDetector::look_for_absence(TimePoint now) {
  const Activity& mine = at(membership_.rank()).activity;
  if (!mine.busy || !is_peer(mine.waiting_for)) return;
  const Rank peer = mine.waiting_for;
  if (membership_.presence(peer) != Presence::left) return;
  if (membership_.last_sequence(peer) >= mine.sequence) return;
  add(mine.sequence, make_error(Code::peer_failed, absence_text(peer, mine.sequence), peer), now);
}

bool FailureDetector::answered(const Case& open, TimePoint now) const {
  if (now >= open.answers_by) return true;
  for (Rank peer = 0; peer < membership_.rank_count(); ++peer) {
    if (peer == membership_.rank() || membership_.presence(peer) != Presence::present) continue;
    if (at(peer).query_seen < open.query) return false;
  }
  return true;
}

std::optional<Verdict> FailureDetector::decide_mismatch(const Case& open, TimePoint now) const {
  std::vector<Ballot> ballots;
  size_t undecided_count = 0;
  for (Rank rank = 0; rank < membership_.rank_count(); ++rank) {
    const Entered* entered = find_entered(at(rank).entered, open.sequence);
    if (entered != nullptr) {
      ballots.push_back({rank, entered->request, entered->count});
    } else if (membership_.presence(rank) == Presence::present &&
               at(rank).activity.sequence < open.sequence) {
      ++undecided_count;
    }
  }
  const auto groups = count_votes(ballots);
  if (!is_decided(groups, undecided_count) && now < open.decide_by) return std::nullopt;
  std::string detail = operation(open.sequence) + ": ";
  detail += groups.size() > 1 ? vote_text(groups, options_.describe)
                              : "all ranks called the same, but a peer's plan or sizes differ";
  return Verdict{open.sequence,
                 make_error(Code::mismatch, std::move(detail), minority_culprit(groups))};
}

std::optional<Verdict> FailureDetector::decide_stall(const Case& open) const {
  std::vector<RankView> views(peers_.size());
  for (Rank rank = 0; rank < membership_.rank_count(); ++rank) {
    RankView& view = views[static_cast<size_t>(rank)];
    view.activity = at(rank).activity;
    view.last_sequence = membership_.last_sequence(rank);
    const Presence presence = membership_.presence(rank);
    if (presence != Presence::present) {
      view.condition =
          presence == Presence::left ? RankView::Condition::left : RankView::Condition::lost;
    } else if (rank != membership_.rank() && at(rank).query_seen < open.query) {
      view.condition = RankView::Condition::silent;
    }
  }
  Error error = follow_chain(views, membership_.rank(), open.peer, open.sequence);
  return Verdict{open.sequence, std::move(error)};
}

std::string FailureDetector::absence_text(Rank peer, uint64_t sequence) const {
  return name(peer) + " has left the pool after " +
         std::to_string(membership_.last_sequence(peer)) + " operations; " +
         name(membership_.rank()) + " waits for it in " + operation(sequence);
}

}  // namespace unirack
