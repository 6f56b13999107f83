// A schedule on a network as the simulation runs it: threads (lanes of ranks) of steps whose bytes,
// times (in ticks) and resources are known. A thread may stand for those of all ranks of a class, a
// resource for its class; loads are then what one of them carries. A plain value, made by
// make_model().
#pragma once

#include <cstdint>
#include <vector>

#include "collectives/simulate/rank_classes.h"
#include "collectives/simulate/sharing.h"
#include "collectives/simulate/simulate.h"

namespace unirack {

enum class ModelOp : uint8_t {
  put,   // posts its flow
  get,   // posts its flow, and lands it
  work,  // reduce or local copy: the rank's engine, and flows from peers' memory
  signal,
  wait,
  record,  // until a peer has entered the operation
};

// What flows between two classes pass.
struct ModelWay {
  uint32_t source = 0;
  uint32_t target = 0;
  uint32_t first_use = 0;
  uint32_t use_count = 0;
  uint32_t limit_count = 0;  // of them, the first, that may be full
};

// Bytes on their way between two ranks.
struct ModelFlow {
  uint64_t bytes = 0;
  uint64_t request_ticks = 0;  // before they flow: a get asks first
  uint64_t latency_ticks = 0;  // after they have flowed
  uint32_t way = 0;
};

struct ModelStep {
  ModelOp op = ModelOp::put;
  bool waits_for_puts = false;
  bool waits_for_gets = false;
  bool holds_lane = false;  // puts: the lane goes on when they have left
  uint32_t step = 0;        // of the lane's program
  uint32_t channel = 0;     // puts, gets and signals: what goes to one peer follows in order
  uint32_t first_flow = 0;  // put and get: one, unless it is empty
  uint32_t flow_count = 0;
  uint32_t signal = 0;  // signal: its own; wait: the one waited for
  uint32_t tiles_back = 0;
  uint32_t tiles_ahead = 0;
  uint64_t busy_ticks = 0;  // of the lane, before anything else
  uint64_t work_ticks = 0;  // of the engine
  uint64_t time_ticks = 0;  // signal: its latency; record: when it arrives
};

struct ModelThread {
  Rank rank = 0;
  uint32_t lane = 0;
  uint32_t engine = 0;
  uint32_t first_step = 0;
  uint32_t step_count = 0;
  uint64_t start_ticks = 0;
};

struct Model {
  uint64_t tiles = 1;
  uint32_t tiles_back_max = 0;
  std::vector<ModelThread> threads;
  std::vector<ModelStep> steps;
  std::vector<ModelFlow> flows;
  std::vector<ModelWay> ways;
  std::vector<FlowUse> uses;
  uint32_t channel_count = 0;
  uint32_t signal_count = 0;
  uint32_t engine_count = 0;
  std::vector<uint64_t> bandwidths;   // by class of resources
  std::vector<uint64_t> bytes;        // that each of a class carries, all tiles together
  std::vector<uint32_t> resource_of;  // by class: the first of them
};

Result<Model> make_model(const PlanFacts& facts, const RankClasses& classes);

}  // namespace unirack
