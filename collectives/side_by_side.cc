#include "collectives/side_by_side.h"

#include <algorithm>

namespace unirack {

namespace {

bool needs_message(const Step& step) {
  return step.op == Op::wait && step.value.v > 0 && step.value.tiles_back == 0;
}

}  // namespace

Status SideBySide::add(const std::vector<Rank>& ranks, std::vector<Program> programs) {
  for (size_t i = 0; i < ranks.size(); ++i) {
    member_[static_cast<size_t>(ranks[i])] = static_cast<Rank>(i);
    shares_.push_back({ranks[i], parts_.size(), i});
    if (programs[i].lanes.size() > 1) {
      return make_error(Code::internal, "only schedules of one lane can run side by side");
    }
    programs[i].lanes.resize(1);
  }
  Part& part = parts_.emplace_back();
  part.ranks = ranks;
  part.programs = std::move(programs);
  for (Program& program : part.programs) {
    for (Step& step : program.lanes[0].steps) {
      if (step.op == Op::wait) step.peer = member_[static_cast<size_t>(step.peer)];
    }
  }
  return find_depths(part);
}

// Executes the part, and counts the messages that wait for each other.
Status SideBySide::find_depths(Part& part) const {
  const size_t members = part.programs.size();
  part.depths.resize(members);
  part.values.resize(members, {0});
  std::vector<std::vector<uint32_t>> sent(members, {0});  // by value: depth after its message
  for (bool moved = true; moved;) {
    moved = false;
    for (size_t i = 0; i < members; ++i) {
      const auto& steps = part.programs[i].lanes[0].steps;
      auto& depths = part.depths[i];
      while (depths.size() < steps.size()) {
        const Step& step = steps[depths.size()];
        uint32_t depth = depths.empty() ? 0 : depths.back();
        if (needs_message(step)) {
          const auto& messages = sent[static_cast<size_t>(step.peer)];
          if (messages.size() <= step.value.v) break;
          depth = std::max(depth, messages[step.value.v]);
        }
        if (step.op == Op::signal) sent[i].resize(step.value.v + 1, depth + 1);
        depths.push_back(depth);
        moved = true;
      }
    }
  }
  for (size_t i = 0; i < members; ++i) {
    if (part.depths[i].size() < part.programs[i].lanes[0].steps.size()) {
      return make_error(Code::internal, "a schedule to run beside others waits for ever");
    }
  }
  return ok_status();
}

// The steps of one share at `depth`, from its step `next` on; signals get the next joint values.
void SideBySide::append(const Share& share, uint32_t depth, size_t& next, Program& program) {
  Part& part = parts_[share.part];
  const Program& own = part.programs[share.member];
  const auto& depths = part.depths[share.member];
  auto& values = part.values[share.member];
  auto& steps = program.lanes[0].steps;
  for (; next < depths.size() && depths[next] == depth; ++next) {
    Step step = own.lanes[0].steps[next];
    if (step.op == Op::signal) {
      values.resize(step.value.v + 1, ++program.values_per_tile);
      step.value.v = program.values_per_tile;
    } else if (step.op != Op::wait) {
      const auto first = own.sources.begin() + step.sources.first;
      step.sources.first = static_cast<uint32_t>(program.sources.size());
      program.sources.insert(program.sources.end(), first, first + step.sources.count);
    }
    steps.push_back(step);
  }
}

std::vector<std::pair<Rank, Program>> SideBySide::finish() && {
  std::stable_sort(shares_.begin(), shares_.end(),
                   [](const Share& a, const Share& b) { return a.rank < b.rank; });
  std::vector<std::pair<Rank, Program>> joint;
  std::vector<std::vector<size_t>> origins;  // by rank and step: its share
  for (size_t begin = 0; begin < shares_.size();) {
    size_t end = begin;
    size_t steps = 0;
    while (end < shares_.size() && shares_[end].rank == shares_[begin].rank) {
      steps += parts_[shares_[end].part].depths[shares_[end].member].size();
      ++end;
    }
    Program& program = joint.emplace_back(shares_[begin].rank, Program()).second;
    program.lanes.resize(1);
    program.values_per_tile = 0;
    auto& origin = origins.emplace_back();
    std::vector<size_t> next(end - begin, 0);
    for (uint32_t depth = 0; origin.size() < steps; ++depth) {
      for (size_t i = begin; i < end; ++i) {
        append(shares_[i], depth, next[i - begin], program);
        origin.resize(program.lanes[0].steps.size(), i);
      }
    }
    begin = end;
  }
  // Now that all joint values are known.
  for (size_t i = 0; i < joint.size(); ++i) {
    auto& steps = joint[i].second.lanes[0].steps;
    for (size_t s = 0; s < steps.size(); ++s) {
      if (steps[s].op != Op::wait) continue;
      const Part& part = parts_[shares_[origins[i][s]].part];
      const auto peer = static_cast<size_t>(steps[s].peer);
      steps[s].value.v = part.values[peer][steps[s].value.v];
      steps[s].peer = part.ranks[peer];
    }
  }
  return joint;
}

}  // namespace unirack
