#include "collectives/simulate/sharing.h"

#include <algorithm>
#include <utility>

namespace unirack {

namespace {

// A rate of one byte/s is 2^32, and a byte is as many as pass at that rate in a second of ticks.
constexpr unsigned kRateBits = 32;
constexpr WideUnsigned kByte = (WideUnsigned{1'000'000'000'000} * kTicksPerPs) << kRateBits;

}  // namespace

SharedResources::SharedResources(std::vector<uint64_t> bandwidths) {
  resources_.resize(bandwidths.size());
  for (size_t i = 0; i < bandwidths.size(); ++i) {
    resources_[i].capacity = (WideUnsigned{bandwidths[i]} << kRateBits) * kWholeShare;
  }
}

uint32_t SharedResources::begin(uint64_t now_ticks, uint64_t bytes, std::span<const FlowUse> uses) {
  uint32_t index = static_cast<uint32_t>(flows_.size());
  if (free_.empty()) {
    flows_.emplace_back();
  } else {
    index = free_.back();
    free_.pop_back();
  }
  Flow& flow = flows_[index];
  flow = Flow{};
  flow.uses = uses;
  flow.left = kByte * bytes;
  flow.since_ticks = now_ticks;
  flow.end_ticks = now_ticks;
  flow.is_open = true;
  for (const FlowUse& use : uses) {
    Shared& shared = resources_[use.resource];
    if (shared.flows.empty()) shared.busy_since_ticks = now_ticks;
    shared.flows.push_back({index, use.load});
    note_change(use.resource);
  }
  return index;
}

void SharedResources::end(uint64_t now_ticks, uint32_t index) {
  Flow& flow = flows_[index];
  for (const FlowUse& use : flow.uses) {
    Shared& shared = resources_[use.resource];
    const auto at = std::find_if(shared.flows.begin(), shared.flows.end(),
                                 [&](const Entry& entry) { return entry.flow == index; });
    *at = shared.flows.back();
    shared.flows.pop_back();
    if (shared.flows.empty()) shared.busy_ticks += now_ticks - shared.busy_since_ticks;
    note_change(use.resource);
  }
  flow.is_open = false;
  free_.push_back(index);
}

void SharedResources::note_change(uint32_t resource) {
  if (resources_[resource].is_changed) return;
  resources_[resource].is_changed = true;
  changed_.push_back(resource);
}

const std::vector<uint32_t>& SharedResources::settle(uint64_t now_ticks) {
  moved_.clear();
  if (changed_.empty()) return moved_;
  find_connected();
  fill();
  for (size_t i = 0; i < open_flows_.size(); ++i) update(now_ticks, open_flows_[i], old_rates_[i]);
  return moved_;
}

// All flows and resources that hang together with a changed resource.
void SharedResources::find_connected() {
  ++mark_;
  open_resources_.clear();
  open_flows_.clear();
  old_rates_.clear();
  const auto visit = [&](uint32_t index) {
    Shared& shared = resources_[index];
    if (shared.mark == mark_) return;
    shared.mark = mark_;
    shared.left = shared.capacity;
    shared.load = 0;
    open_resources_.push_back(index);
  };
  for (const uint32_t index : changed_) {
    resources_[index].is_changed = false;
    visit(index);
  }
  changed_.clear();
  for (size_t i = 0; i < open_resources_.size(); ++i) {
    Shared& shared = resources_[open_resources_[i]];
    for (const Entry& entry : shared.flows) {
      shared.load += entry.load;
      Flow& flow = flows_[entry.flow];
      if (flow.mark == mark_) continue;
      flow.mark = mark_;
      flow.is_fixed = false;
      open_flows_.push_back(entry.flow);
      old_rates_.push_back(flow.rate);
      for (const FlowUse& use : flow.uses) visit(use.resource);
    }
  }
}

// Raises all rates together; whoever is full keeps its flows where they are. Resources that are
// full at the same rate are so at once, whatever their order.
void SharedResources::fill() {
  const auto higher = [](const Level& a, const Level& b) { return a.rate > b.rate; };
  levels_.clear();
  for (const uint32_t index : open_resources_) {
    const Shared& shared = resources_[index];
    if (shared.load > 0) levels_.push_back({fair_rate(shared), index});
  }
  std::make_heap(levels_.begin(), levels_.end(), higher);
  WideUnsigned level = 0;
  while (!levels_.empty()) {
    at_level_.clear();
    collect_level(level);
    for (const uint32_t index : at_level_) {
      for (const Entry& entry : resources_[index].flows) {
        if (!flows_[entry.flow].is_fixed) fix(entry.flow, level, index);
      }
    }
  }
}

// The resources that are full next. The rate at which one is full never falls while others are
// taken out below it, so what the heap holds is at most late, and is looked at again.
void SharedResources::collect_level(WideUnsigned& level) {
  const auto higher = [](const Level& a, const Level& b) { return a.rate > b.rate; };
  while (!levels_.empty()) {
    if (!at_level_.empty() && levels_.front().rate > level) return;
    std::pop_heap(levels_.begin(), levels_.end(), higher);
    Level& top = levels_.back();
    const Shared& shared = resources_[top.resource];
    const WideUnsigned rate = shared.load > 0 ? fair_rate(shared) : top.rate;
    if (rate > top.rate) {
      top.rate = rate;
      std::push_heap(levels_.begin(), levels_.end(), higher);
      continue;
    }
    if (shared.load > 0) {
      level = top.rate;
      at_level_.push_back(top.resource);
    }
    levels_.pop_back();
  }
}

void SharedResources::fix(uint32_t index, WideUnsigned rate, uint32_t bottleneck) {
  Flow& flow = flows_[index];
  flow.is_fixed = true;
  flow.rate = rate;
  flow.bottleneck = bottleneck;
  for (const FlowUse& use : flow.uses) {
    Shared& shared = resources_[use.resource];
    const WideUnsigned taken = rate * use.load;
    shared.left = shared.left > taken ? shared.left - taken : 0;
    shared.load -= use.load;
  }
}

WideUnsigned SharedResources::left_at(uint64_t now_ticks, uint32_t index) const {
  const Flow& flow = flows_[index];
  const WideUnsigned gone = flow.rate * (now_ticks - flow.since_ticks);
  return flow.left > gone ? flow.left - gone : 0;
}

void SharedResources::update(uint64_t now_ticks, uint32_t index, WideUnsigned old_rate) {
  Flow& flow = flows_[index];
  if (old_rate == flow.rate) return;
  const WideUnsigned gone = old_rate * (now_ticks - flow.since_ticks);
  flow.left = flow.left > gone ? flow.left - gone : 0;
  flow.since_ticks = now_ticks;
  flow.end_ticks = now_ticks + static_cast<uint64_t>((flow.left + flow.rate - 1) / flow.rate);
  moved_.push_back(index);
}

uint64_t SharedResources::busy_ticks(uint64_t now_ticks, uint32_t index) const {
  const Shared& shared = resources_[index];
  return shared.busy_ticks + (shared.flows.empty() ? 0 : now_ticks - shared.busy_since_ticks);
}

void SharedResources::shift(uint64_t by_ticks) {
  for (Flow& flow : flows_) {
    flow.since_ticks += by_ticks;
    flow.end_ticks += by_ticks;
  }
  for (Shared& shared : resources_) shared.busy_since_ticks += by_ticks;
}

}  // namespace unirack
