// What simulations have to know about a schedule, a network and a call together: bytes of steps,
// routes between ranks, who signals what, and how fast everyone is once faults are injected. Owned
// by a Simulator, used on its thread; borrows what it was made from.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "collectives/simulate/simulate.h"

namespace unirack {

// A signal of a lane, in order.
struct SignalFact {
  uint32_t v = 0;
  Rank peer = 0;
};

// The messages of a lane to one peer, or from it, share a route.
struct RouteFact {
  Rank from = 0;
  Rank to = 0;
  LinkCosts costs;
  uint32_t first_use = 0;
  uint32_t use_count = 0;
};

class PlanFacts {
 public:
  static Result<PlanFacts> collect(const Schedule& schedule, const Network& network,
                                   const SimulateOptions& options);
  // Bytes and times are those of the last one.
  void set_call(const SimulatedCall& call);

  const Schedule& schedule() const { return *schedule_; }
  const Network& network() const { return *network_; }
  int rank_count() const { return schedule_->header().rank_count; }
  uint32_t lane_count() const { return lane_count_; }
  uint64_t tiles() const { return tiles_; }
  // Bytes/s after faults.
  const std::vector<uint64_t>& bandwidths() const { return bandwidths_; }
  uint64_t start_ps(Rank rank) const { return start_ps_[static_cast<size_t>(rank)]; }
  uint32_t percent(Rank rank) const { return percent_[static_cast<size_t>(rank)]; }
  // Of lanes and engines, at the speed of the rank.
  uint64_t slowed(Rank rank, uint64_t ps) const;

  // Bytes of a run of parts in that form.
  uint64_t run_bytes(uint32_t parts, Form form) const;
  uint64_t copy_bytes(const Program& program, const Step& step) const;
  // What the engine takes for a reduction or a local copy.
  uint64_t work_ps(Rank rank, const Program& program, const Step& step) const;

  // An error where there is no way, or only through what is dead.
  Result<RouteFact> route(Rank from, Rank to, uint32_t lane, std::vector<ResourceUse>& uses) const;

  const std::vector<SignalFact>& signals(Rank rank, uint32_t lane) const {
    return signals_[static_cast<size_t>(rank) * lane_count_ + lane];
  }
  // Which of the signals of (writer, lane) lets `reader` pass, and how many tiles later it comes.
  struct Awaited {
    uint32_t index = 0;
    uint32_t tiles_ahead = 0;
  };
  Result<Awaited> find_signal(Rank reader, const Step& wait) const;

 private:
  PlanFacts() = default;

  Status slow_down(const SimulateOptions& options);
  void collect_signals();

  const Schedule* schedule_ = nullptr;
  const Network* network_ = nullptr;
  SimulatedCall call_;
  uint64_t tiles_ = 1;
  uint32_t lane_count_ = 1;
  std::vector<uint64_t> bandwidths_;
  std::vector<uint64_t> start_ps_;
  std::vector<uint32_t> percent_;
  std::vector<std::vector<SignalFact>> signals_;
  // Reused or remembered, since steps that follow each other are alike.
  mutable MessageRoute found_;
  struct RunBytes {
    uint32_t parts = 0;
    uint64_t bytes = 0;
  };
  mutable std::array<RunBytes, 2> last_run_;  // by form
};

// Which of a step's slices lie at other ranks.
inline bool is_put(Rank self, const Step& step) { return step.target.rank != self; }
inline bool is_get(Rank self, const Program& program, const Step& step) {
  return program.sources[step.sources.first].rank != self;
}

}  // namespace unirack
