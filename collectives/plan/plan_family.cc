#include "collectives/plan/plan_family.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <utility>

namespace unirack {

namespace {

constexpr uint64_t kTileBytesMin = 1024;
// Blocks are not cut smaller than this for the sake of a pipeline.
constexpr uint64_t kPipelinedBytesMin = uint64_t{16} << 10;
// A tile of no more simulated steps than these takes a millisecond.
constexpr uint64_t kStepsFew = 5'000;
// One of more than these takes tens of milliseconds.
constexpr uint64_t kStepsMany = 40'000;
// One of more than these takes seconds.
constexpr uint64_t kStepsTooMany = 100'000;
// What takes so many times as long as another plan will not be faster in smaller tiles (but trees
// may be deep); nor is what is long to simulate looked at closely if it takes so many times as
// long.
constexpr uint64_t kGainMax = 4;
constexpr uint64_t kDeepGainMax = 16;
constexpr uint64_t kHeavyGainMax = 2;

// Whether what takes so long at least gains less than 1% on what takes `time_ps`.
bool is_close(uint64_t at_least_ps, uint64_t time_ps) {
  return at_least_ps >= time_ps - time_ps / 100;
}

uint64_t steps_of(const Schedule& schedule) {
  uint64_t steps = 0;
  for (Rank rank = 0; rank < schedule.header().rank_count; ++rank) {
    for (const Lane& lane : schedule.program_view(rank).lanes) steps += lane.steps.size();
  }
  return steps;
}

// Domains of several ranks, joined by TCP.
bool crosses_by_tcp(const Topology& topology) {
  const auto& domains = topology.domains();
  return domains.size() > 1 && static_cast<int>(domains.size()) < topology.rank_count() &&
         topology.link(domains[0][0], domains[1][0]).transport == "tcp";
}

// Why the candidate cannot or must not serve; empty: it may.
std::string object_to(const Algorithm& algorithm, const Topology& topology, const Request& request,
                      const Policy& policy, bool is_forced) {
  std::string unfit = algorithm.unfit(topology, request);
  if (!unfit.empty()) return unfit;
  const bool shows = algorithm.reassociates && topology.rank_count() > 2 &&
                     is_order_visible(request.type, request.op);
  if (shows && !policy.reassociate) {
    return is_forced ? "it changes the bits of float sums: allow that with UNIRACK_REASSOCIATE=1"
                     : "changes the bits of float sums";
  }
  return "";
}

const std::string* forced_name(const Request& request, const Policy& policy) {
  for (const auto& [collective, algorithm] : policy.forced) {
    if (collective == collective_name(request.collective)) return &algorithm;
  }
  return nullptr;
}

}  // namespace

PlanFamily::PlanFamily(const Topology& topology, const Network& network, const Policy& policy,
                       const LeastCost& least, const Request& request)
    : topology_(topology), network_(network), policy_(policy), least_(least), request_(request) {}

Result<std::unique_ptr<PlanFamily>> PlanFamily::make(const Topology& topology,
                                                     const Network& network, const Policy& policy,
                                                     const LeastCost& least,
                                                     const Request& request) {
  std::unique_ptr<PlanFamily> family(new PlanFamily(topology, network, policy, least, request));
  UNIRACK_TRY(family->list_candidates());
  return family;
}

bool PlanFamily::serves(const Request& request) const {
  return request.collective == request_.collective && request.root == request_.root &&
         request.type == request_.type && request.op == request_.op &&
         request.symmetric == request_.symmetric && request.in_place == request_.in_place;
}

Status PlanFamily::list_candidates() {
  const std::string* forced = forced_name(request_, policy_);
  is_forced_ = forced != nullptr;
  if (is_forced_ && find_algorithm(request_.collective, *forced) == nullptr) {
    return make_error(Code::invalid_argument,
                      "UNIRACK_ALGORITHM: no algorithm \"" + *forced + "\" for " +
                          std::string(collective_name(request_.collective)));
  }
  for (const Algorithm& algorithm : algorithms()) {
    if (algorithm.collective != request_.collective) continue;
    if (is_forced_ && algorithm.name != *forced) continue;
    Candidate candidate;
    candidate.algorithm = &algorithm;
    candidate.objection = object_to(algorithm, topology_, request_, policy_, is_forced_);
    candidate.effort = least_.effort(request_.collective, algorithm.name);
    const bool may_serve = candidate.objection.empty();
    candidates_.push_back(std::move(candidate));
    for (int lanes = 2; may_serve && lanes <= policy_.lanes; lanes *= 2) {
      Candidate more;
      more.algorithm = &algorithm;
      more.lanes = lanes;
      more.effort = candidates_.back().effort;
      candidates_.push_back(std::move(more));
    }
  }
  return ok_status();
}

// False: it has an objection now.
bool PlanFamily::write(Candidate& candidate) {
  if (candidate.schedule != nullptr) return true;
  if (!candidate.objection.empty()) return false;
  Result<Schedule> made = candidate.algorithm->generate(topology_, request_, candidate.lanes);
  if (!made) {
    candidate.objection = made.error().detail;
    return false;
  }
  candidate.steps = steps_of(*made);
  const auto lanes = static_cast<int>(made->program_view(0).lanes.size());
  if (candidate.lanes > 1 && lanes < candidate.lanes) {
    candidate.objection = "has no more than " + std::to_string(lanes) + " lanes";
    return false;
  }
  candidate.values = std::max(1u, made->program_view(0).values_per_tile);
  candidate.chunks = made->header().chunks;
  candidate.schedule = std::make_unique<const Schedule>(std::move(made).value());
  measure_scratch(candidate);
  if (!candidate.objection.empty()) {
    candidate.schedule.reset();
    return false;
  }
  prepare(candidate);
  return true;
}

void PlanFamily::prepare(Candidate& candidate) const {
  const auto ranks = static_cast<uint64_t>(topology_.rank_count());
  const uint64_t steps = std::max<uint64_t>(1, candidate.steps / ranks);
  SimulateOptions options;
  options.classes_max = static_cast<uint32_t>(kStepsTooMany / steps);
  Result<Simulator> simulator = Simulator::make(*candidate.schedule, network_, options);
  if (!simulator) {
    candidate.failure = simulator.error().detail;
    return;
  }
  candidate.simulator = std::make_unique<Simulator>(std::move(simulator).value());
  if (candidate.simulator->is_rough()) {
    candidate.sample = {.few = 0, .some = 1, .most = 1};
    return;
  }
  const uint64_t classes = candidate.simulator->class_count();
  if (steps * classes > kStepsMany) {
    candidate.sample = {.few = 1, .some = 2, .most = 2};
  } else if (classes > 1 && steps * classes <= kStepsFew) {
    // Ranks that are not alike fall into step late, if ever.
    candidate.sample = {.few = 16, .some = 56, .most = 64};
  }
}

void PlanFamily::measure_scratch(Candidate& candidate) const {
  // Counts of an all_to_all_v are known only at run time: one tile, no scratch.
  if (request_.collective == Collective::all_to_all_v) return;
  const auto scratch_of = [&](uint64_t tile_bytes) {
    return candidate.schedule->scratch_bytes(tile_bytes / size_of(request_.type), request_.type);
  };
  uint64_t tile_bytes = std::bit_floor(policy_.tile_bytes_max);
  while (tile_bytes > kTileBytesMin && scratch_of(tile_bytes) > policy_.scratch_bytes) {
    tile_bytes /= 2;
  }
  // All that is there, to an eighth.
  const uint64_t eighth = tile_bytes / 8;
  for (int more = 7; more > 0 && tile_bytes < policy_.tile_bytes_max; --more) {
    const uint64_t larger = tile_bytes + eighth * static_cast<uint64_t>(more);
    if (larger > policy_.tile_bytes_max || scratch_of(larger) > policy_.scratch_bytes) continue;
    tile_bytes = larger;
    break;
  }
  candidate.tile_max = tile_bytes;
  if (scratch_of(tile_bytes) <= policy_.scratch_bytes) return;
  candidate.objection = "needs " + std::to_string(scratch_of(tile_bytes)) + " bytes of scratch, " +
                        std::to_string(policy_.scratch_bytes) + " are there";
}

uint64_t PlanFamily::tiles_max(const Candidate& candidate) {
  return ((uint64_t{1} << kCounterBits) - 1) / candidate.values;
}

uint64_t PlanFamily::tile_count(PlanId id, uint64_t count) const {
  const uint64_t bytes = bytes_of(count);
  return id.tile_bytes == 0 || bytes == 0 ? 1 : (bytes - 1) / id.tile_bytes + 1;
}

// Ways to cut a block, the largest tiles first. Whatever holds all of it is the largest there is.
std::vector<uint64_t> PlanFamily::tiles_for(const Candidate& candidate, uint64_t count) const {
  if (candidate.tile_max == 0) return {0};
  const uint64_t bytes = bytes_of(count);
  const auto fits = [&](uint64_t tile_bytes) {
    return bytes == 0 || (bytes - 1) / tile_bytes + 1 <= tiles_max(candidate);
  };
  uint64_t largest = candidate.tile_max;
  if (policy_.tile_bytes > 0) {
    largest = std::min(largest, policy_.tile_bytes);
  } else if (policy_.rail_piece_bytes > 0 && crosses_by_tcp(topology_)) {
    uint64_t pieces = policy_.rail_piece_bytes * std::bit_floor(candidate.chunks);
    while (!fits(pieces)) pieces *= 2;
    largest = std::min(largest, pieces);
  }
  if (!fits(largest)) return {};
  std::vector<uint64_t> tiles{largest};
  if (policy_.tile_bytes > 0) return tiles;
  uint64_t next = std::bit_floor(largest - 1);
  while (next >= bytes) next /= 2;
  for (; next >= kPipelinedBytesMin && fits(next); next /= 2) tiles.push_back(next);
  return tiles;
}

PlanFamily::Price PlanFamily::price(PlanId id, uint64_t count, uint64_t stop_ps) {
  const auto [at, is_new] = prices_.try_emplace(std::make_tuple(id, count));
  Price& price = at->second;
  const bool is_enough = stop_ps > 0 && (price.time_ps >= stop_ps || is_too_long(price));
  if (is_new || (price.is_stopped && !is_enough)) price = look_up(id, count, stop_ps);
  // Whoever was asked for before, and without a limit, must not change what is chosen.
  Price answer = price;
  answer.is_stopped |= stop_ps > 0 && is_too_long(price);
  return answer;
}

PlanFamily::Price PlanFamily::look_up(PlanId id, uint64_t count, uint64_t stop_ps) {
  Candidate& candidate = candidates_[id.candidate];
  Price price;
  if (write(candidate) && candidate.simulator != nullptr) {
    const uint64_t tiles = tile_count(id, count);
    SimulatedCall call{count, request_.type, request_.op, id.tile_bytes, stop_ps};
    if (stop_ps > 0) call.work_max = policy_.work_max;
    if (tiles <= candidate.sample.most) {
      price = simulate(candidate, call);
    } else if (tiles <= tiles_max(candidate)) {
      price = price_many(candidate, call, tiles);
    }
  }
  return price;
}

// Tiles are equal, and what one more takes has settled.
PlanFamily::Price PlanFamily::price_many(Candidate& candidate, SimulatedCall call, uint64_t tiles) {
  const auto [few_tiles, some_tiles, most_tiles] = candidate.sample;
  const uint64_t tile = (call.count + tiles - 1) / tiles;
  call.tile_bytes = tile * size_of(request_.type);
  call.count = tile * some_tiles;
  Price price = simulate(candidate, call);
  if (price.time_ps == 0 || price.is_stopped) return price;
  if (price.period_tiles == 0) {
    call.count = tile * few_tiles;
    call.stop_ps = call.work_max = 0;
    const uint64_t few_ps =
        few_tiles > 0 ? simulate(candidate, call).time_ps : network_.costs().call_ps;
    price.period_tiles = some_tiles - few_tiles;
    price.period_ps = price.time_ps > few_ps ? price.time_ps - few_ps : 0;
  }
  const auto more = static_cast<unsigned __int128>(price.period_ps);
  price.time_ps += static_cast<uint64_t>(more * (tiles - some_tiles) / price.period_tiles);
  return price;
}

PlanFamily::Price PlanFamily::simulate(Candidate& candidate, const SimulatedCall& call) const {
  const Result<Simulation> simulation = candidate.simulator->run(call);
  if (!simulation) {
    candidate.failure = simulation.error().detail;
    return {};
  }
  Price price;
  price.time_ps = std::max<uint64_t>(1, simulation->time_ps);
  price.is_stopped = simulation->is_stopped;
  price.work = simulation->work;
  price.period_tiles = simulation->period_tiles;
  price.period_ps = simulation->period_ps;
  uint64_t busy_ps = 0;
  for (uint32_t i = 0; i < simulation->loads.size(); ++i) {
    if (simulation->loads[i].busy_ps <= busy_ps) continue;
    busy_ps = simulation->loads[i].busy_ps;
    price.resource = i;
  }
  price.percent = static_cast<uint32_t>(static_cast<unsigned __int128>(busy_ps) * 100 /
                                        std::max<uint64_t>(1, simulation->time_ps));
  return price;
}

// The best way to cut it, if it can be priced at all. What is far behind the rival is not refined.
std::optional<PlanFamily::Best> PlanFamily::best_tile(uint32_t index, uint64_t count,
                                                      uint64_t rival_ps) {
  Candidate& candidate = candidates_[index];
  if (!write(candidate)) return std::nullopt;
  const std::vector<uint64_t> tiles = tiles_for(candidate, count);
  if (tiles.empty()) return std::nullopt;
  const bool is_quick = candidate.sample.most > 2;
  const uint64_t deep_gain = candidate.effort.is_vague ? kDeepGainMax : kGainMax;
  const uint64_t gain = is_quick ? deep_gain : kHeavyGainMax;
  const uint64_t whole_stop_ps = rival_ps == UINT64_MAX ? 0 : rival_ps * gain;
  const Price whole = price({index, tiles[0]}, count, whole_stop_ps);
  const uint64_t whole_ps = whole.time_ps;
  if (whole_ps == 0) return std::nullopt;
  if (whole.is_stopped) return Best{{index, tiles[0]}, whole_ps, true, is_too_long(whole)};
  const uint64_t least_ps = at_least_ps(candidate, bytes_of(count));
  uint64_t best_ps = whole_ps;
  size_t best = 0;
  std::vector<uint64_t> times(tiles.size(), 0);
  times[0] = whole_ps;
  const auto consider = [&](size_t at) {
    const Price tried = price({index, tiles[at]}, count, best_ps + best_ps / 4);
    const uint64_t time_ps = times[at] = tried.time_ps;
    if (time_ps > 0 && !tried.is_stopped && time_ps < best_ps) {
      best = at;
      best_ps = time_ps;
    }
    return time_ps;
  };
  // Gains of a pipeline are at most its depth. Where there are tiles already, it is the two phases
  // of a plan that come to overlap.
  const bool is_cut = tile_count({index, tiles[0]}, count) > 3;
  const bool may_gain = is_quick || (!is_cut && candidate.sample.most > 1);
  if (may_gain && whole_ps / (is_cut ? 3 : gain) <= rival_ps) {
    for (size_t at = 1; at < tiles.size() && !is_close(least_ps, best_ps); at += 2) {
      // A little worse may get better again, as lanes fall into step; much worse does not.
      if (consider(at) > best_ps + best_ps / 4) break;
    }
    // Then those in between, beside all that come close: the best may stand beside the second best.
    const auto is_near = [&](size_t at) {
      return at < times.size() && times[at] > 0 && times[at] <= best_ps + best_ps / 8;
    };
    for (size_t at = 2; at < tiles.size() && !is_close(least_ps, best_ps); at += 2) {
      const bool may_win = best_ps - best_ps / 6 <= rival_ps;
      if (may_win && (is_near(at - 1) || is_near(at + 1))) consider(at);
    }
  }
  // Smaller tiles must pay: each costs what no simulation knows of.
  if (is_close(best_ps, whole_ps)) return Best{{index, tiles[0]}, whole_ps};
  return Best{{index, tiles[best]}, best_ps};
}

uint64_t PlanFamily::at_least_ps(const Candidate& candidate, uint64_t bytes) const {
  return least_.at_least_ps(candidate.effort, bytes, request_.type);
}

std::vector<uint32_t> PlanFamily::order(uint64_t bytes) const {
  std::vector<std::tuple<bool, double, uint32_t>> keyed;
  for (uint32_t i = 0; i < candidates_.size(); ++i) {
    const auto at_least = static_cast<double>(at_least_ps(candidates_[i], bytes));
    keyed.emplace_back(
        candidates_[i].effort.is_vague,
        at_least * std::sqrt(1 + candidates_[i].effort.steps / static_cast<double>(kStepsMany)), i);
  }
  std::sort(keyed.begin(), keyed.end());
  std::vector<uint32_t> ordered;
  for (const auto& [is_vague, at_least, index] : keyed) ordered.push_back(index);
  return ordered;
}

// The best of all at this size. Those that cannot be are not written, nor those that are too long.
// `before` is looked at first, since it often comes close.
std::optional<PlanFamily::Best> PlanFamily::best(uint64_t count, std::optional<PlanId> before,
                                                 std::vector<PricedPlan>* report) {
  const uint64_t bytes = bytes_of(count);
  std::optional<Best> found;
  if (before) {
    const uint64_t time_ps = price(*before, count).time_ps;
    if (time_ps > 0) found = Best{*before, time_ps};
  }
  uint64_t spent = 0;
  for (const uint32_t index : order(bytes)) {
    Candidate& candidate = candidates_[index];
    uint64_t at_least = at_least_ps(candidate, bytes);
    const auto expected = static_cast<uint64_t>(candidate.effort.steps);
    std::string reason;
    std::optional<Best> own;
    if (!candidate.objection.empty()) {
      reason = candidate.objection;
    } else if (found && is_close(at_least, found->time_ps)) {
      reason = "cannot be faster by 1%";
    } else if (found && spent + expected > policy_.steps_max) {
      reason = "would take " + std::to_string(expected) + " steps to write out";
    } else {
      own = best_tile(index, count, found ? found->time_ps : UINT64_MAX);
      // Where ranks are not alike, simulating it takes about as long as writing it.
      if (own) spent += candidate.steps * (candidate.simulator->is_rough() ? 2 : 1);
      const bool is_stopped = own && own->is_stopped;
      if (own && !is_stopped && (!found || own->time_ps < found->time_ps)) found = own;
      if (!own) reason = why_not(candidate, count);
      if (is_stopped) {
        reason = own->is_too_long ? "too long to simulate" : "takes several times as long";
        at_least = std::max(at_least, own->time_ps);
        own.reset();
      }
    }
    if (report != nullptr) report->push_back(describe(index, own, count, at_least, reason));
  }
  return found;
}

std::string PlanFamily::why_not(const Candidate& candidate, uint64_t count) const {
  if (!candidate.objection.empty()) return candidate.objection;
  if (tiles_for(candidate, count).empty()) return "would take too many tiles";
  return "cannot be simulated: " + candidate.failure;
}

PricedPlan PlanFamily::describe(uint32_t index, const std::optional<Best>& own, uint64_t count,
                                uint64_t at_least_ps, const std::string& reason) {
  const Candidate& candidate = candidates_[index];
  PricedPlan plan;
  plan.algorithm = candidate.algorithm->name;
  plan.cost = candidate.algorithm->cost;
  plan.lanes = candidate.lanes;
  plan.at_least_ps = at_least_ps;
  plan.reason = reason;
  if (own) {
    const Price priced = price(own->id, count);
    plan.is_priced = true;
    plan.tile_bytes = own->id.tile_bytes;
    plan.time_ps = priced.time_ps;
    if (priced.resource != kNoIndex) plan.limit = network_.resources()[priced.resource].name;
    plan.limit_percent = priced.percent;
  }
  return plan;
}

}  // namespace unirack
