#include <algorithm>
#include <utility>

#include "collectives/schedule.h"

namespace unirack {

namespace {

Error cannot_embed(const std::string& why) {
  return make_error(Code::internal, "schedule cannot be embedded: " + why);
}

// Renames the steps of one small program into a large one.
class Renamer {
 public:
  Renamer(const Schedule& small, const Embedding& embedding)
      : small_(small.header()), embedding_(embedding) {}

  Status rename(const Program& from, Program& to) {
    to.lanes.resize(from.lanes.size());
    for (size_t lane = 0; lane < from.lanes.size(); ++lane) {
      for (const Step& step : from.lanes[lane].steps) {
        UNIRACK_TRY(rename_step(from, step, to, to.lanes[lane].steps));
      }
    }
    return ok_status();
  }

 private:
  Status rename_step(const Program& from, Step step, Program& to, std::vector<Step>& steps) {
    if (step.peer >= 0) step.peer = embedding_.ranks[static_cast<size_t>(step.peer)];
    if (step.op == Op::signal || step.op == Op::wait) {
      steps.push_back(step);
      return ok_status();
    }
    // Parts that are neighbours in the small schedule may lie apart in the large one.
    for (uint32_t begin = step.begin; begin < step.end;) {
      uint32_t end = begin + 1;
      while (end < step.end && part(end) == part(end - 1) + 1 && same_block(end - 1, end)) ++end;
      UNIRACK_TRY(append_run(from, step, begin, end, to, steps));
      begin = end;
    }
    return ok_status();
  }

  Status append_run(const Program& from, Step step, uint32_t begin, uint32_t end, Program& to,
                    std::vector<Step>& steps) {
    step.begin = part(begin);
    step.end = part(end - 1) + 1;
    step.target = UNIRACK_TRY(slice(step.target, begin));
    std::vector<Slice> sources;
    for (uint32_t i = 0; i < step.sources.count; ++i) {
      sources.push_back(UNIRACK_TRY(slice(from.sources[step.sources.first + i], begin)));
    }
    // Two places of the small schedule may be one in the large.
    if (step.op == Op::copy && sources[0] == step.target) return ok_status();
    step.sources = {static_cast<uint32_t>(to.sources.size()), step.sources.count};
    to.sources.insert(to.sources.end(), sources.begin(), sources.end());
    steps.push_back(step);
    return ok_status();
  }

  Result<Slice> slice(const Slice& small, uint32_t begin) const {
    const auto rank = static_cast<size_t>(small.rank);
    Slice large{embedding_.ranks[rank], BufferId::scratch, 0, 0};
    if (small.buffer == BufferId::scratch) {
      // What lies between the origin and the run must lie there in the large schedule too.
      for (uint32_t p = small.origin; p < begin; ++p) {
        if (part(p + 1) != part(p) + 1) return cannot_embed("a scratch block is torn apart");
      }
      large.block = small.block + embedding_.scratch_at;
      large.origin = part(small.origin);
      return large;
    }
    const auto& places = small.buffer == BufferId::input ? embedding_.inputs : embedding_.outputs;
    if (rank >= places.size() || small.block >= places[rank].size()) {
      return cannot_embed("a block has no place");
    }
    const Place& place = places[rank][small.block];
    large.buffer = place.buffer;
    large.block = place.block;
    large.origin = place.buffer == BufferId::scratch
                       ? place.origin
                       : part(begin) - part(begin) % embedding_.header.chunks;
    return large;
  }

  uint32_t part(uint32_t small) const { return embedding_.parts[small]; }
  bool same_block(uint32_t a, uint32_t b) const {
    return part(a) / embedding_.header.chunks == part(b) / embedding_.header.chunks &&
           a / small_.chunks == b / small_.chunks;
  }

  const ScheduleHeader& small_;
  const Embedding& embedding_;
};

// Highest value that each (rank, lane) signals.
std::vector<std::vector<uint32_t>> last_values(const Schedule& schedule) {
  std::vector<std::vector<uint32_t>> last;
  for (Rank rank = 0; rank < schedule.header().rank_count; ++rank) {
    auto& lanes = last.emplace_back(kLanesMax, 0);
    const Program& program = schedule.program_view(rank);
    for (size_t lane = 0; lane < program.lanes.size(); ++lane) {
      for (const Step& step : program.lanes[lane].steps) {
        if (step.op == Op::signal) lanes[lane] = std::max(lanes[lane], step.value.v);
      }
    }
  }
  return last;
}

bool has_steps(const Program& program, size_t lane) {
  return lane < program.lanes.size() && !program.lanes[lane].steps.empty();
}

// Who waits in lane `lane` of b for the record of `rank`, from the rank after it on: what ranks do
// alike they also do in the same order.
std::vector<Rank> record_waiters(const Schedule& b, Rank rank, size_t lane) {
  std::vector<Rank> waiters;
  const int ranks = b.header().rank_count;
  for (int i = 1; i <= ranks; ++i) {
    const Rank other = (rank + i) % ranks;
    const Program& program = b.program_view(other);
    if (lane >= program.lanes.size()) continue;
    const auto& steps = program.lanes[lane].steps;
    if (std::any_of(steps.begin(), steps.end(), [&](const Step& step) {
          return step.op == Op::wait && step.peer == rank && step.value.v == 0;
        })) {
      waiters.push_back(other);
    }
  }
  return waiters;
}

class Appender {
 public:
  Appender(const Schedule& a, const Schedule& b)
      : a_(a), b_(b), shift_(last_values(a)), ready_(shift_) {}

