// Who is still in the pool, and which verdict ends it. Pure: events in, answers out, no clock
// reads.
//
// The first evidence found here becomes the standing verdict; of two verdicts the lower (sequence,
// culprit, code) stands. A rank floods its verdict to all peers when it adopts one, and again when
// a lower one replaces it; so every rank that can be reached ends with the same. The verdict is
// settled, and then never changes, when every present peer has echoed it or a grace has passed.
// One owner, one thread (the control thread).
#pragma once

#include <cstdint>
#include <optional>
#include <tuple>
#include <vector>

#include "lib/base/clock.h"
#include "lib/control/activity.h"

namespace unirack {

// `left` said goodbye; `lost` did not.
enum class Presence : uint8_t { present, left, lost };

class Membership {
 public:
  Membership(Rank rank, int rank_count, Duration grace);

  void left(Rank peer, uint64_t last_sequence);
  void lost(Rank peer);
  Presence presence(Rank rank) const { return at(rank).presence; }
  // How many operations a rank that left had entered.
  uint64_t last_sequence(Rank rank) const { return at(rank).last_sequence; }
  Rank rank() const { return rank_; }
  int rank_count() const { return static_cast<int>(members_.size()); }

  // Evidence found here. Without effect when a verdict stands: what follows a failure is no cause.
  void judged(Verdict verdict, TimePoint now);
  void heard(Rank from, Verdict verdict, TimePoint now);

  // Null while all is well.
  const Verdict* standing() const { return standing_ ? &*standing_ : nullptr; }
  // True once after each change: the standing verdict must go to every present peer now.
  bool take_flood();
  bool settled(TimePoint now);
  // When settled() becomes true at the latest.
  TimePoint settles_by() const { return settles_by_; }

 private:
  using Order = std::tuple<uint64_t, uint32_t, Code>;
  struct Member {
    Presence presence = Presence::present;
    uint64_t last_sequence = 0;
    std::optional<Order> echoed;
  };

  static Order order_of(const Verdict& verdict);
  const Member& at(Rank rank) const { return members_[static_cast<size_t>(rank)]; }
  Member& at(Rank rank) { return members_[static_cast<size_t>(rank)]; }
  void adopt(Verdict verdict, TimePoint now);
  bool echo_expected(Rank peer) const;

  Rank rank_;
  Duration grace_;
  std::vector<Member> members_;
  std::optional<Verdict> standing_;
  TimePoint settles_by_ = kNoDeadline;
  bool flood_ = false;
  bool settled_ = false;
};

}  // namespace unirack
