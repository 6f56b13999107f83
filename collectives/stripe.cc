#include <algorithm>

#include "collectives/schedule.h"

namespace unirack {

namespace {

// Chunk c of the one lane becomes chunk c of lane `lane`'s share of the same data block.
struct Shift {
  uint32_t chunks;
  uint32_t lanes;
  uint32_t lane;
  uint32_t scratch_count;

  uint32_t block_start(uint32_t part) const { return part / chunks * chunks * lanes; }
  uint32_t part(uint32_t small) const {
    return block_start(small) + lane * chunks + small % chunks;
  }
  Slice slice(Slice small) const {
    if (small.buffer == BufferId::scratch) {
      small.block += lane * scratch_count;
      small.origin = part(small.origin);
    } else {
      small.origin = block_start(small.origin);
    }
    return small;
  }
};

void add_lane(const Program& one, const Shift& shift, Program& program) {
  const auto base = static_cast<uint32_t>(program.sources.size());
  for (const Slice& source : one.sources) program.sources.push_back(shift.slice(source));
  Lane& lane = program.lanes.emplace_back();
  for (Step step : one.lanes[0].steps) {
    if (step.op == Op::wait && step.value.v > 0) step.peer_lane = static_cast<uint8_t>(shift.lane);
    if (step.op == Op::copy || step.op == Op::reduce) {
      step.end = shift.part(step.end - 1) + 1;
      step.begin = shift.part(step.begin);
      step.target = shift.slice(step.target);
      step.sources.first += base;
    }
    lane.steps.push_back(step);
  }
  program.scratch.insert(program.scratch.end(), one.scratch.begin(), one.scratch.end());
}

}  // namespace

Schedule stripe(Schedule schedule, int lanes) {
  if (lanes <= 1) return schedule;
  ScheduleHeader header = schedule.header();
  std::vector<Program> programs;
  for (Rank rank = 0; rank < header.rank_count; ++rank) {
    const Program& one = schedule.program_view(rank);
    Program& program = programs.emplace_back();
    program.values_per_tile = one.values_per_tile;
    for (int lane = 0; lane < lanes; ++lane) {
      add_lane(one,
               {header.chunks, static_cast<uint32_t>(lanes), static_cast<uint32_t>(lane),
                static_cast<uint32_t>(one.scratch.size())},
               program);
    }
  }
  header.chunks *= static_cast<uint32_t>(lanes);
  return {std::move(header), std::move(programs)};
}

Schedule stripe_staggered(const Schedule& schedule, int lanes) {
  const Schedule striped = stripe(schedule, lanes);
  std::vector<Program> programs;
  for (Rank rank = 0; rank < striped.header().rank_count; ++rank) {
    const auto& first = schedule.program_view(rank).lanes[0].steps;
    const auto is_arrival = [](const Step& step) {
      return step.op == Op::wait && step.value.v > 0 && step.value.tiles_back == 0;
    };
    const auto begin = std::find_if(first.begin(), first.end(), is_arrival);
    const auto end = std::find_if_not(begin, first.end(), is_arrival);
    Program& program = programs.emplace_back(striped.program(rank));
    for (size_t lane = 1; lane < program.lanes.size(); ++lane) {
      std::vector<Step> arrivals(begin, end);
      for (Step& step : arrivals) step.peer_lane = static_cast<uint8_t>(lane - 1);
      auto& steps = program.lanes[lane].steps;
      steps.insert(steps.begin(), arrivals.begin(), arrivals.end());
    }
  }
  return {striped.header(), std::move(programs)};
}

Schedule refine(const Schedule& schedule, uint32_t factor) {
  ScheduleHeader header = schedule.header();
  header.chunks *= factor;
  std::vector<Program> programs;
  for (Rank rank = 0; rank < header.rank_count; ++rank) {
    Program& program = programs.emplace_back(schedule.program(rank));
    for (ScratchBlock& block : program.scratch) block.parts *= factor;
    for (Slice& source : program.sources) source.origin *= factor;
    for (Lane& lane : program.lanes) {
      for (Step& step : lane.steps) {
        step.begin *= factor;
        step.end *= factor;
        step.target.origin *= factor;
      }
    }
  }
  return {std::move(header), std::move(programs)};
}

}  // namespace unirack
