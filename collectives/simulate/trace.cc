#include "collectives/simulate/trace.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <map>
#include <nlohmann/json.hpp>

namespace unirack {

namespace {

const char* op_word(Op op) {
  switch (op) {
    case Op::copy:
      return "copy";
    case Op::reduce:
      return "reduce";
    case Op::signal:
      return "signal";
    case Op::wait:
      return "wait";
  }
  return "";
}

// "reduce 2 parts", "put 1 part to 3", "wait for 4"
std::string step_text(const Schedule& schedule, const SimulatedActivity& activity) {
  const Program& program = schedule.program_view(activity.rank);
  const Step& step = program.lanes[activity.lane].steps[activity.step];
  if (step.op == Op::wait) return fmt::format("wait for {}", step.peer);
  if (step.op == Op::signal) return fmt::format("signal {}", step.peer);
  const uint32_t parts = step.end - step.begin;
  const std::string size = fmt::format("{} part{}", parts, parts == 1 ? "" : "s");
  if (step.op == Op::copy && step.target.rank != activity.rank) {
    return fmt::format("put {} to {}", size, step.target.rank);
  }
  if (step.op == Op::copy) {
    const Rank from = program.sources[step.sources.first].rank;
    if (from != activity.rank) return fmt::format("get {} from {}", size, from);
  }
  return fmt::format("{} {}", op_word(step.op), size);
}

std::string activity_text(const Schedule& schedule, const SimulatedActivity& activity) {
  std::string step = step_text(schedule, activity);
  switch (activity.kind) {
    case ActivityKind::step:
      return step;
    case ActivityKind::flow:
      return "bytes of " + step;
    case ActivityKind::flight:
      return "latency of " + step;
  }
  return step;
}

double in_nanoseconds(uint64_t ps) { return static_cast<double>(ps) / 1000; }

nlohmann::json named(const char* what, Rank rank, uint32_t thread, const std::string& name) {
  return {{"ph", "M"}, {"name", what}, {"pid", rank}, {"tid", thread}, {"args", {{"name", name}}}};
}

// Messages overlap, so each takes the first row of its lane that is free.
class Rows {
 public:
  uint32_t take(const SimulatedActivity& activity) {
    auto& rows = free_ps_[{activity.rank, activity.lane}];
    size_t row = 0;
    while (row < rows.size() && rows[row] > activity.begin_ps) ++row;
    if (row == rows.size()) rows.push_back(0);
    rows[row] = activity.end_ps;
    return static_cast<uint32_t>((row + 1) * kLanesMax + activity.lane);
  }

 private:
  std::map<std::pair<Rank, uint32_t>, std::vector<uint64_t>> free_ps_;
};

}  // namespace

std::string trace_json(const Simulation& simulation, const Schedule& schedule,
                       const Network& network) {
  nlohmann::json events = nlohmann::json::array();
  std::vector<const SimulatedActivity*> by_begin;
  for (const SimulatedActivity& activity : simulation.activities) by_begin.push_back(&activity);
  std::stable_sort(by_begin.begin(), by_begin.end(),
                   [](const SimulatedActivity* a, const SimulatedActivity* b) {
                     return a->begin_ps < b->begin_ps;
                   });
  Rows rows;
  std::map<std::pair<Rank, uint32_t>, bool> threads;
  for (const SimulatedActivity* activity : by_begin) {
    const bool is_step = activity->kind == ActivityKind::step;
    const uint32_t thread = is_step ? activity->lane : rows.take(*activity);
    if (threads.try_emplace({activity->rank, thread}, is_step).second) {
      const std::string& known = network.rank_name(activity->rank);
      events.push_back(named("process_name", activity->rank, thread,
                             fmt::format("rank {} {}", activity->rank, known)));
      events.push_back(named("thread_name", activity->rank, thread,
                             fmt::format("lane {}{}", activity->lane, is_step ? "" : " messages")));
    }
    nlohmann::json event = {{"ph", "X"},
                            {"name", activity_text(schedule, *activity)},
                            {"pid", activity->rank},
                            {"tid", thread},
                            {"ts", in_nanoseconds(activity->begin_ps) / 1000},
                            {"dur", in_nanoseconds(activity->end_ps - activity->begin_ps) / 1000},
                            {"args", {{"tile", activity->tile}}}};
    if (activity->resource != kNoIndex) {
      event["args"]["limited by"] = network.resources()[activity->resource].name;
    }
    events.push_back(std::move(event));
  }
  return nlohmann::json{{"displayTimeUnit", "ns"}, {"traceEvents", std::move(events)}}.dump();
}

std::string critical_path_text(const Simulation& simulation, const Schedule& schedule,
                               const Network& network) {
  std::string text;
  uint64_t from_ps = 0;
  for (const uint32_t index : simulation.critical_path) {
    const SimulatedActivity& activity = simulation.activities[index];
    const uint64_t begin_ps = std::max(from_ps, activity.begin_ps);
    from_ps = activity.end_ps;
    if (begin_ps >= activity.end_ps) continue;
    fmt::format_to(std::back_inserter(text),
                   "{:>14.3f} ns {:>14.3f} ns  rank {} lane {} tile {}: {}",
                   in_nanoseconds(begin_ps), in_nanoseconds(activity.end_ps), activity.rank,
                   activity.lane, activity.tile, activity_text(schedule, activity));
    if (activity.resource != kNoIndex) {
      text += " over " + network.resources()[activity.resource].name;
    }
    text += '\n';
  }
  return text;
}

}  // namespace unirack
