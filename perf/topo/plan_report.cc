#include "perf/topo/plan_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "lib/topology/render/text.h"
#include "perf/topo/call.h"

namespace unirack::topo {

namespace {

std::string tile_text(uint64_t bytes) { return bytes == 0 ? "one tile" : size_text(bytes); }

std::string limit_text(const PricedPlan& plan) {
  return plan.limit.empty() ? "" : fmt::format("{} {}%", plan.limit, plan.limit_percent);
}

std::string ratio_text(double ratio) {
  return ratio > 0 ? fmt::format("{:.1f}%", 100 * ratio) : "";
}

std::string range_sizes(const PlanReport& report, const PlanRange& range) {
  return fmt::format("{:>12} to {:>12}", size_text(range.bytes_begin * report.blocks),
                     size_text(range.bytes_end * report.blocks));
}

}  // namespace

double PlanReport::ratio(uint64_t time_ps) const {
  if (!bound || time_ps == 0) return 0;
  return static_cast<double>(bound->time_ps(bytes)) / static_cast<double>(time_ps);
}

std::string report_text(const Console& console, const PlanReport& report) {
  std::string text = report.title + "\n";
  text += report.bound
              ? fmt::format("bound {}: {}\n", duration_text(report.bound->time_ps(report.bytes)),
                            bound_text(*report.bound))
              : "no bound is known for this collective\n";
  size_t limit_width = 10;
  for (const PricedPlan& plan : report.choice.candidates) {
    limit_width = std::max(limit_width, character_count(limit_text(plan)));
  }
  limit_width = std::min<size_t>(limit_width, 48);
  text += "\n" +
          painted(console,
                  fmt::format("  {:>12}  {:>6}  {:<20} {:>5}  {:>9}  {:<{}}  {}", "time", "ratio",
                              "algorithm", "lanes", "tile", "limited by", limit_width, "why"),
                  "1") +
          "\n";
  for (const PricedPlan& plan : report.choice.candidates) {
    const std::string line =
        fmt::format("{} {:>12}  {:>6}  {:<20} {:>5}  {:>9}  {:<{}}  {}", plan.is_chosen ? "*" : " ",
                    plan.is_priced ? duration_text(plan.time_ps) : "-",
                    plan.is_priced ? ratio_text(report.ratio(plan.time_ps)) : "", plan.algorithm,
                    plan.is_priced ? std::to_string(plan.lanes) : "",
                    plan.is_priced ? tile_text(plan.tile_bytes) : "",
                    shortened(limit_text(plan), limit_width), limit_width, plan.reason);
    text += (plan.is_chosen ? painted(console, line, "32;1") : line) + "\n";
  }
  if (report.ranges.empty()) return text;
  text += "\n" +
          painted(console,
                  fmt::format("  {:<28}  {:<20} {:>5}  {:>9}  {:>14}", "sizes", "algorithm",
                              "lanes", "tile", "time at first"),
                  "1") +
          "\n";
  for (const PlanRange& range : report.ranges) {
    text += fmt::format("  {}  {:<20} {:>5}  {:>9}  {:>14}\n", range_sizes(report, range),
                        range.algorithm, range.lanes, tile_text(range.tile_bytes),
                        duration_text(range.time_ps));
  }
  return text;
}

std::string report_json(const PlanReport& report) {
  nlohmann::ordered_json json{{"collective", collective_name(report.request.collective)},
                              {"topology", report.graph.origin()},
                              {"ranks", report.graph.members().size()},
                              {"bytes", report.bytes},
                              {"type", type_name(report.request.type)},
                              {"op", op_name(report.request.op)}};
  if (report.bound && !report.bound->algbw.is_unlimited()) {
    json["bound"] = {{"time_ps", report.bound->time_ps(report.bytes)},
                     {"algbw_gb_per_s", report.bound->algbw.value() / 1e9},
                     {"sentence", bound_text(*report.bound)}};
  }
  auto& candidates = json["candidates"] = nlohmann::ordered_json::array();
  for (const PricedPlan& plan : report.choice.candidates) {
    nlohmann::ordered_json one{{"algorithm", plan.algorithm}, {"cost", plan.cost}};
    if (plan.is_priced) {
      one["lanes"] = plan.lanes;
      one["tile_bytes"] = plan.tile_bytes;
      one["time_ps"] = plan.time_ps;
      if (report.bound) one["ratio"] = report.ratio(plan.time_ps);
      one["limit"] = plan.limit;
      one["limit_percent"] = plan.limit_percent;
    }
    if (plan.at_least_ps > 0) one["at_least_ps"] = plan.at_least_ps;
    one["chosen"] = plan.is_chosen;
    one["reason"] = plan.reason;
    candidates.push_back(std::move(one));
  }
  for (const PlanRange& range : report.ranges) {
    json["ranges"].push_back({{"bytes_begin", range.bytes_begin * report.blocks},
                              {"bytes_end", range.bytes_end * report.blocks},
                              {"algorithm", range.algorithm},
                              {"lanes", range.lanes},
                              {"tile_bytes", range.tile_bytes},
                              {"time_ps", range.time_ps}});
  }
  return json.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
}

}  // namespace unirack::topo