  Schedule join() {
    const auto ranks = static_cast<size_t>(a_.header().rank_count);
    std::vector<Program> programs;
    for (size_t i = 0; i < ranks; ++i) {
      programs.push_back(a_.program_view(static_cast<Rank>(i)));
      programs.back().scratch = b_.program_view(static_cast<Rank>(i)).scratch;
      announce(static_cast<Rank>(i), programs.back());
    }
    for (size_t i = 0; i < ranks; ++i) append(static_cast<Rank>(i), programs[i]);
    uint32_t values = 1;
    size_t lanes = 1;
    for (const Program& program : programs) {
      lanes = std::max(lanes, program.lanes.size());
      for (const Lane& lane : program.lanes) {
        for (const Step& step : lane.steps) {
          if (step.op == Op::signal) values = std::max(values, step.value.v);
        }
      }
    }
    for (Program& program : programs) {
      program.lanes.resize(lanes);
      program.values_per_tile = values;
    }
    return {b_.header(), std::move(programs)};
  }

 private:
  // At the end of a's lane: tells everyone who would wait for this rank's record in b.
  void announce(Rank rank, Program& program) {
    for (size_t lane = 0; lane < program.lanes.size(); ++lane) {
      if (!has_steps(program, lane)) continue;
      const auto waiters = record_waiters(b_, rank, lane);
      if (waiters.empty()) continue;
      auto& shift = shift_[static_cast<size_t>(rank)][lane];
      ready_[static_cast<size_t>(rank)][lane] = ++shift;
      for (const Rank waiter : waiters) {
        program.lanes[lane].steps.push_back(
            {.op = Op::signal, .peer = waiter, .value = {shift, 0}});
      }
    }
  }

  void append(Rank rank, Program& program) {
    const Program& tail = b_.program_view(rank);
    if (program.lanes.size() < tail.lanes.size()) program.lanes.resize(tail.lanes.size());
    const auto base = static_cast<uint32_t>(program.sources.size());
    program.sources.insert(program.sources.end(), tail.sources.begin(), tail.sources.end());
    for (size_t lane = 0; lane < tail.lanes.size(); ++lane) {
      for (Step step : tail.lanes[lane].steps) {
        step.sources.first += base;
        shift_value(rank, lane, step);
        program.lanes[lane].steps.push_back(step);
      }
    }
  }

  void shift_value(Rank rank, size_t lane, Step& step) const {
    if (step.op == Op::signal) {
      step.value.v += shift_[static_cast<size_t>(rank)][lane];
    } else if (step.op == Op::wait && step.value.v > 0) {
      step.value.v += shift_[static_cast<size_t>(step.peer)][step.peer_lane];
    } else if (step.op == Op::wait && has_steps(a_.program_view(step.peer), lane)) {
      step.peer_lane = static_cast<uint8_t>(lane);
      step.value.v = ready_[static_cast<size_t>(step.peer)][lane];
    }
  }

  const Schedule& a_;
  const Schedule& b_;
  std::vector<std::vector<uint32_t>> shift_;  // added to b's values, by writer and lane
  std::vector<std::vector<uint32_t>> ready_;  // the value that says "done with a"
};

// The blocks that exist, grown and continued by those of the small schedule.
Result<std::vector<ScratchBlock>> joint_scratch(const Program& small, const Embedding& embedding) {
  auto joint = embedding.scratch;
  if (embedding.scratch_at > joint.size()) return cannot_embed("there is a gap in the scratch");
  for (size_t i = 0; i < small.scratch.size(); ++i) {
    ScratchBlock block = small.scratch[i];
    if (block.form == Form::user) block.form = embedding.input_form;
    const size_t at = embedding.scratch_at + i;
    if (at == joint.size()) {
      joint.push_back(block);
      continue;
    }
    if (joint[at].form != block.form) return cannot_embed("shared scratch differs in form");
    joint[at].parts = std::max(joint[at].parts, block.parts);
  }
  return joint;
}

}  // namespace

Result<Schedule> embed(const Schedule& schedule, const Embedding& embedding) {
  const ScheduleHeader& small = schedule.header();
  const size_t parts = static_cast<size_t>(small.chunks) * schedule.layout().data_blocks();
  if (embedding.parts.size() != parts) return cannot_embed("not every part has a new name");
  if (embedding.ranks.size() != static_cast<size_t>(small.rank_count)) {
    return cannot_embed("not every rank has a new name");
  }
  std::vector<Program> programs(static_cast<size_t>(embedding.header.rank_count));
  for (Rank rank = 0; rank < small.rank_count; ++rank) {
    Program& target = programs[static_cast<size_t>(embedding.ranks[static_cast<size_t>(rank)])];
    UNIRACK_TRY(Renamer(schedule, embedding).rename(schedule.program_view(rank), target));
  }
  const Program& first = schedule.program_view(0);
  const auto scratch = UNIRACK_TRY(joint_scratch(first, embedding));
  for (Program& program : programs) {
    program.scratch = scratch;
    program.lanes.resize(first.lanes.size());
    program.values_per_tile = first.values_per_tile;
  }
  return Schedule(embedding.header, std::move(programs));
}

Result<Schedule> then(const Schedule& a, const Schedule& b) {
  const auto& before = a.program_view(0).scratch;
  const auto& after = b.program_view(0).scratch;
  if (a.header().rank_count != b.header().rank_count || a.header().chunks != b.header().chunks) {
    return make_error(Code::internal, "schedules of different shape cannot follow each other");
  }
  const bool keeps = after.size() >= before.size() &&
                     std::equal(before.begin(), before.end(), after.begin(),
                                [](const ScratchBlock& old, const ScratchBlock& now) {
                                  return old.form == now.form && old.parts <= now.parts;
                                });
  if (!keeps) {
    return make_error(Code::internal, "the later schedule must keep the scratch of the earlier");
  }
  return Appender(a, b).join();
}

}  // namespace unirack
