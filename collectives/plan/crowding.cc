#include "collectives/plan/crowding.h"

#include <algorithm>
#include <charconv>
#include <map>
#include <string_view>

namespace unirack {

namespace {

// A rank that has nothing to do gives its core away after about so long: it looks at its counters,
// polls its transports and yields.
constexpr uint64_t kTurnPs = 5'000'000;

uint64_t number_of(std::string_view text) {
  uint64_t number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

uint64_t longer(uint64_t ps, uint32_t percent) {
  return ps / 100 * percent + ps % 100 * percent / 100;
}

uint64_t slower(uint64_t rate, uint32_t percent) {
  return rate == 0 ? 0
                   : std::max<uint64_t>(1, rate / percent * 100 + rate % percent * 100 / percent);
}

}  // namespace

uint32_t crowding_percent(const Topology& topology) {
  struct Machine {
    uint64_t ranks = 0;
    uint64_t cores = 0;
  };
  std::map<std::string_view, Machine> machines;
  for (const Node& node : topology.graph().nodes()) {
    if (node.kind == NodeKind::rank) ++machines[node.host].ranks;
    if (node.kind == NodeKind::cpu) machines[node.host].cores += number_of(node.attribute("cores"));
  }
  uint64_t most = 100;
  for (const auto& [host, machine] : machines) {
    if (machine.cores > 0) most = std::max(most, machine.ranks * 100 / machine.cores);
  }
  return static_cast<uint32_t>(std::min<uint64_t>(most, 100'000));
}

Costs crowded(const Costs& costs, uint32_t percent) {
  if (percent <= 100) return costs;
  Costs shared = costs;
  const uint64_t turns_ps = kTurnPs * (percent - 100) / 100;
  for (LinkCosts& link : shared.links) {
    link.latency_ps += turns_ps;
    link.gap_ps = longer(link.gap_ps, percent);
    // Others are moved by somebody else.
    if (link.holds_lane) link.bandwidth = slower(link.bandwidth, percent);
  }
  shared.copy_bandwidth = slower(shared.copy_bandwidth, percent);
  for (uint64_t& rate : shared.reduce_bandwidth) rate = slower(rate, percent);
  shared.step_ps = longer(shared.step_ps, percent);
  shared.call_ps = longer(shared.call_ps, percent);
  return shared;
}

}  // namespace unirack
