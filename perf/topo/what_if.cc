#include "perf/topo/what_if.h"

#include <fmt/format.h>

#include <charconv>
#include <optional>
#include <utility>

#include "perf/topo/command_line.h"

namespace unirack::topo {

namespace {

std::optional<uint64_t> number_in(std::string_view text) {
  uint64_t value = 0;
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || problem != std::errc() || end != text.data() + text.size()) {
    return std::nullopt;
  }
  return value;
}

Error bad(std::string_view option, std::string_view value, std::string_view expected) {
  return make_error(Code::invalid_argument,
                    fmt::format("{} '{}': expected {}", option, value, expected));
}

// "NAME=VALUE", at the last '='.
std::pair<std::string, std::string> halves(const std::string& text) {
  const size_t at = text.rfind('=');
  if (at == std::string::npos) return {text, {}};
  return {text.substr(0, at), text.substr(at + 1)};
}

std::optional<uint32_t> percent_in(std::string_view text) {
  if (text.ends_with('%')) text.remove_suffix(1);
  const auto value = number_in(text);
  if (!value || *value > 100) return std::nullopt;
  return static_cast<uint32_t>(*value);
}

// "20us", "500ns", "1ms"
std::optional<uint64_t> picoseconds_in(std::string_view text) {
  for (const auto& [unit, scale] : {std::pair<std::string_view, uint64_t>{"ns", 1'000},
                                    {"us", 1'000'000},
                                    {"ms", 1'000'000'000}}) {
    if (!text.ends_with(unit)) continue;
    const auto value = number_in(text.substr(0, text.size() - unit.size()));
    if (value && *value <= 1'000'000) return *value * scale;
  }
  return std::nullopt;
}

Status slow_link(const std::string& text, const Network& network, SimulateOptions& options) {
  const auto [name, value] = halves(text);
  const auto percent = percent_in(value);
  if (name.empty() || !percent)
    return bad("--slow", text, "LINK=PERCENT, such as 'gpu0 > nvswitch=50%'");
  bool found = false;
  for (const Resource& resource : network.resources()) {
    if (resource.name.find(name) == std::string::npos) continue;
    options.slow_resources.push_back({resource.name, *percent});
    found = true;
  }
  if (found) return ok_status();
  const std::string first = network.resources().empty() ? "" : network.resources()[0].name;
  return bad("--slow", text,
             fmt::format("the name of a link, or a part of it, such as '{}'", first));
}

Result<SlowRank*> rank_of(std::string_view option, const std::string& text, std::string_view name,
                          const Network& network, SimulateOptions& options) {
  const auto rank = number_in(name);
  if (!rank || *rank >= static_cast<uint64_t>(network.rank_count())) {
    return bad(option, text, fmt::format("a rank below {}", network.rank_count()));
  }
  for (SlowRank& slow : options.slow_ranks) {
    if (slow.rank == static_cast<Rank>(*rank)) return &slow;
  }
  options.slow_ranks.push_back({static_cast<Rank>(*rank)});
  return &options.slow_ranks.back();
}

}  // namespace

void add_what_if(CommandLine& command, WhatIf& what_if) {
  command.repeated("--slow", "LINK=P%", what_if.slow_links, {},
                   "that link, or all whose names contain LINK, at P percent of its rate; 0: dead");
  command.repeated("--slow-rank", "RANK=P%", what_if.slow_ranks, {},
                   "steps, copies and reductions of that rank at P percent of their speed");
  command.repeated("--late-rank", "RANK=TIME", what_if.late_ranks, {},
                   "that rank calls so much later: 500ns, 20us, 1ms");
  command.repeated("--kill-rank", "RANK", what_if.dead_ranks, {}, "that rank is dead");
}

Status apply(const WhatIf& what_if, const Network& network, SimulateOptions& options) {
  for (const std::string& text : what_if.slow_links) {
    UNIRACK_TRY(slow_link(text, network, options));
  }
  for (const std::string& text : what_if.slow_ranks) {
    const auto [name, value] = halves(text);
    SlowRank* slow = UNIRACK_TRY(rank_of("--slow-rank", text, name, network, options));
    const auto percent = percent_in(value);
    if (!percent) return bad("--slow-rank", text, "RANK=PERCENT, such as 3=50%");
    slow->percent = *percent;
  }
  for (const std::string& text : what_if.late_ranks) {
    const auto [name, value] = halves(text);
    SlowRank* slow = UNIRACK_TRY(rank_of("--late-rank", text, name, network, options));
    const auto late_ps = picoseconds_in(value);
    if (!late_ps) return bad("--late-rank", text, "RANK=TIME, such as 3=20us");
    slow->late_ps = *late_ps;
  }
  for (const std::string& text : what_if.dead_ranks) {
    SlowRank* slow = UNIRACK_TRY(rank_of("--kill-rank", text, text, network, options));
    slow->percent = 0;
  }
  return ok_status();
}

}  // namespace unirack::topo
