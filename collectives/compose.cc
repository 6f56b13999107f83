#include <algorithm>
#include <array>
#include <utility>

#include "collectives/schedule.h"
#include "collectives/side_by_side.h"

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

using Values = std::vector<std::array<uint32_t, kLanesMax>>;  // by rank and lane

// Raises `values` to what the program signals, from `base` up.
void raise_values(const Program& program, const std::array<uint32_t, kLanesMax>& base,
                  std::array<uint32_t, kLanesMax>& values) {
  for (size_t lane = 0; lane < program.lanes.size(); ++lane) {
    for (const Step& step : program.lanes[lane].steps) {
      if (step.op == Op::signal) values[lane] = std::max(values[lane], base[lane] + step.value.v);
    }
  }
}

bool has_steps(const Program& program, size_t lane) {
  return lane < program.lanes.size() && !program.lanes[lane].steps.empty();
}

// What one rank does in the schedule that is appended.
struct Tail {
  Rank rank = 0;
  const Program* program = nullptr;
};

// Appends programs of some ranks to the programs of all.
class Appender {
 public:
  // `records_suffice`: nobody has to be told who is done with what came before.
  Appender(std::vector<Program>& programs, Values& values, bool records_suffice)
      : programs_(programs), values_(values), records_suffice_(records_suffice) {}

  void append(const std::vector<Tail>& tails) {
    if (!records_suffice_) announce(tails);
    const Values shift = values_of(tails);
    for (const Tail& tail : tails) append(tail);
    for (size_t i = 0; i < tails.size(); ++i) {
      raise_values(*tails[i].program, shift[i], values_[static_cast<size_t>(tails[i].rank)]);
    }
  }

 private:
  using Awaited = std::pair<Rank, size_t>;  // a rank with steps before, and one of its lanes

  // At the end of what a rank does so far in a lane: tells everyone who would wait for its record
  // in the tails, from the rank after it on: what ranks do alike they also do in the same order.
  void announce(const std::vector<Tail>& tails) {
    const auto ranks = static_cast<Rank>(programs_.size());
    std::vector<std::pair<Awaited, Rank>> waits;  // and how far above it the waiter is
    for (const Tail& tail : tails) {
      for (size_t lane = 0; lane < tail.program->lanes.size(); ++lane) {
        for (const Step& step : tail.program->lanes[lane].steps) {
          if (step.op == Op::wait && step.value.v == 0 && has_steps(of(step.peer), lane)) {
            waits.push_back({{step.peer, lane}, (tail.rank - step.peer + ranks) % ranks});
          }
        }
      }
    }
    std::sort(waits.begin(), waits.end());
    waits.erase(std::unique(waits.begin(), waits.end()), waits.end());
    for (const auto& [awaited, distance] : waits) {
      const auto [rank, lane] = awaited;
      uint32_t& value = values_[static_cast<size_t>(rank)][lane];
      if (awaited_.empty() || awaited_.back() != awaited) {
        awaited_.push_back(awaited);
        ++value;
      }
      const Rank waiter = (rank + distance) % ranks;
      of(rank).lanes[lane].steps.push_back({.op = Op::signal, .peer = waiter, .value = {value, 0}});
    }
  }

  Values values_of(const std::vector<Tail>& tails) const {
    Values values;
    for (const Tail& tail : tails) values.push_back(values_[static_cast<size_t>(tail.rank)]);
    return values;
  }

  void append(const Tail& tail) {
    Program& program = of(tail.rank);
    const auto& lanes = tail.program->lanes;
    if (program.lanes.size() < lanes.size()) program.lanes.resize(lanes.size());
    const auto base = static_cast<uint32_t>(program.sources.size());
    program.sources.insert(program.sources.end(), tail.program->sources.begin(),
                           tail.program->sources.end());
    for (size_t lane = 0; lane < lanes.size(); ++lane) {
      for (Step step : lanes[lane].steps) {
        step.sources.first += base;
        shift_value(tail.rank, lane, step);
        program.lanes[lane].steps.push_back(step);
      }
    }
  }

  void shift_value(Rank rank, size_t lane, Step& step) const {
    if (step.op == Op::signal) {
      step.value.v += values_[static_cast<size_t>(rank)][lane];
    } else if (step.op == Op::wait && step.value.v > 0) {
      step.value.v += values_[static_cast<size_t>(step.peer)][step.peer_lane];
    } else if (step.op == Op::wait &&
               std::binary_search(awaited_.begin(), awaited_.end(), Awaited(step.peer, lane))) {
      step.peer_lane = static_cast<uint8_t>(lane);
      step.value.v = values_[static_cast<size_t>(step.peer)][lane];
    }
  }

