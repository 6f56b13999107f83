// One run of a model: lanes, channels, engines and flows, moved on from event to event. What
// happens at one time happens in rounds whose order inside does not matter, so that a run of
// classes and a run of all ranks agree to the picosecond. Lives for one simulation, on one thread.
#pragma once

#include <cstdint>
#include <unordered_map>
#include <vector>

#include "collectives/simulate/end_queue.h"
#include "collectives/simulate/event_queue.h"
#include "collectives/simulate/model.h"
#include "collectives/simulate/sharing.h"

namespace unirack {

struct RunOutcome {
  uint64_t time_ps = 0;
  bool is_stopped = false;
  uint64_t work = 0;
  uint64_t event_count = 0;
  uint64_t tiles_skipped = 0;
  uint64_t period_tiles = 0;
  uint64_t period_ps = 0;
  std::vector<uint64_t> busy_ps;  // by resource of the model
  std::vector<SimulatedActivity> activities;
  uint32_t last_activity = kNoIndex;
};

class SimulationRun {
 public:
  SimulationRun(const Model& model, const SimulateOptions& options, const SimulatedCall& call);

  Result<RunOutcome> run();

 private:
  enum class LaneStatus : uint8_t {
    ready,
    asleep,
    awaits_signal,
    awaits_puts,
    awaits_gets,
    held,  // until the bytes of its put have left
    working,
    done
  };
  struct LaneRun {
    uint32_t next = 0;
    uint32_t puts = 0;   // posted, not drained
    uint32_t gets = 0;   // posted, not landed
    uint32_t reads = 0;  // of the step that works
    uint64_t tile = 0;
    LaneStatus status = LaneStatus::asleep;
    bool is_paid = false;  // the step's busy time has passed
    bool engine_done = false;
    uint64_t begin_ticks = 0;   // when it came to its step
    uint32_t cause = kNoIndex;  // the activity that let it come
  };
  // A put, get or signal in a channel.
  struct Message {
    uint32_t thread = 0;
    uint32_t step = 0;
    uint64_t tile = 0;
    uint32_t cause = kNoIndex;
  };
  struct Channel {
    std::vector<Message> queue;
    size_t head = 0;
    bool is_flowing = false;
  };
  struct FlowRun {
    uint32_t thread = 0;
    uint32_t step = 0;
    uint32_t model_flow = 0;
    ModelOp op = ModelOp::put;  // work: it is read by a reduction
    bool is_open = false;
    uint64_t begin_ticks = 0;
    uint64_t tile = 0;
    uint32_t cause = kNoIndex;
  };

  // kNeverTicks: nothing will happen.
  uint64_t next_ticks() const;
  void handle_all_of_now();
  void handle(const RunEvent& event);
  void arrive(const RunEvent& event);
  void land(const RunEvent& event);
  void finish(uint32_t flow);
  void make_ready(uint32_t thread, uint32_t cause);
  void run_lane(uint32_t thread);
  bool is_blocked(uint32_t thread, const ModelStep& step);
  bool act(uint32_t thread, const ModelStep& step);
  bool begin_work(uint32_t thread, const ModelStep& step);
  void complete_work(uint32_t thread, uint32_t cause);
  void pass(uint32_t thread, const ModelStep& step);
  void grant_engines();
  void move_channel(uint32_t channel);
  void begin_flow(uint32_t thread, uint32_t step, uint32_t model_flow, ModelOp op, uint64_t tile,
                  uint32_t cause);
  void settle();
  uint32_t record(ActivityKind kind, uint32_t thread, uint32_t step, uint64_t tile,
                  uint64_t begin_ticks, uint32_t cause, uint32_t resource = kNoIndex);
  void end_at(uint64_t time_ticks, uint32_t activity);
  Error deadlock() const;

  // Skipping tiles that repeat: steady_state.cc.
  struct Snapshot {
    std::vector<uint64_t> words;
    uint64_t tile = 0;
    uint64_t time_ticks = 0;
    std::vector<uint64_t> busy_ticks;
  };
  void look_for_repetition();
  Snapshot take_snapshot() const;
  void append_channels(std::vector<uint64_t>& words) const;
  void append_events(std::vector<uint64_t>& words) const;
  void append_flows(std::vector<uint64_t>& words) const;
  void jump(const Snapshot& before, const Snapshot& now);

  const Model& model_;
  bool records_ = false;
  bool skips_ = false;
  SharedResources shared_;
  uint64_t now_ticks_ = 0;
  std::vector<LaneRun> lanes_;
  std::vector<Channel> channels_;
  std::vector<uint64_t> arrived_;               // by signal: tiles of it that have arrived
  std::vector<std::vector<uint32_t>> waiting_;  // by signal: threads
  std::vector<uint64_t> engine_free_ticks_;
  std::vector<FlowRun> flows_;     // by number of the shared resources
  uint32_t done_flow_ = kNoIndex;  // its place among the shared resources is to be had
  EndQueue ends_;                  // of flows
  EventQueue events_;              // all else
  std::vector<uint32_t> ready_;
  std::vector<uint32_t> requests_;  // threads that want their engine
  uint64_t end_ticks_ = 0;
  uint32_t open_lanes_ = 0;
  uint64_t stop_ticks_ = kNeverTicks;
  uint64_t work_max_ = UINT64_MAX;
  uint32_t watched_ = 0;  // the thread whose tiles are counted
  bool tile_began_ = false;
  std::unordered_map<uint64_t, Snapshot> snapshots_;  // by hash
  uint32_t snapshots_left_ = 0;
  RunOutcome outcome_;
};

}  // namespace unirack
