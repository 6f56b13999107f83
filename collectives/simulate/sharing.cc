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
  carriers_.resize(bandwidths.size());
  for (size_t i = 0; i < bandwidths.size(); ++i) {
    carriers_[i].capacity = (WideUnsigned{bandwidths[i]} << kRateBits) * kWholeShare;
  }
}

uint32_t SharedResources::begin(uint64_t now_ticks, uint64_t bytes, std::span<const FlowUse> uses,
                                std::span<const FlowUse> others) {
  uint32_t index = static_cast<uint32_t>(flows_.size());
  if (free_.empty()) {
    flows_.emplace_back();
    bytes_.emplace_back();
    open_in_.push_back(0);
    fixed_in_.push_back(0);
  } else {
    index = free_.back();
    free_.pop_back();
  }
  flows_[index] = Flow{};
  flows_[index].uses = uses;
  bytes_[index] = {kByte * bytes, now_ticks, now_ticks, others};
  open_in_[index] = 0;
  for (const FlowUse& use : uses) {
    add_to(use.resource, now_ticks);
    carriers_[use.resource].flows.push_back({index, use.load});
    note_change(use.resource);
  }
  for (const FlowUse& use : others) add_to(use.resource, now_ticks);
  return index;
}

void SharedResources::end(uint64_t now_ticks, uint32_t index) {
  const Flow& flow = flows_[index];
  for (const FlowUse& use : flow.uses) {
    std::vector<Entry>& flows = carriers_[use.resource].flows;
    const auto at = std::find_if(flows.begin(), flows.end(),
                                 [&](const Entry& entry) { return entry.flow == index; });
    *at = flows.back();
    flows.pop_back();
    resources_[use.resource].used -= flow.rate * use.load;
    take_from(use.resource, now_ticks);
    note_change(use.resource);
  }
  for (const FlowUse& use : bytes_[index].others) take_from(use.resource, now_ticks);
  if (flow.bottleneck != kNobody) --resources_[flow.bottleneck].held;
  free_.push_back(index);
}

void SharedResources::go_on(uint64_t now_ticks, uint32_t index, uint64_t bytes) {
  bytes_[index].left = kByte * bytes;
  find_end(now_ticks, index);
  gone_on_.push_back(index);
}

void SharedResources::add_to(uint32_t resource, uint64_t now_ticks) {
  Carrier& carrier = carriers_[resource];
  if (carrier.carried++ == 0) carrier.busy_since_ticks = now_ticks;
}

void SharedResources::take_from(uint32_t resource, uint64_t now_ticks) {
  Carrier& carrier = carriers_[resource];
  if (--carrier.carried == 0) carrier.busy_ticks += now_ticks - carrier.busy_since_ticks;
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
  std::swap(moved_, gone_on_);
  if (changed_.empty()) return moved_;
  ++settling_;
  touched_.clear();
  open_flows_.clear();
  while (!changed_.empty()) {
    for (const uint32_t resource : changed_) open_held(resource);
    changed_.clear();
    fill();
    find_unfair();
  }
  for (const uint32_t resource : touched_) {
    resources_[resource].used = resources_[resource].filled;
  }
  for (const uint32_t flow : open_flows_) {
    ++resources_[flows_[flow].bottleneck].held;
    update(now_ticks, flow);
  }
  return moved_;
}

void SharedResources::open_held(uint32_t index) {
  Shared& shared = resources_[index];
  shared.is_changed = false;
  shared.opened_in = settling_;
  for (const Entry& entry : carriers_[index].flows) {
    if (open_in_[entry.flow] == settling_) continue;
    const Flow& flow = flows_[entry.flow];
    if (flow.bottleneck == index || flow.bottleneck == kNobody) open(entry.flow);
  }
}

void SharedResources::open(uint32_t index) {
  Flow& flow = flows_[index];
  open_in_[index] = settling_;
  ++looked_at_;
  if (flow.bottleneck != kNobody) --resources_[flow.bottleneck].held;
  flow.old_rate = flow.rate;
  open_flows_.push_back(index);
  for (const FlowUse& use : flow.uses) {
    Shared& shared = resources_[use.resource];
    std::vector<uint32_t>& open_flows = carriers_[use.resource].open_flows;
    if (shared.touched_in != settling_) {
      shared.touched_in = settling_;
      shared.open_load = 0;
      open_flows.clear();
      touched_.push_back(use.resource);
    }
    shared.used -= flow.rate * use.load;
    shared.open_load += use.load;
    open_flows.push_back(index);
  }
}

WideUnsigned SharedResources::fair_rate(uint32_t index) const {
  const Shared& shared = resources_[index];
  const WideUnsigned capacity = carriers_[index].capacity;
  const WideUnsigned left = capacity > shared.filled ? capacity - shared.filled : 0;
  return (left + shared.load - 1) / shared.load;
}

