// Writes the lanes of an imported schedule: actions in the order in which they can run, then the
// signals that let scratch be written again some tiles later. Built once for one schedule.
#pragma once

#include <cstdint>
#include <set>
#include <utility>
#include <vector>

#include "collectives/schedule.h"

namespace unirack {

// A lane of a rank.
struct LaneId {
  Rank rank = 0;
  int lane = 0;

  friend auto operator<=>(const LaneId&, const LaneId&) = default;
};

class MscclLanes {
 public:
  MscclLanes(int rank_count, int lane_count);

  // The first of all, in any order.
  void copy_first(LaneId at, uint32_t part, Slice target, Slice source);
  void copy(LaneId at, uint32_t part, Slice target, Slice source);
  void reduce(LaneId at, uint32_t part, Slice target, std::vector<Slice> sources);
  Mark signal(LaneId at, Rank peer);
  void wait(LaneId at, Mark mark);
  // Once a lane and peer.
  void wait_record(LaneId at, Rank peer);

  // A scratch block of a rank that holds `parts` parts.
  uint32_t scratch(Rank rank, uint32_t parts, Form form);

  // `reader` uses what `writer` has put into scratch; a `put` reads until `receiver` has its bytes.
  void note_read(LaneId reader, LaneId writer);
  void note_put(LaneId reader, LaneId writer, LaneId receiver);

  Schedule build(ScheduleHeader header) &&;

 private:
  struct Action {
    Step step;
    std::vector<Slice> sources;
    Rank recipient = kNoRank;  // of a signal
  };
  struct LaneWork {
    std::vector<Action> first;
    std::vector<Action> actions;
    uint32_t signals = 0;
    std::set<Rank> records;
    std::set<Rank> end_signals;  // who wants to know that its tile is done
    std::set<LaneId> awaited;    // whose readers of this lane's scratch are waited for
    std::set<LaneId> forwarded;  // who takes what this lane reads from scratch to send it
  };
  struct BlockPool {
    uint32_t parts = 1;
    Form form = Form::user;
    std::vector<uint32_t> used;  // by rank
    std::vector<uint32_t> ids;
  };

  LaneWork& work(LaneId at) {
    return lanes_[static_cast<size_t>(at.rank) * static_cast<size_t>(lane_count_) +
                  static_cast<size_t>(at.lane)];
  }
  Mark end_mark(LaneId at, Rank recipient);
  void play(Builder& builder, LaneId at, const std::vector<Action>& actions);

  int rank_count_;
  int lane_count_;
  std::vector<LaneWork> lanes_;
  std::vector<BlockPool> pools_;
  std::vector<ScratchBlock> blocks_;
};

}  // namespace unirack
