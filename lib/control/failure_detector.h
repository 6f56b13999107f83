// Turns what is heard of the peers, and what is not, into evidence that names the culprit. Pure: no
// sockets, no clock reads; one owner, one thread (the control thread).
//
// Evidence is: a connection lost without goodbye; silence beyond the peer timeout while an
// operation is in progress here; a peer that left although an operation waits for it; what a
// transport reports; a mismatch (the minority is the culprit); a stall (the culprit is the end of
// the chain of who waits for whom). Evidence that may be the echo of another failure ripens for a
// moment first, so that a verdict on its way arrives before it. Time in which this process did not
// run is not counted as silence of others.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "lib/base/clock.h"
#include "lib/control/activity.h"
#include "lib/control/membership.h"
#include "lib/control/messages.h"

namespace unirack {

class FailureDetector {
 public:
  struct Options {
    Duration peer_timeout = milliseconds(2000);
    Duration interval = milliseconds(100);  // of heartbeats
    std::function<std::string(uint64_t request, uint64_t count)> describe;
  };

  // `membership` is borrowed and says who has left or was lost.
  FailureDetector(const Membership& membership, Options options, TimePoint now);

  // This rank's own state, to be kept fresh: before every judge().
  void self(const Activity& activity, std::vector<Entered> entered, TimePoint now);
  // Any frame of a peer.
  void heard(Rank peer, TimePoint now);
  void heartbeat(Rank peer, const HeartbeatMessage& message, TimePoint now);
  void connection_lost(Rank peer, const std::string& how, TimePoint now);

  void report(uint64_t sequence, Error error, TimePoint now);
  void report_mismatch(uint64_t sequence, TimePoint now);
  void report_stall(uint64_t sequence, Rank peer, TimePoint now);

  // Whether nothing has come from a peer for as long as the peer timeout.
  bool is_silent(Rank peer, TimePoint now) const {
    return now - at(peer).heard_at >= options_.peer_timeout;
  }
  // A number to send to every peer as a query; they answer it with a heartbeat at once.
  std::optional<uint32_t> take_query();
  // The lowest evidence, once some is ripe.
  std::optional<Verdict> judge(TimePoint now);
  // When judge() may find something new without an event.
  TimePoint next_check() const;

 private:
  struct Peer {
    Activity activity;
    std::vector<Entered> entered;
    TimePoint heard_at;
    uint32_t query_seen = 0;
  };
  struct Evidence {
    Verdict verdict;
    TimePoint ripe_at;
  };
  // A report that needs the peers' answers before it names a culprit.
  struct Case {
    uint64_t sequence;
    Rank peer;  // kNoRank: a mismatch
    uint32_t query;
    TimePoint answers_by;
    TimePoint decide_by;
  };
  Peer& at(Rank rank) { return peers_[static_cast<size_t>(rank)]; }
  const Peer& at(Rank rank) const { return peers_[static_cast<size_t>(rank)]; }
  bool is_peer(Rank rank) const;
  void add(uint64_t sequence, Error error, TimePoint ripe_at);
  void open_case(uint64_t sequence, Rank peer, TimePoint now);
  void forgive_unobserved(TimePoint now);
  void look_for_silence(TimePoint now);
  void look_for_absence(TimePoint now);
  bool answered(const Case& open, TimePoint now) const;
  std::optional<Verdict> decide_mismatch(const Case& open, TimePoint now) const;
  std::optional<Verdict> decide_stall(const Case& open) const;
  std::string absence_text(Rank peer, uint64_t sequence) const;

  const Membership& membership_;
  Options options_;
  std::vector<Peer> peers_;  // peers_[rank] of ourselves is what self() said
  std::vector<Evidence> evidence_;
  std::vector<Case> cases_;
  uint32_t query_ = 0;
  bool query_due_ = false;
  TimePoint busy_since_;
  TimePoint judged_at_;
};

}  // namespace unirack
