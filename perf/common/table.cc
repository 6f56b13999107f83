#include "perf/common/table.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <cmath>
#include <cstdio>
#include <ctime>
#include <fstream>
#include <nlohmann/json.hpp>

namespace unirack::perf {
namespace {

constexpr int kSchemaVersion = 1;

bool has_quantiles(const Options& options) { return options.timing != Timing::throughput; }

std::string format_group(const std::optional<Measurement>& group, bool quantiles) {
  if (!group) {
    return fmt::format("  {:>7}  {:>6}  {:>6}  {:>6}", "N/A", "N/A", "N/A", "N/A") +
           (quantiles ? fmt::format("  {:>7}  {:>7}", "N/A", "N/A") : std::string());
  }
  std::string text = fmt::format("  {}  {}  {}  {:>6}", fit_number(group->time_us, 7),
                                 fit_number(group->alg_bandwidth, 6),
                                 fit_number(group->bus_bandwidth, 6), group->wrong);
  if (quantiles) {
    text += fmt::format("  {}  {}", fit_number(group->median_us, 7), fit_number(group->p99_us, 7));
  }
  return text;
}

std::string column_heads(bool quantiles) {
  std::string text =
      fmt::format("  {:>7}  {:>6}  {:>6}  {:>6}", "time", "algbw", "busbw", "#wrong");
  return quantiles ? text + fmt::format("  {:>7}  {:>7}", "p50", "p99") : text;
}

std::string column_units(bool quantiles) {
  std::string text = fmt::format("  {:>7}  {:>6}  {:>6}  {:>6}", "(us)", "(GB/s)", "(GB/s)", "");
  return quantiles ? text + fmt::format("  {:>7}  {:>7}", "(us)", "(us)") : text;
}

nlohmann::json to_json(const std::optional<Measurement>& group, bool quantiles) {
  if (!group) return nullptr;
  nlohmann::json json = {{"time", group->time_us},
                         {"alg_bw", group->alg_bandwidth},
                         {"bus_bw", group->bus_bandwidth},
                         {"nwrong", group->wrong}};
  if (quantiles) {
    json["median"] = group->median_us;
    json["p99"] = group->p99_us;
  }
  return json;
}

}  // namespace

void fill_bandwidths(Measurement& measurement, const Collective& collective, size_t size_bytes,
                     int rank_count) {
  if (measurement.time_us <= 0) return;
  const double moved = collective.moved_bytes(static_cast<double>(size_bytes), rank_count);
  measurement.alg_bandwidth = moved / (measurement.time_us * 1e3);  // bytes per ns are GB/s
  measurement.bus_bandwidth = measurement.alg_bandwidth * collective.bus_factor(rank_count);
}

std::string fit_number(double value, int width) {
  for (int decimals = 2; decimals > 0; --decimals) {
    std::string text = fmt::format("{:{}.{}f}", value, width, decimals);
    if (text.size() <= static_cast<size_t>(width)) return text;
  }
  return fmt::format("{:{}.0f}", value, width);
}

std::string plan_of(std::string_view explanation) {
  const std::string_view line = explanation.substr(0, explanation.find('\n'));
  std::string plan;
  for (std::string_view key : {"algorithm=", "transport="}) {
    const size_t at = line.find(key);
    if (at == std::string_view::npos) continue;
    const std::string_view rest = line.substr(at + key.size());
    if (!plan.empty()) plan += ' ';
    plan += rest.substr(0, rest.find(' '));
  }
  return plan.empty() ? "-" : plan;
}

double Summary::average() const {
  return bandwidth_count > 0 ? bandwidth_sum / static_cast<double>(bandwidth_count) : 0;
}

Report::Report(const Collective& collective, const Options& options, int rank_count)
    : collective_(collective), options_(options), rank_count_(rank_count) {}

void Report::header(std::string_view description) const {
  fmt::print("# unirack {}.{}.{}\n", UNIRACK_MAJOR, UNIRACK_MINOR, UNIRACK_PATCH);
  fmt::print("# Collective test starting: {}\n", collective_.name());
  fmt::print(
      "# ranks {} nThread {} minBytes {} maxBytes {} step: {} warmup iters: {} iters: {} "
      "agg iters: {} validation: {} unalign: {} buffers: {}\n#\n",
      rank_count_, options_.ranks_per_process(), options_.bytes_min, options_.bytes_max,
      options_.step_factor > 0 ? fmt::format("{}(factor)", options_.step_factor)
                               : fmt::format("{}(bytes)", options_.step_bytes),
      options_.warmup, options_.iterations, options_.aggregate, options_.check ? 1 : 0,
      options_.unalign, static_cast<int>(options_.registration));
  for (const std::string& note : options_.notes) fmt::print("# Note: {}\n", note);
  fmt::print("# Using ranks\n");
  while (!description.empty()) {
    const size_t end = std::min(description.find('\n'), description.size());
    fmt::print("#  {}\n", description.substr(0, end));
    description.remove_prefix(std::min(end + 1, description.size()));
  }
  const bool quantiles = has_quantiles(options_);
  const int group_width = static_cast<int>(column_heads(quantiles).size());
  fmt::print("#\n# {:>55}  {:^{}}{:^{}}\n", "", "out-of-place", group_width, "in-place",
             group_width);
  fmt::print("# {:>10}  {:>12}  {:>8}  {:>6}  {:>6}{}{}  plan\n", "size", "count", "type", "redop",
             "root", column_heads(quantiles), column_heads(quantiles));
  fmt::print("# {:>10}  {:>12}  {:>8}  {:>6}  {:>6}{}{}\n", "(B)", "(elements)", "", "", "",
             column_units(quantiles), column_units(quantiles));
  std::fflush(stdout);
}

void Report::row(const Row& row) {
  if (options_.timestamps) {
    fmt::print("{:%FT%TZ} ", fmt::gmtime(std::time(nullptr)));
  }
  const bool quantiles = has_quantiles(options_);
  fmt::print("{:>12}  {:>12}  {:>8}  {:>6}  {:>6}{}{}  {}\n", row.size_bytes, row.count, row.type,
             row.op, row.root, format_group(row.out_of_place, quantiles),
             format_group(row.in_place, quantiles), row.plan);
  std::fflush(stdout);
  for (const auto& group : {row.out_of_place, row.in_place}) {
    if (!group) continue;
    summary_.wrong += group->wrong;
    summary_.bandwidth_sum += group->bus_bandwidth;
    ++summary_.bandwidth_count;
  }
  if (!options_.json_path.empty()) rows_.push_back(row);
}

int Report::exit_code() const {
  const bool slow = summary_.average() < 0.9 * options_.min_bandwidth;
  return summary_.wrong > 0 || slow ? 1 : 0;
}

bool Report::finish() const {
  fmt::print("# Out of bounds values : {} {}\n", summary_.wrong,
             summary_.wrong == 0 ? "OK" : "FAILED");
  fmt::print("# Avg bus bandwidth    : {:g} {}\n#\n", summary_.average(),
             options_.min_bandwidth == 0
                 ? ""
                 : (summary_.average() < 0.9 * options_.min_bandwidth ? "FAILED" : "OK"));
  std::fflush(stdout);
  if (options_.json_path.empty()) return true;
  const bool quantiles = has_quantiles(options_);
  nlohmann::json rows = nlohmann::json::array();
  for (const Row& row : rows_) {
    rows.push_back({{"size", row.size_bytes},
                    {"count", row.count},
                    {"type", row.type},
                    {"redop", row.op},
                    {"root", row.root},
                    {"plan", row.plan},
                    {"out_of_place", to_json(row.out_of_place, quantiles)},
                    {"in_place", to_json(row.in_place, quantiles)}});
  }
  const nlohmann::json document = {
      {"schema", kSchemaVersion},
      {"version", fmt::format("{}.{}.{}", UNIRACK_MAJOR, UNIRACK_MINOR, UNIRACK_PATCH)},
      {"test", collective_.name()},
      {"ranks", rank_count_},
      {"results", rows},
      {"out_of_bounds", {{"count", summary_.wrong}, {"okay", summary_.wrong == 0}}},
      {"average_bus_bandwidth", {{"bandwidth", summary_.average()}, {"okay", exit_code() == 0}}}};
  std::ofstream file(options_.json_path);
  file << document.dump(2) << '\n';
  return static_cast<bool>(file.flush());
}

}  // namespace unirack::perf
