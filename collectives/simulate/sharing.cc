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
    shared.used -= flow.rate * use.load;
    if (shared.flows.empty()) shared.busy_ticks += now_ticks - shared.busy_since_ticks;
    note_change(use.resource);
  }
  if (flow.bottleneck != kNobody) --resources_[flow.bottleneck].held;
  free_.push_back(index);
}

void SharedResources::note_change(uint32_t resource) {
  if (resources_[resource].is_changed) return;
  resources_[resource].is_changed = true;
  changed_.push_back(resource);
}

// Flows that a changed resource holds are settled anew beside all others as they are. Where that
// leaves others with what is not theirs any more, they are taken in too. What results is fair to
// everybody, and there is only one such result.
const std::vector<uint32_t>& SharedResources::settle(uint64_t now_ticks) {
  moved_.clear();
  if (changed_.empty()) return moved_;
  ++settling_;
  touched_.clear();
  open_flows_.clear();
  old_rates_.clear();
  while (true) {
    for (const uint32_t resource : changed_) open_held(resource);
    changed_.clear();
    fill();
    find_unfair();
    if (changed_.empty()) break;
    unfix();
  }
  for (size_t i = 0; i < open_flows_.size(); ++i) {
    ++resources_[flows_[open_flows_[i]].bottleneck].held;
    update(now_ticks, open_flows_[i], old_rates_[i]);
  }
  return moved_;
}

void SharedResources::open_held(uint32_t index) {
  Shared& shared = resources_[index];
  shared.is_changed = false;
  shared.opened_in = settling_;
  for (const Entry& entry : shared.flows) {
    const Flow& flow = flows_[entry.flow];
    if (flow.open_in == settling_) continue;
    if (flow.bottleneck == index || flow.bottleneck == kNobody) open(entry.flow);
  }
}

void SharedResources::open(uint32_t index) {
  Flow& flow = flows_[index];
  flow.open_in = settling_;
  flow.is_fixed = false;
  if (flow.bottleneck != kNobody) --resources_[flow.bottleneck].held;
  open_flows_.push_back(index);
  old_rates_.push_back(flow.rate);
  for (const FlowUse& use : flow.uses) {
    Shared& shared = resources_[use.resource];
    if (shared.touched_in != settling_) {
      shared.touched_in = settling_;
      shared.load = 0;
      touched_.push_back(use.resource);
    }
    shared.used -= flow.rate * use.load;
    shared.load += use.load;
  }
}

WideUnsigned SharedResources::fair_rate(const Shared& shared) const {
  const WideUnsigned left = shared.capacity > shared.used ? shared.capacity - shared.used : 0;
  return (left + shared.load - 1) / shared.load;
}

// Raises the rates of open flows together; whoever is full keeps its flows where they are.
// Resources that are full at the same rate are so at once, whatever their order.
void SharedResources::fill() {
  const auto higher = [](const Level& a, const Level& b) { return a.rate > b.rate; };
  levels_.clear();
  full_.clear();
  for (const uint32_t index : touched_) {
    const Shared& shared = resources_[index];
    if (shared.load > 0) levels_.push_back({fair_rate(shared), index});
  }
  std::make_heap(levels_.begin(), levels_.end(), higher);
  WideUnsigned level = 0;
  while (!levels_.empty()) {
    at_level_.clear();
    collect_level(level);
    for (const uint32_t index : at_level_) {
      full_.push_back({level, index});
      for (const Entry& entry : resources_[index].flows) {
        const Flow& flow = flows_[entry.flow];
        if (flow.open_in == settling_ && !flow.is_fixed) fix(entry.flow, level, index);
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
    shared.used += rate * use.load;
    shared.load -= use.load;
  }
}

// Settled flows that are faster than what a full resource gives to others, and those held by a
// resource that open flows now use otherwise: the resources that hold them have changed.
void SharedResources::find_unfair() {
  const auto take_in = [&](uint32_t resource) {
    if (resources_[resource].opened_in != settling_) note_change(resource);
  };
  for (const Level& full : full_) {
    for (const Entry& entry : resources_[full.resource].flows) {
      const Flow& flow = flows_[entry.flow];
      if (flow.open_in != settling_ && flow.rate > full.rate) take_in(flow.bottleneck);
    }
  }
  for (size_t i = 0; i < open_flows_.size(); ++i) {
    const Flow& flow = flows_[open_flows_[i]];
    if (flow.rate == old_rates_[i]) continue;
    for (const FlowUse& use : flow.uses) {
      if (resources_[use.resource].held > 0) take_in(use.resource);
    }
  }
}

void SharedResources::unfix() {
  for (const uint32_t index : open_flows_) {
    Flow& flow = flows_[index];
    flow.is_fixed = false;
    for (const FlowUse& use : flow.uses) {
      Shared& shared = resources_[use.resource];
      shared.used -= flow.rate * use.load;
      shared.load += use.load;
    }
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
  const WideUnsigned needs = flow.rate == 0 ? kNeverTicks : (flow.left + flow.rate - 1) / flow.rate;
  flow.end_ticks = needs < kNeverTicks ? now_ticks + static_cast<uint64_t>(needs) : kNeverTicks;
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
