// Who joins a pool, as the rendezvous sees it: events in, actions out; no sockets, no clock reads.
//
// Clients arrive authenticated. The first sets the rank count; one that disagrees, a rank that
// comes twice, a version that does not fit, a rank that is lost or gives up end the join, and every
// client is told why, also those that come later. When all ranks are there each gets the table of
// contacts; when all have connected to each other (meshed), each gets `go`. Strangers are only
// remembered, to be named if ranks are missing at the deadline. One owner, one thread (the
// rendezvous).
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "lib/base/clock.h"
#include "lib/base/result.h"

namespace unirack {

class Bootstrap {
 public:
  using Client = uint64_t;  // names a connection; never used twice

  struct Arrival {
    Rank rank = 0;
    int rank_count = 0;
    std::string origin;              // who says so: "10.0.0.7:4711 (host a, pid 12)"
    std::vector<std::byte> contact;  // opaque, handed to all
    Duration patience{};             // how long it is ready to wait
  };

  enum class Do : uint8_t {
    send_table,  // contacts() to this client
    send_go,
    refuse,  // failure() to this client, then close it
  };
  struct Action {
    Do what;
    Client client;

    friend bool operator==(const Action&, const Action&) = default;
  };

  enum class Phase : uint8_t { gathering, meshing, complete, failed };

  // The least patient arrival sets the deadline, the most patient how long latecomers are told of a
  // failure; `patience` stands in for those whose version does not let them say.
  explicit Bootstrap(Duration patience) : patience_(patience) {}

  void arrived(Client client, Arrival arrival, TimePoint now);
  // An authenticated client whose protocol versions do not overlap ours; the error names both.
  void version_refused(Error error, TimePoint now);
  // Someone who could not prove the key, or kept silent.
  void stranger(std::string address);
  void meshed(Client client);
  // A client says why it cannot go on.
  void gave_up(Client client, Error error);
  void lost(Client client);
  void tick(TimePoint now);

  // In the order to be carried out.
  std::vector<Action> take_actions();
  // Index is the rank; complete once any send_table is taken.
  const std::vector<std::vector<std::byte>>& contacts() const { return contacts_; }
  Phase phase() const { return phase_; }
  // Holds in phase failed.
  const Error& failure() const { return failure_; }
  // Nothing is left to be done: all have been told to go or why not, or latecomers' time is over.
  bool finished() const;
  // When tick() wants to be called; kNoDeadline before the first arrival.
  TimePoint next_tick() const { return phase_ == Phase::failed ? linger_until_ : deadline_; }

 private:
  struct Member {
    Client client;
    Arrival arrival;
    bool meshed = false;
  };

  std::optional<Error> objection(const Arrival& arrival) const;
  void start_clock(TimePoint now, Duration patience);
  void fail(Error error);
  void refuse(Client client, Rank rank);
  void complete_table();
  std::string missing_text(std::vector<Rank> missing) const;
  const Member* find(Client client) const;

  Duration patience_;
  Phase phase_ = Phase::gathering;
  TimePoint deadline_ = kNoDeadline;
  TimePoint linger_until_{};
  bool lingered_ = false;
  int rank_count_ = 0;  // 0: nobody has come yet
  Rank first_rank_ = kNoRank;
  std::map<Rank, Member> members_;
  std::map<Rank, bool> told_;  // who has been refused
  size_t meshed_count_ = 0;
  std::vector<std::vector<std::byte>> contacts_;
  std::vector<Action> actions_;
  Error failure_;
  std::vector<std::string> strangers_;
  uint64_t stranger_count_ = 0;
};

}  // namespace unirack
