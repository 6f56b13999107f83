#include "collectives/schedule.h"

#include <algorithm>
#include <utility>

#include "lib/base/hash.h"

namespace unirack {

namespace {

void hash_step(Hash64& hash, const Program& program, const Step& step) {
  hash.add(static_cast<uint64_t>(step.op) | uint64_t{step.peer_lane} << 8 |
           static_cast<uint64_t>(static_cast<uint32_t>(step.peer)) << 32);
  hash.add(uint64_t{step.value.v} | uint64_t{step.value.tiles_back} << 32);
  hash.add(uint64_t{step.begin} | uint64_t{step.end} << 32);
  const auto add_slice = [&](const Slice& slice) {
    hash.add(static_cast<uint64_t>(static_cast<uint32_t>(slice.rank)) |
             static_cast<uint64_t>(slice.buffer) << 32);
    hash.add(uint64_t{slice.block} | uint64_t{slice.origin} << 32);
  };
  add_slice(step.target);
  for (uint32_t i = 0; i < step.sources.count; ++i) {
    add_slice(program.sources[step.sources.first + i]);
  }
}

uint64_t hash_all(const ScheduleHeader& header, const std::vector<Program>& programs) {
  Hash64 hash;
  hash.add(static_cast<uint64_t>(header.collective) | uint64_t{header.symmetric} << 8 |
           uint64_t{header.reassociates} << 9 | uint64_t{header.in_place} << 10);
  hash.add(static_cast<uint64_t>(header.rank_count) << 32 | static_cast<uint32_t>(header.root));
  hash.add(uint64_t{header.chunks} << 32 | header.stages);
  hash.add(header.granule_bytes);
  hash.add(header.tile_bytes);
  for (const auto& group : header.sum_groups) {
    hash.add(group.size());
    for (const Rank rank : group) hash.add(static_cast<uint64_t>(rank));
  }
  for (const Program& program : programs) {
    hash.add(program.values_per_tile);
    hash.add(program.scratch.size());
    for (const ScratchBlock& block : program.scratch) {
      hash.add(uint64_t{block.parts} << 8 | static_cast<uint64_t>(block.form));
    }
    for (const Lane& lane : program.lanes) {
      hash.add(lane.steps.size());
      for (const Step& step : lane.steps) hash_step(hash, program, step);
    }
  }
  return hash.value();
}

// By owner and buffer: whether another rank's program names that input or output.
std::vector<bool> find_visited(const std::vector<Program>& programs) {
  std::vector<bool> visited(programs.size() * 2, false);
  for (size_t i = 0; i < programs.size(); ++i) {
    const auto note = [&](const Slice& slice) {
      const auto owner = static_cast<size_t>(slice.rank);
      if (slice.buffer == BufferId::scratch || owner == i || owner >= programs.size()) return;
      visited[owner * 2 + (slice.buffer == BufferId::output ? 1 : 0)] = true;
    };
    for (const Slice& source : programs[i].sources) note(source);
    for (const Lane& lane : programs[i].lanes) {
      for (const Step& step : lane.steps) {
        if (step.op == Op::copy) note(step.target);
      }
    }
  }
  return visited;
}

constexpr uint64_t kScratchAlignBytes = 64;

}  // namespace

Schedule::Schedule(ScheduleHeader header, std::vector<Program> programs)
    : header_(std::move(header)), programs_(std::move(programs)) {
  for (Program& program : programs_) {
    program.chunks = header_.chunks;
    program.stages = header_.stages;
  }
  visited_ = find_visited(programs_);
  hash_ = hash_all(header_, programs_);
}

bool Schedule::is_visited(Rank owner, BufferId buffer) const {
  return visited_[static_cast<size_t>(owner) * 2 + (buffer == BufferId::output ? 1 : 0)];
}

uint32_t Schedule::step_count() const {
  size_t most = 0;
  for (const Program& program : programs_) {
    size_t steps = 0;
    for (const Lane& lane : program.lanes) steps += lane.steps.size();
    most = std::max(most, steps);
  }
  return static_cast<uint32_t>(most);
}

Schedule Schedule::with_tiles(uint64_t tile_bytes) const {
  ScheduleHeader header = header_;
  header.tile_bytes = tile_bytes;
  return {std::move(header), programs_};
}

uint64_t Schedule::tile_count(uint64_t block_bytes) const {
  if (header_.tile_bytes == 0 || block_bytes <= header_.tile_bytes) return 1;
  return (block_bytes + header_.tile_bytes - 1) / header_.tile_bytes;
}

Geometry Schedule::geometry(uint64_t count, DataType type) const {
  const uint64_t element = size_of(type);
  Geometry geometry;
  geometry.count = count;
  geometry.tiles = static_cast<uint32_t>(tile_count(count * element));
  geometry.chunks = header_.chunks;
  geometry.granule = static_cast<uint32_t>(std::max<uint64_t>(1, header_.granule_bytes / element));
  return geometry;
}

uint64_t Schedule::scratch_bytes(uint64_t count, DataType type) const {
  // Every program has the same scratch blocks.
  return plan_scratch(programs_.front(), geometry(count, type), type).stage_bytes * header_.stages;
}

ScratchPlan plan_scratch(const Program& program, const Geometry& geometry, DataType type) {
  ScratchPlan plan;
  plan.offsets.reserve(program.scratch.size());
  for (const ScratchBlock& block : program.scratch) {
    plan.offsets.push_back(plan.stage_bytes);
    const uint64_t bytes = geometry.run_max(block.parts) * size_of(type, block.form);
    plan.stage_bytes += (bytes + kScratchAlignBytes - 1) / kScratchAlignBytes * kScratchAlignBytes;
  }
  return plan;
}

Builder::Builder(ScheduleHeader header) : header_(std::move(header)) {
  programs_.resize(static_cast<size_t>(header_.rank_count));
  values_.resize(programs_.size());
}

uint32_t Builder::scratch(uint32_t parts, Form form) {
  scratch_.push_back({parts, form});
  return static_cast<uint32_t>(scratch_.size() - 1);
}

std::vector<Step>& Builder::steps(Rank rank, int lane) {
  auto& lanes = program(rank).lanes;
  const auto index = static_cast<size_t>(lane);
  if (lanes.size() <= index) lanes.resize(index + 1);
  return lanes[index].steps;
}

void Builder::append(Rank rank, int lane, Step step, std::span<const Slice> sources) {
  auto& arena = program(rank).sources;
  step.sources = {static_cast<uint32_t>(arena.size()), static_cast<uint32_t>(sources.size())};
  arena.insert(arena.end(), sources.begin(), sources.end());
  steps(rank, lane).push_back(step);
}

void Builder::move(Op op, Rank rank, int lane, Parts parts, Slice target,
                   std::span<const Slice> sources) {
  if (parts.begin == parts.end) return;
  auto& own = steps(rank, lane);
  if (!own.empty() && own.back().op == op && own.back().end == parts.begin &&
      own.back().target == target && own.back().sources.count == sources.size()) {
    const Slice* last = program(rank).sources.data() + own.back().sources.first;
    if (std::equal(sources.begin(), sources.end(), last)) {
      own.back().end = parts.end;
      return;
    }
  }
  append(rank, lane, Step{.op = op, .begin = parts.begin, .end = parts.end, .target = target},
         sources);
}

void Builder::copy(Rank rank, int lane, Parts parts, Slice target, Slice source) {
  move(Op::copy, rank, lane, parts, target, std::span<const Slice>(&source, 1));
}

void Builder::reduce(Rank rank, int lane, Parts parts, Slice target,
                     std::span<const Slice> sources) {
  move(Op::reduce, rank, lane, parts, target, sources);
}

Mark Builder::signal(Rank rank, int lane, Rank peer) {
  auto& values = values_[static_cast<size_t>(rank)];
  const auto index = static_cast<size_t>(lane);
  if (values.size() <= index) values.resize(index + 1, 0);
  Step step{.op = Op::signal, .peer = peer, .value = {++values[index], 0}};
  append(rank, lane, step, {});
  return {rank, lane, values[index]};
}

void Builder::wait(Rank rank, int lane, Mark mark, uint32_t tiles_back) {
  Step step{.op = Op::wait,
            .peer_lane = static_cast<uint8_t>(mark.lane),
            .peer = mark.writer,
            .value = {mark.v, tiles_back}};
  append(rank, lane, step, {});
}

void Builder::wait_record(Rank rank, int lane, Rank peer) { wait(rank, lane, {peer, 0, 0}); }

Schedule Builder::build() && {
  size_t lanes = 1;
  uint32_t values = 1;
  for (size_t i = 0; i < programs_.size(); ++i) {
    lanes = std::max(lanes, programs_[i].lanes.size());
    for (const uint32_t v : values_[i]) values = std::max(values, v);
  }
  for (Program& each : programs_) {
    each.lanes.resize(lanes);
    each.values_per_tile = values;
    each.scratch = scratch_;
  }
  return {std::move(header_), std::move(programs_)};
}

}  // namespace unirack
