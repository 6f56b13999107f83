// Skipping tiles that repeat. Where everything stands as it stood some tiles before, relative to
// the tile and the time, the tiles between will come again and again: as many such periods are
// skipped as end before any lane begins its last tile.
#include <algorithm>
#include <tuple>
#include <utility>

#include "collectives/simulate/simulation_run.h"

namespace unirack {

namespace {

// A lane may be so many tiles from its end that skipping is not worth while.
constexpr uint64_t kTilesKept = 2;

uint64_t hash_words(const std::vector<uint64_t>& words) {
  uint64_t hash = 0xcbf29ce484222325ull;
  for (const uint64_t word : words) {
    hash = (hash ^ word) * 0x9e3779b97f4a7c15ull;
    hash ^= hash >> 29;
  }
  return hash;
}

}  // namespace

void SimulationRun::look_for_repetition() {
  tile_began_ = false;
  if (!skips_) return;
  const uint64_t tile = lanes_[watched_].tile;
  for (const LaneRun& lane : lanes_) {
    // Lanes of no steps are done from the start; of others nobody may be, and the first tiles wait
    // for less than others do.
    const auto index = static_cast<size_t>(&lane - lanes_.data());
    if (model_.threads[index].step_count == 0) continue;
    if (lane.status == LaneStatus::done) skips_ = false;
    if (!skips_ || lane.tile < model_.tiles_back_max) return;
  }
  if (tile + kTilesKept >= model_.tiles || snapshots_left_ == 0) {
    skips_ = false;
    snapshots_.clear();
    return;
  }
  --snapshots_left_;
  Snapshot now = take_snapshot();
  const auto [at, is_new] = snapshots_.try_emplace(hash_words(now.words));
  if (!is_new && at->second.words == now.words) {
    jump(at->second, now);
    skips_ = false;
    snapshots_.clear();
    return;
  }
  at->second = std::move(now);
}

SimulationRun::Snapshot SimulationRun::take_snapshot() const {
  Snapshot snapshot;
  snapshot.tile = lanes_[watched_].tile;
  snapshot.time_ticks = now_ticks_;
  std::vector<uint64_t>& words = snapshot.words;
  for (const LaneRun& lane : lanes_) {
    words.push_back(lane.tile - snapshot.tile);
    words.push_back(uint64_t{lane.next} << 32 | uint64_t{lane.puts});
    words.push_back(uint64_t{lane.gets} << 32 | uint64_t{lane.reads});
    words.push_back(static_cast<uint64_t>(lane.status) | uint64_t{lane.is_paid} << 8 |
                    uint64_t{lane.engine_done} << 9);
  }
  for (const uint64_t arrived : arrived_) words.push_back(arrived - snapshot.tile);
  for (const uint64_t free_ticks : engine_free_ticks_) {
    words.push_back(std::max(free_ticks, now_ticks_) - now_ticks_);
  }
  append_channels(words);
  append_events(words);
  append_flows(words);
  for (uint32_t i = 0; i < model_.bandwidths.size(); ++i) {
    snapshot.busy_ticks.push_back(shared_.busy_ticks(now_ticks_, i));
  }
  return snapshot;
}

void SimulationRun::append_channels(std::vector<uint64_t>& words) const {
  for (size_t i = 0; i < channels_.size(); ++i) {
    const Channel& channel = channels_[i];
    if (!channel.is_flowing && channel.head == channel.queue.size()) continue;
    words.push_back(i << 1 | (channel.is_flowing ? 1 : 0));
    words.push_back(channel.queue.size() - channel.head);
    for (size_t at = channel.head; at < channel.queue.size(); ++at) {
      words.push_back(channel.queue[at].step);
    }
  }
}

void SimulationRun::append_events(std::vector<uint64_t>& words) const {
  using Word = std::tuple<uint64_t, uint64_t, uint64_t>;
  std::vector<Word> open;
  events_.for_each([&](uint64_t ticks, const RunEvent& event) {
    const bool is_read =
        event.kind == RunEventKind::request && model_.steps[event.detail].op == ModelOp::work;
    open.emplace_back(ticks - now_ticks_, static_cast<uint64_t>(event.kind) << 32 | event.index,
                      uint64_t{event.detail} << 32 | (is_read ? event.tile : 0));
  });
  std::sort(open.begin(), open.end());
  words.push_back(open.size());
  for (const auto& [time, what, detail] : open) {
    words.push_back(time);
    words.push_back(what);
    words.push_back(detail);
  }
}

void SimulationRun::append_flows(std::vector<uint64_t>& words) const {
  using Word = std::tuple<uint64_t, uint64_t, WideUnsigned>;
  std::vector<Word> open;
  for (uint32_t i = 0; i < flows_.size(); ++i) {
    const FlowRun& run = flows_[i];
    if (!run.is_open) continue;
    open.emplace_back(uint64_t{run.thread} << 32 | run.step, run.model_flow,
                      shared_.left_at(now_ticks_, i));
  }
  std::sort(open.begin(), open.end());
  words.push_back(open.size());
  for (const auto& [place, flow, left] : open) {
    words.push_back(place);
    words.push_back(flow);
    words.push_back(static_cast<uint64_t>(left));
    words.push_back(static_cast<uint64_t>(left >> 64));
  }
}

void SimulationRun::jump(const Snapshot& before, const Snapshot& now) {
  const uint64_t period = now.tile - before.tile;
  uint64_t times = UINT64_MAX;
  for (size_t i = 0; i < lanes_.size(); ++i) {
    if (model_.threads[i].step_count == 0) continue;
    times = std::min(times, (model_.tiles - 1 - lanes_[i].tile) / period);
  }
  const uint64_t period_ticks = now.time_ticks - before.time_ticks;
  outcome_.period_tiles = period;
  outcome_.period_ps = (period_ticks + kTicksPerPs / 2) / kTicksPerPs;
  const uint64_t tiles = times * period;
  const uint64_t by_ticks = times * period_ticks;
  for (LaneRun& lane : lanes_) {
    lane.tile += tiles;
    lane.begin_ticks += by_ticks;
  }
  for (uint64_t& arrived : arrived_) arrived += tiles;
  for (uint64_t& free_ticks : engine_free_ticks_) free_ticks += by_ticks;
  events_.shift(by_ticks);
  ends_.shift(by_ticks);
  shared_.shift(by_ticks);
  for (uint32_t i = 0; i < now.busy_ticks.size(); ++i) {
    shared_.add_busy_ticks(i, times * (now.busy_ticks[i] - before.busy_ticks[i]));
  }
  now_ticks_ += by_ticks;
  outcome_.tiles_skipped += tiles;
}

}  // namespace unirack
