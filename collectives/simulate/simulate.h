// How long a schedule takes: a simulation of the steps that will run, over shared resources.
//
// Messages are flows; flows share resources max-min fairly, and time is whole picoseconds. Lanes
// run as in the executor: a put is posted and the lane goes on, or is held until the bytes have
// left where it moves them itself; puts of a lane to one peer follow each other, a signal follows
// them and arrives one latency later; a get has landed before the next step that is not a copy;
// local writes wait for the lane's puts; reductions and local copies take the one engine of their
// rank in turn; waits that follow each other are one step. Parts are of equal size, their share of
// the tile rounded up to bytes. What schedule and network treat alike is simulated once, and tiles
// that repeat are skipped: both change the work, never the result. Pure.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "collectives/schedule.h"
#include "collectives/simulate/network.h"

namespace unirack {

struct SimulatedCall {
  uint64_t count = 0;  // elements a block
  DataType type = DataType::float32;
  ReduceOp op = ReduceOp::sum;
  uint64_t tile_bytes = 0;  // instead of the schedule's; 0: the schedule's
  uint64_t stop_ps = 0;     // what takes longer is of no interest; 0: everything is
  uint64_t work_max = 0;    // events and shares that may be looked at; 0: any number
};

// A resource at `percent` of its rate, by its name; 0: it is dead.
struct SlowResource {
  std::string name;
  uint32_t percent = 100;
};

struct SlowRank {
  Rank rank = 0;
  uint32_t percent = 100;  // of its speed in steps, copies and reductions; 0: it is dead
  uint64_t late_ps = 0;    // it calls so much later
};

struct SimulateOptions {
  bool fold = true;  // simulate what is alike once
  // Of more ranks than these that differ, where one fault makes all do so, those are simulated as
  // one that do the same over ways that look alike, whoever their peers are; what is nearly alike
  // shares its load. Quicker by far, and off by some percent.
  uint32_t classes_max = UINT32_MAX;
  bool skip = true;     // skip tiles that repeat
  bool record = false;  // keep activities; tiles are then not skipped
  std::vector<SlowResource> slow_resources;
  std::vector<SlowRank> slow_ranks;
};

struct ResourceLoad {
  uint64_t bytes = 0;
  uint64_t busy_ps = 0;  // while anything flows
};

enum class ActivityKind : uint8_t {
  step,    // a lane's step, from where it could begin to its end
  flow,    // bytes under way
  flight,  // the latency of a signal or of a get
};

inline constexpr uint32_t kNoIndex = UINT32_MAX;

// One thing that took time. Where ranks are simulated as one, of the lowest of them.
struct SimulatedActivity {
  ActivityKind kind = ActivityKind::step;
  Rank rank = 0;
  uint32_t lane = 0;
  uint32_t step = 0;  // of the lane's program
  uint64_t tile = 0;
  uint64_t begin_ps = 0;
  uint64_t end_ps = 0;
  uint32_t cause = kNoIndex;     // what it could not begin before: an earlier activity
  uint32_t resource = kNoIndex;  // flows: the one that limited it last
};

struct Simulation {
  uint64_t time_ps = 0;
  bool is_stopped = false;           // at the time or the work that the call allows
  std::vector<ResourceLoad> loads;   // by resource of the network
  std::vector<uint32_t> represents;  // by rank: the lowest rank that it is simulated as
  uint32_t class_count = 0;          // ranks simulated
  uint64_t event_count = 0;
  uint64_t work = 0;  // events and shares looked at
  uint64_t tiles_skipped = 0;
  // Tiles that repeat, and what so many more would take; 0: none do.
  uint64_t period_tiles = 0;
  uint64_t period_ps = 0;
  std::vector<SimulatedActivity> activities;  // in the order of their ends; if recorded
  std::vector<uint32_t> critical_path;        // activities, the earliest first; if recorded

  double seconds() const { return static_cast<double>(time_ps) * 1e-12; }
};

class PlanFacts;
struct RankClasses;

// One schedule on one network, for calls of many sizes: what is alike is found once. Borrows both;
// used by one thread at a time.
class Simulator {
 public:
  static Result<Simulator> make(const Schedule& schedule, const Network& network,
                                const SimulateOptions& options = {});
  Simulator(Simulator&&) noexcept;
  Simulator& operator=(Simulator&&) noexcept;
  ~Simulator();

  Result<Simulation> run(const SimulatedCall& call);
  // Ranks that are simulated, each for all that are like it.
  uint32_t class_count() const;
  // For all that are nearly so.
  bool is_rough() const;

 private:
  Simulator(SimulateOptions options, PlanFacts facts, RankClasses classes);

  SimulateOptions options_;
  std::unique_ptr<PlanFacts> facts_;
  std::unique_ptr<RankClasses> classes_;
};

// An error names a dead rank or resource that the schedule needs, ranks without a way between them,
// or a lane that waits for ever.
Result<Simulation> simulate(const Schedule& schedule, const Network& network,
                            const SimulatedCall& call, const SimulateOptions& options = {});

// Bytes/s as nccl-tests counts them: the bytes of the larger buffer over the time.
double algorithm_bandwidth(const Schedule& schedule, const SimulatedCall& call, uint64_t time_ps);

}  // namespace unirack