// Raises the rates of open flows together; whoever is full keeps its flows where they are.
// Resources that are full at the same rate are so at once, whatever their order.
void SharedResources::fill() {
  const auto higher = [](const Level& a, const Level& b) { return a.rate > b.rate; };
  ++filling_;
  levels_.clear();
  full_.clear();
  for (const uint32_t index : touched_) {
    Shared& shared = resources_[index];
    shared.filled = shared.used;
    shared.load = shared.open_load;
    shared.is_eased = false;
    shared.is_disturbed = false;
    if (shared.load > 0) levels_.push_back({fair_rate(index), index});
  }
  std::make_heap(levels_.begin(), levels_.end(), higher);
  WideUnsigned level = 0;
  unfixed_ = open_flows_.size();
  while (unfixed_ > 0 && !levels_.empty()) {
    at_level_.clear();
    collect_level(level);
    for (const uint32_t index : at_level_) {
      full_.push_back({level, index});
      for (const uint32_t flow : carriers_[index].open_flows) {
        if (fixed_in_[flow] != filling_) fix(flow, level, index);
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
    Shared& shared = resources_[top.resource];
    if (shared.is_eased && shared.load > 0) {
      shared.is_eased = false;
      const WideUnsigned rate = fair_rate(top.resource);
      if (rate > top.rate) {
        top.rate = rate;
        std::push_heap(levels_.begin(), levels_.end(), higher);
        continue;
      }
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
  fixed_in_[index] = filling_;
  --unfixed_;
  flow.rate = rate;
  flow.bottleneck = bottleneck;
  const bool is_disturbed = rate != flow.old_rate;
  for (const FlowUse& use : flow.uses) {
    Shared& shared = resources_[use.resource];
    shared.filled += rate * use.load;
    shared.load -= use.load;
    shared.is_eased = true;
    shared.is_disturbed |= is_disturbed;
  }
}

// Settled flows that are faster than what a full resource gives to others, and those held by a
// resource that open flows now use otherwise: the resources that hold them have changed.
void SharedResources::find_unfair() {
  const auto take_in = [&](uint32_t resource) {
    if (resources_[resource].opened_in != settling_) note_change(resource);
  };
  for (const Level& full : full_) {
    const Carrier& carrier = carriers_[full.resource];
    if (carrier.open_flows.size() == carrier.flows.size()) continue;
    for (const Entry& entry : carrier.flows) {
      if (open_in_[entry.flow] == settling_) continue;
      const Flow& flow = flows_[entry.flow];
      if (flow.rate > full.rate) take_in(flow.bottleneck);
    }
  }
  for (const uint32_t resource : touched_) {
    if (resources_[resource].is_disturbed && resources_[resource].held > 0) take_in(resource);
  }
}

WideUnsigned SharedResources::left_at(uint64_t now_ticks, uint32_t index) const {
  const Bytes& bytes = bytes_[index];
  const WideUnsigned gone = flows_[index].rate * (now_ticks - bytes.since_ticks);
  return bytes.left > gone ? bytes.left - gone : 0;
}

void SharedResources::update(uint64_t now_ticks, uint32_t index) {
  const Flow& flow = flows_[index];
  if (flow.old_rate == flow.rate) return;
  Bytes& bytes = bytes_[index];
  const WideUnsigned gone = flow.old_rate * (now_ticks - bytes.since_ticks);
  bytes.left = bytes.left > gone ? bytes.left - gone : 0;
  find_end(now_ticks, index);
  moved_.push_back(index);
}

void SharedResources::find_end(uint64_t now_ticks, uint32_t index) {
  Bytes& bytes = bytes_[index];
  const WideUnsigned rate = flows_[index].rate;
  const WideUnsigned needs = rate == 0 ? kNeverTicks : (bytes.left + rate - 1) / rate;
  bytes.since_ticks = now_ticks;
  bytes.end_ticks = needs < kNeverTicks ? now_ticks + static_cast<uint64_t>(needs) : kNeverTicks;
}

uint64_t SharedResources::busy_ticks(uint64_t now_ticks, uint32_t index) const {
  const Carrier& carrier = carriers_[index];
  return carrier.busy_ticks + (carrier.carried == 0 ? 0 : now_ticks - carrier.busy_since_ticks);
}

void SharedResources::shift(uint64_t by_ticks) {
  for (Bytes& bytes : bytes_) {
    bytes.since_ticks += by_ticks;
    bytes.end_ticks += by_ticks;
  }
  for (Carrier& carrier : carriers_) carrier.busy_since_ticks += by_ticks;
}

}  // namespace unirack
