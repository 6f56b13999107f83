#include "collectives/simulate/plan_facts.h"

#include <algorithm>
#include <string>

namespace unirack {

namespace {

using WideBytes = unsigned __int128;

std::string name_of(const Network& network, Rank rank) {
  const std::string& name = network.rank_name(rank);
  return "rank " + std::to_string(rank) + (name.empty() ? "" : " (" + name + ")");
}

}  // namespace

Result<PlanFacts> PlanFacts::collect(const Schedule& schedule, const Network& network,
                                     const SimulateOptions& options) {
  if (schedule.header().rank_count > network.rank_count()) {
    return make_error(Code::invalid_argument,
                      "the schedule is for " + std::to_string(schedule.header().rank_count) +
                          " ranks, the network has " + std::to_string(network.rank_count()));
  }
  PlanFacts facts;
  facts.schedule_ = &schedule;
  facts.network_ = &network;
  const auto ranks = static_cast<size_t>(schedule.header().rank_count);
  for (size_t rank = 0; rank < ranks; ++rank) {
    const auto lanes = schedule.program_view(static_cast<Rank>(rank)).lanes.size();
    facts.lane_count_ = std::max(facts.lane_count_, static_cast<uint32_t>(lanes));
  }
  for (const Resource& resource : network.resources()) {
    facts.bandwidths_.push_back(resource.bandwidth);
  }
  facts.start_ps_.assign(ranks, network.costs().call_ps);
  facts.percent_.assign(ranks, 100);
  UNIRACK_TRY(facts.slow_down(options));
  facts.collect_signals();
  return facts;
}

void PlanFacts::set_call(const SimulatedCall& call) {
  call_ = call;
  last_run_ = {};
  const uint64_t bytes = call.count * size_of(call.type);
  tiles_ = schedule_->tile_count(bytes);
  if (call.tile_bytes > 0) tiles_ = bytes == 0 ? 1 : (bytes - 1) / call.tile_bytes + 1;
}

Status PlanFacts::slow_down(const SimulateOptions& options) {
  for (const SlowResource& slow : options.slow_resources) {
    bool is_known = false;
    const auto& resources = network_->resources();
    for (size_t i = 0; i < resources.size(); ++i) {
      if (resources[i].name != slow.name) continue;
      is_known = true;
      const auto rate = static_cast<WideBytes>(resources[i].bandwidth) * slow.percent / 100;
      bandwidths_[i] = static_cast<uint64_t>(rate);
    }
    if (!is_known) {
      return make_error(Code::invalid_argument, "no resource is called \"" + slow.name + "\"");
    }
  }
  for (const SlowRank& slow : options.slow_ranks) {
    const auto index = static_cast<size_t>(slow.rank);
    if (slow.rank < 0 || index >= percent_.size()) {
      return make_error(Code::invalid_argument, "there is no rank " + std::to_string(slow.rank));
    }
    if (slow.percent == 0) {
      return make_error(Code::unavailable, name_of(*network_, slow.rank) + " is dead", slow.rank);
    }
    percent_[index] = slow.percent;
    start_ps_[index] += slow.late_ps;
  }
  return ok_status();
}

void PlanFacts::collect_signals() {
  signals_.resize(percent_.size() * lane_count_);
  for (size_t rank = 0; rank < percent_.size(); ++rank) {
    const Program& program = schedule_->program_view(static_cast<Rank>(rank));
    for (size_t lane = 0; lane < program.lanes.size(); ++lane) {
      auto& signals = signals_[rank * lane_count_ + lane];
      for (const Step& step : program.lanes[lane].steps) {
        if (step.op == Op::signal) signals.push_back({step.value.v, step.peer});
      }
    }
  }
}

uint64_t PlanFacts::slowed(Rank rank, uint64_t ps) const {
  const uint32_t percent = percent_[static_cast<size_t>(rank)];
  if (percent == 100) return ps;
  return static_cast<uint64_t>((static_cast<WideBytes>(ps) * 100 + percent - 1) / percent);
}

uint64_t PlanFacts::run_bytes(uint32_t parts, Form form) const {
  RunBytes& last = last_run_[static_cast<size_t>(form)];
  if (last.parts == parts) return last.bytes;
  const uint64_t cuts = tiles_ * schedule_->header().chunks;
  const auto all = static_cast<WideBytes>(call_.count) * size_of(call_.type, form) * parts;
  last = {parts, static_cast<uint64_t>((all + cuts - 1) / cuts)};
  return last.bytes;
}

uint64_t PlanFacts::copy_bytes(const Program& program, const Step& step) const {
  const Form form = step.target.buffer == BufferId::scratch
                        ? program.scratch[step.target.block].form
                        : Form::user;
  return run_bytes(step.end - step.begin, form);
}

uint64_t PlanFacts::work_ps(Rank rank, const Program& program, const Step& step) const {
  const Costs& costs = network_->costs();
  if (step.op == Op::copy) {
    return slowed(rank, transfer_ps(copy_bytes(program, step), costs.copy_bandwidth));
  }
  uint64_t bytes = 0;
  for (uint32_t i = 0; i < step.sources.count; ++i) {
    const Slice& source = program.sources[step.sources.first + i];
    const bool is_scratch = source.buffer == BufferId::scratch;
    bytes += run_bytes(step.end - step.begin,
                       is_scratch ? program.scratch[source.block].form : Form::user);
  }
  const uint64_t bandwidth = costs.reduce_bandwidth[static_cast<size_t>(call_.type)];
  return slowed(rank, transfer_ps(bytes, bandwidth));
}

Result<RouteFact> PlanFacts::route(Rank from, Rank to, uint32_t lane,
                                   std::vector<ResourceUse>& uses) const {
  if (!network_->find(from, to, static_cast<int>(lane), found_)) {
    return make_error(Code::unavailable, "there is no way from " + name_of(*network_, from) +
                                             " to " + name_of(*network_, to));
  }
  RouteFact fact{from, to, found_.costs, static_cast<uint32_t>(uses.size()),
                 static_cast<uint32_t>(found_.uses.size())};
  for (const ResourceUse& use : found_.uses) {
    if (bandwidths_[use.resource] == 0) {
      return make_error(Code::unavailable, network_->resources()[use.resource].name +
                                               " is dead, and " + name_of(*network_, from) +
                                               " reaches " + name_of(*network_, to) +
                                               " no other way");
    }
    uses.push_back(use);
  }
  return fact;
}

Result<PlanFacts::Awaited> PlanFacts::find_signal(Rank reader, const Step& wait) const {
  if (wait.peer < 0 || wait.peer >= rank_count() || wait.peer_lane >= lane_count_) {
    return make_error(Code::invalid_argument, "a step waits for a lane that does not exist");
  }
  const auto& signals = this->signals(wait.peer, wait.peer_lane);
  const auto is_ours = [&](const SignalFact& signal) { return signal.peer == reader; };
  // Most lanes count their signals.
  const uint32_t v = wait.value.v;
  if (v > 0 && v <= signals.size() && signals[v - 1].v == v && is_ours(signals[v - 1]) &&
      (v == 1 || signals[v - 2].v < v)) {
    return Awaited{v - 1, 0};
  }
  const auto first =
      std::lower_bound(signals.begin(), signals.end(), wait.value.v,
                       [](const SignalFact& signal, uint32_t least) { return signal.v < least; });
  auto at = std::find_if(first, signals.end(), is_ours);
  if (at != signals.end()) return Awaited{static_cast<uint32_t>(at - signals.begin()), 0};
  // The next tile's counter is higher anyway.
  at = std::find_if(signals.begin(), first, is_ours);
  if (at != first) return Awaited{static_cast<uint32_t>(at - signals.begin()), 1};
  return make_error(Code::invalid_argument,
                    "rank " + std::to_string(reader) + " waits for ever: rank " +
                        std::to_string(wait.peer) + " never signals it",
                    wait.peer);
}

}  // namespace unirack