  Program& of(Rank rank) { return programs_[static_cast<size_t>(rank)]; }

  std::vector<Program>& programs_;
  Values& values_;
  const bool records_suffice_;
  std::vector<Awaited> awaited_;  // ascending
};

// Gives all programs the same lanes, scratch and stride of counters.
Schedule finish_programs(ScheduleHeader header, const std::vector<ScratchBlock>& scratch,
                         std::vector<Program> programs) {
  uint32_t values = 1;
  size_t lanes = 1;
  for (const Program& program : programs) {
    std::array<uint32_t, kLanesMax> last = {};
    raise_values(program, {}, last);
    values = std::max(values, *std::max_element(last.begin(), last.end()));
    lanes = std::max(lanes, program.lanes.size());
  }
  for (Program& program : programs) {
    program.lanes.resize(lanes);
    program.values_per_tile = values;
    program.scratch = scratch;
  }
  return {std::move(header), std::move(programs)};
}

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

// The programs of the small schedule's ranks, in their order, as the large one knows them.
Result<std::vector<Program>> rename(const Schedule& schedule, const Embedding& embedding) {
  const ScheduleHeader& small = schedule.header();
  const size_t parts = static_cast<size_t>(small.chunks) * schedule.layout().data_blocks();
  if (embedding.parts.size() != parts) return cannot_embed("not every part has a new name");
  if (embedding.ranks.size() != static_cast<size_t>(small.rank_count)) {
    return cannot_embed("not every rank has a new name");
  }
  std::vector<Program> programs(static_cast<size_t>(small.rank_count));
  for (Rank rank = 0; rank < small.rank_count; ++rank) {
    UNIRACK_TRY(Renamer(schedule, embedding)
                    .rename(schedule.program_view(rank), programs[static_cast<size_t>(rank)]));
  }
  return programs;
}

}  // namespace

Result<Schedule> embed(const Schedule& schedule, const Embedding& embedding) {
  const auto renamed = UNIRACK_TRY(rename(schedule, embedding));
  const auto scratch = UNIRACK_TRY(joint_scratch(schedule.program_view(0), embedding));
  std::vector<Program> programs(static_cast<size_t>(embedding.header.rank_count));
  for (size_t i = 0; i < renamed.size(); ++i) {
    programs[static_cast<size_t>(embedding.ranks[i])] = renamed[i];
  }
  const Program& first = schedule.program_view(0);
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
  std::vector<Program> programs;
  std::vector<Tail> tails;
  Values values(static_cast<size_t>(a.header().rank_count));
  for (Rank rank = 0; rank < a.header().rank_count; ++rank) {
    programs.push_back(a.program(rank));
    raise_values(programs.back(), {}, values[static_cast<size_t>(rank)]);
    tails.push_back({rank, &b.program_view(rank)});
  }
  Appender(programs, values, false).append(tails);
  return finish_programs(b.header(), after, std::move(programs));
}

Composer::Composer(ScheduleHeader header, std::vector<ScratchBlock> scratch)
    : header_(std::move(header)),
      scratch_(std::move(scratch)),
      programs_(static_cast<size_t>(header_.rank_count)),
      values_(programs_.size()) {}

Status Composer::add(const Schedule& small, Embedding embedding) {
  const auto renamed = UNIRACK_TRY(place(small, embedding));
  std::vector<Tail> tails;
  for (size_t i = 0; i < renamed.size(); ++i) tails.push_back({embedding.ranks[i], &renamed[i]});
  Appender(programs_, values_, embedding.records_suffice).append(tails);
  return ok_status();
}

Status Composer::add_side_by_side(std::vector<Addition> additions) {
  SideBySide side_by_side(header_.rank_count);
  for (Addition& each : additions) {
    auto renamed = UNIRACK_TRY(place(*each.small, each.embedding));
    UNIRACK_TRY(side_by_side.add(each.embedding.ranks, std::move(renamed)));
  }
  const auto joint = std::move(side_by_side).finish();
  std::vector<Tail> tails;
  for (const auto& [rank, program] : joint) tails.push_back({rank, &program});
  Appender(programs_, values_, false).append(tails);
  return ok_status();
}

// Makes room for the small schedule's scratch, and renames its programs.
Result<std::vector<Program>> Composer::place(const Schedule& small, Embedding& embedding) {
  embedding.header = header_;
  embedding.scratch = std::move(scratch_);
  scratch_ = UNIRACK_TRY(joint_scratch(small.program_view(0), embedding));
  return rename(small, embedding);
}

Schedule Composer::finish() && {
  return finish_programs(std::move(header_), scratch_, std::move(programs_));
}

}  // namespace unirack
