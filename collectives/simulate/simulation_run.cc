#include "collectives/simulate/simulation_run.h"

#include <algorithm>
#include <string>
#include <utility>

namespace unirack {

namespace {

// A plan that has not repeated itself after so many tiles is run to its end.
constexpr uint32_t kSnapshotsMax = 128;
constexpr uint64_t kTilesToSkip = 4;

// To the nearest: each end of a flow comes late by up to a tick.
uint64_t whole_ps(uint64_t ticks) { return (ticks + kTicksPerPs / 2) / kTicksPerPs; }

}  // namespace

SimulationRun::SimulationRun(const Model& model, const SimulateOptions& options,
                             const SimulatedCall& call)
    : model_(model),
      records_(options.record),
      skips_(options.skip && !options.record && model.tiles >= kTilesToSkip),
      shared_(model.bandwidths),
      lanes_(model.threads.size()),
      channels_(model.channel_count),
      arrived_(model.signal_count, 0),
      waiting_(model.signal_count),
      engine_free_ticks_(model.engine_count, 0),
      snapshots_left_(kSnapshotsMax) {
  if (call.stop_ps > 0 && call.stop_ps < kNeverTicks / kTicksPerPs) {
    stop_ticks_ = call.stop_ps * kTicksPerPs;
  }
  if (call.work_max > 0) work_max_ = call.work_max;
}

Result<RunOutcome> SimulationRun::run() {
  watched_ = kNoIndex;
  for (uint32_t i = 0; i < model_.threads.size(); ++i) {
    const ModelThread& thread = model_.threads[i];
    end_at(thread.start_ticks, kNoIndex);
    if (thread.step_count == 0) {
      lanes_[i].status = LaneStatus::done;
      continue;
    }
    if (watched_ == kNoIndex) watched_ = i;
    ++open_lanes_;
    lanes_[i].begin_ticks = thread.start_ticks;
    events_.push(thread.start_ticks, {RunEventKind::wake, i, 0, kNoIndex, 0});
  }
  while (next_ticks() < kNeverTicks && !outcome_.is_stopped) {
    now_ticks_ = next_ticks();
    handle_all_of_now();
    do {
      while (!ready_.empty()) {
        const uint32_t thread = ready_.back();
        ready_.pop_back();
        run_lane(thread);
      }
      grant_engines();
    } while (!ready_.empty());
    settle();
    if (tile_began_ && next_ticks() > now_ticks_ && next_ticks() < kNeverTicks) {
      look_for_repetition();
    }
    outcome_.work = outcome_.event_count + shared_.looked_at();
    outcome_.is_stopped =
        std::max(now_ticks_, end_ticks_) > stop_ticks_ || outcome_.work > work_max_;
  }
  if (open_lanes_ > 0 && !outcome_.is_stopped) return deadlock();
  for (uint32_t i = 0; i < model_.bandwidths.size(); ++i) {
    outcome_.busy_ps.push_back(whole_ps(shared_.busy_ticks(now_ticks_, i)));
  }
  outcome_.time_ps = whole_ps(std::max(now_ticks_, end_ticks_));
  return std::move(outcome_);
}

uint64_t SimulationRun::next_ticks() const {
  uint64_t next = events_.empty() ? kNeverTicks : events_.first_ticks();
  if (!ends_.empty()) next = std::min(next, ends_.first_ticks());
  return next;
}

void SimulationRun::handle_all_of_now() {
  while (next_ticks() == now_ticks_) {
    ++outcome_.event_count;
    if (!ends_.empty() && ends_.first_ticks() == now_ticks_) {
      finish(ends_.pop());
    } else {
      handle(events_.pop());
    }
  }
}

void SimulationRun::handle(const RunEvent& event) {
  switch (event.kind) {
    case RunEventKind::wake:
      make_ready(event.index, kNoIndex);
      break;
    case RunEventKind::arrive:
      arrive(event);
      break;
    case RunEventKind::land_get:
    case RunEventKind::land_read:
      land(event);
      break;
    case RunEventKind::request: {
      const ModelStep& step = model_.steps[event.detail];
      if (step.op == ModelOp::get) {
        channels_[step.channel].queue.push_back(
            {event.index, event.detail, event.tile, event.cause});
        move_channel(step.channel);
      } else {
        const auto flow = static_cast<uint32_t>(event.tile);  // a read's event names its flow
        begin_flow(event.index, event.detail, flow, ModelOp::work, lanes_[event.index].tile,
                   event.cause);
      }
      break;
    }
    case RunEventKind::engine:
      lanes_[event.index].engine_done = true;
      if (lanes_[event.index].reads == 0) complete_work(event.index, kNoIndex);
      break;
  }
}

void SimulationRun::arrive(const RunEvent& event) {
  const ModelStep& step = model_.steps[event.detail];
  ++arrived_[step.signal];
  const uint32_t activity = record(ActivityKind::flight, event.index, step.step, event.tile,
                                   now_ticks_ - step.time_ticks, event.cause);
  end_at(now_ticks_, activity);
  auto& waiting = waiting_[step.signal];
  for (const uint32_t thread : waiting) make_ready(thread, activity);
  waiting.clear();
}

void SimulationRun::land(const RunEvent& event) {
  LaneRun& lane = lanes_[event.index];
  const ModelStep& step = model_.steps[event.detail];
  const uint64_t latency_ticks = model_.flows[step.first_flow].latency_ticks;
  const uint32_t activity = record(ActivityKind::flight, event.index, step.step, event.tile,
                                   now_ticks_ - latency_ticks, event.cause);
  if (event.kind == RunEventKind::land_get) {
    if (--lane.gets == 0 && lane.status == LaneStatus::awaits_gets) {
      make_ready(event.index, activity);
    }
  } else if (--lane.reads == 0 && lane.engine_done) {
    complete_work(event.index, activity);
  }
}

void SimulationRun::make_ready(uint32_t thread, uint32_t cause) {
  LaneRun& lane = lanes_[thread];
  lane.status = LaneStatus::ready;
  if (cause != kNoIndex) lane.cause = cause;
  ready_.push_back(thread);
}

void SimulationRun::run_lane(uint32_t index) {
  LaneRun& lane = lanes_[index];
  const ModelThread& thread = model_.threads[index];
  while (true) {
    if (lane.next == thread.step_count) {
      if (lane.tile + 1 == model_.tiles) {
        lane.status = lane.puts > 0   ? LaneStatus::awaits_puts
                      : lane.gets > 0 ? LaneStatus::awaits_gets
                                      : LaneStatus::done;
        if (lane.status == LaneStatus::done) {
          --open_lanes_;
          end_at(now_ticks_, lane.cause);
        }
        return;
      }
      lane.next = 0;
      ++lane.tile;
      if (index == watched_) tile_began_ = true;
    }
    const ModelStep& step = model_.steps[thread.first_step + lane.next];
    if (!lane.is_paid) {
      if (is_blocked(index, step)) return;
      lane.is_paid = true;
      if (step.busy_ticks > 0) {
        lane.status = LaneStatus::asleep;
        events_.push(now_ticks_ + step.busy_ticks, {RunEventKind::wake, index, 0, kNoIndex, 0});
        return;
      }
    }
    lane.is_paid = false;
    if (!act(index, step)) return;
  }
}

bool SimulationRun::is_blocked(uint32_t index, const ModelStep& step) {
  LaneRun& lane = lanes_[index];
  if (step.waits_for_gets && lane.gets > 0) {
    lane.status = LaneStatus::awaits_gets;
    return true;
  }
  if (step.waits_for_puts && lane.puts > 0) {
    lane.status = LaneStatus::awaits_puts;
    return true;
  }
  if (step.op == ModelOp::record && now_ticks_ < step.time_ticks) {
    lane.status = LaneStatus::asleep;
    events_.push(step.time_ticks, {RunEventKind::wake, index, 0, kNoIndex, 0});
    return true;
  }
  if (step.op != ModelOp::wait || lane.tile < step.tiles_back) return false;
  if (arrived_[step.signal] > lane.tile - step.tiles_back + step.tiles_ahead) return false;
  lane.status = LaneStatus::awaits_signal;
  waiting_[step.signal].push_back(index);
  return true;
}

// Whether the lane goes on at once.
bool SimulationRun::act(uint32_t index, const ModelStep& step) {
  LaneRun& lane = lanes_[index];
  const uint32_t at = model_.threads[index].first_step + lane.next;
  const uint64_t tile = lane.tile;
  switch (step.op) {
    case ModelOp::wait:
    case ModelOp::record:
      pass(index, step);
      return true;
    case ModelOp::work:
      return begin_work(index, step);
    case ModelOp::get:
      pass(index, step);
      if (step.flow_count == 0) return true;
      ++lane.gets;
      events_.push(now_ticks_ + model_.flows[step.first_flow].request_ticks,
                   {RunEventKind::request, index, at, lane.cause, tile});
      return true;
    case ModelOp::put:
    case ModelOp::signal:
      pass(index, step);
      if (step.op == ModelOp::put && step.flow_count == 0) return true;
      if (step.op == ModelOp::put) ++lane.puts;
      channels_[step.channel].queue.push_back({index, at, tile, lane.cause});
      move_channel(step.channel);
      if (!step.holds_lane) return true;
      lane.status = LaneStatus::held;
      return false;
  }
  return true;
}

bool SimulationRun::begin_work(uint32_t index, const ModelStep& step) {
  LaneRun& lane = lanes_[index];
  if (step.work_ticks == 0 && step.flow_count == 0) {
    pass(index, step);
    return true;
  }
  lane.status = LaneStatus::working;
  lane.engine_done = step.work_ticks == 0;
  lane.reads = step.flow_count;
  const uint32_t at = model_.threads[index].first_step + lane.next;
  for (uint32_t i = 0; i < step.flow_count; ++i) {
    const uint32_t flow = step.first_flow + i;
    events_.push(now_ticks_ + model_.flows[flow].request_ticks,
                 {RunEventKind::request, index, at, lane.cause, flow});
  }
  if (!lane.engine_done) requests_.push_back(index);
  return false;
}

void SimulationRun::complete_work(uint32_t index, uint32_t cause) {
  LaneRun& lane = lanes_[index];
  if (cause != kNoIndex) lane.cause = cause;
  pass(index, model_.steps[model_.threads[index].first_step + lane.next]);
  make_ready(index, kNoIndex);
}

// The step is done; the lane stands before the next.
void SimulationRun::pass(uint32_t index, const ModelStep& step) {
  LaneRun& lane = lanes_[index];
  if (now_ticks_ > lane.begin_ticks) {
    const uint32_t activity =
        record(ActivityKind::step, index, step.step, lane.tile, lane.begin_ticks, lane.cause);
    if (activity != kNoIndex) lane.cause = activity;
  }
  lane.begin_ticks = now_ticks_;
  ++lane.next;
}

// In turn; requests of one time by lane.
void SimulationRun::grant_engines() {
  std::sort(requests_.begin(), requests_.end());
  for (const uint32_t index : requests_) {
    const ModelThread& thread = model_.threads[index];
    const ModelStep& step = model_.steps[thread.first_step + lanes_[index].next];
    uint64_t& free_ticks = engine_free_ticks_[thread.engine];
    free_ticks = std::max(free_ticks, now_ticks_) + step.work_ticks;
    events_.push(free_ticks, {RunEventKind::engine, index, 0, kNoIndex, 0});
  }
  requests_.clear();
}

void SimulationRun::move_channel(uint32_t index) {
  Channel& channel = channels_[index];
  while (!channel.is_flowing && channel.head < channel.queue.size()) {
    const Message message = channel.queue[channel.head++];
    const ModelStep& step = model_.steps[message.step];
    if (step.op == ModelOp::signal) {
      events_.push(now_ticks_ + step.time_ticks, {RunEventKind::arrive, message.thread,
                                                  message.step, message.cause, message.tile});
      continue;
    }
    channel.is_flowing = true;
    begin_flow(message.thread, message.step, step.first_flow, step.op, message.tile, message.cause);
  }
  if (channel.head == channel.queue.size()) {
    channel.queue.clear();
    channel.head = 0;
  }
}

void SimulationRun::begin_flow(uint32_t thread, uint32_t step, uint32_t model_flow, ModelOp op,
                               uint64_t tile, uint32_t cause) {
  const ModelFlow& flow = model_.flows[model_flow];
  const ModelWay& way = model_.ways[flow.way];
  const auto uses = std::span(model_.uses).subspan(way.first_use, way.use_count);
  uint32_t index = kNoIndex;
  if (done_flow_ != kNoIndex && model_.flows[flows_[done_flow_].model_flow].way == flow.way) {
    index = std::exchange(done_flow_, kNoIndex);
    shared_.go_on(now_ticks_, index, flow.bytes);
  } else {
    index = shared_.begin(now_ticks_, flow.bytes, uses.first(way.limit_count),
                          uses.subspan(way.limit_count));
  }
  if (flows_.size() <= index) flows_.resize(index + 1);
  FlowRun& run = flows_[index];
  run = {thread, step, model_flow, op, true, now_ticks_, tile, cause};
  if (uses.empty()) ends_.set(index, now_ticks_);
}

void SimulationRun::finish(uint32_t index) {
  const FlowRun run = flows_[index];
  flows_[index].is_open = false;
  const ModelFlow& flow = model_.flows[run.model_flow];
  const ModelStep& step = model_.steps[run.step];
  const uint32_t activity = record(ActivityKind::flow, run.thread, step.step, run.tile,
                                   run.begin_ticks, run.cause, shared_.bottleneck(index));
  LaneRun& lane = lanes_[run.thread];
  if (run.op == ModelOp::put) {
    end_at(now_ticks_ + flow.latency_ticks, activity);
    const bool is_last = --lane.puts == 0 && lane.status == LaneStatus::awaits_puts;
    const bool held = step.holds_lane && lane.status == LaneStatus::held;
    if (is_last || held) make_ready(run.thread, activity);
  } else {
    const RunEventKind kind =
        run.op == ModelOp::get ? RunEventKind::land_get : RunEventKind::land_read;
    events_.push(now_ticks_ + flow.latency_ticks, {kind, run.thread, run.step, activity, run.tile});
    if (run.op == ModelOp::work) return shared_.end(now_ticks_, index);
  }
  Channel& channel = channels_[step.channel];
  channel.is_flowing = false;
  // What was queued meanwhile was held up by this flow.
  for (size_t i = channel.head; i < channel.queue.size() && activity != kNoIndex; ++i) {
    channel.queue[i].cause = activity;
  }
  // What follows the same way takes the flow's place.
  const bool takes_time = model_.ways[flow.way].use_count > 0;
  if (takes_time) done_flow_ = index;
  move_channel(step.channel);
  if (!takes_time || done_flow_ == index) shared_.end(now_ticks_, index);
  done_flow_ = kNoIndex;
}

void SimulationRun::settle() {
  for (const uint32_t index : shared_.settle(now_ticks_)) {
    if (shared_.end_ticks(index) < kNeverTicks) {
      ends_.set(index, shared_.end_ticks(index));
    } else {
      ends_.remove(index);
    }
  }
}

uint32_t SimulationRun::record(ActivityKind kind, uint32_t thread, uint32_t step, uint64_t tile,
                               uint64_t begin_ticks, uint32_t cause, uint32_t resource) {
  if (!records_) return kNoIndex;
  const ModelThread& of = model_.threads[thread];
  outcome_.activities.push_back({kind, of.rank, of.lane, step, tile, whole_ps(begin_ticks),
                                 whole_ps(now_ticks_), cause, resource});
  return static_cast<uint32_t>(outcome_.activities.size() - 1);
}

void SimulationRun::end_at(uint64_t time_ticks, uint32_t activity) {
  if (time_ticks < end_ticks_) return;
  end_ticks_ = time_ticks;
  outcome_.last_activity = activity;
}

Error SimulationRun::deadlock() const {
  if (std::any_of(flows_.begin(), flows_.end(), [](const FlowRun& run) { return run.is_open; })) {
    return make_error(Code::resource_exhausted,
                      "a message takes hours: nothing is simulated so long");
  }
  for (size_t i = 0; i < lanes_.size(); ++i) {
    if (lanes_[i].status != LaneStatus::awaits_signal) continue;
    const ModelThread& thread = model_.threads[i];
    const ModelStep& step = model_.steps[thread.first_step + lanes_[i].next];
    return make_error(Code::invalid_argument,
                      "rank " + std::to_string(thread.rank) + " waits for ever in step " +
                          std::to_string(step.step) + " of lane " + std::to_string(thread.lane));
  }
  return make_error(Code::internal, "a simulation stands still and nobody waits");
}

}  // namespace unirack
