// Which plan runs at what size: choices at powers of two, and where they change in between.
#include <algorithm>
#include <bit>
#include <utility>

#include "collectives/plan/plan_family.h"

namespace unirack {

namespace {

// Sizes begin anew at every so many-th power of two.
constexpr uint32_t kAnchorPowers = 4;
// Steps that stay written out for the next size.
constexpr uint64_t kStepsKept = 500'000;
// With more tiles, one more or less is hardly felt.
constexpr uint64_t kUnevenTiles = 16;
// Beyond this no element count differs from another.
constexpr uint64_t kCountMax = uint64_t{1} << 56;

// The element count of a power of two.
uint64_t power_of_two(uint32_t power) { return uint64_t{1} << power; }

}  // namespace

bool PlanFamily::keeps(uint64_t time_ps, uint64_t best_ps) const {
  const auto scaled = static_cast<unsigned __int128>(time_ps) * 100;
  return time_ps > 0 &&
         scaled <= static_cast<unsigned __int128>(best_ps) * (100 + policy_.keep_percent);
}

Result<PlanId> PlanFamily::choose_at(uint64_t count, std::optional<PlanId> before) {
  const std::optional<Best> found = best(count, before, nullptr);
  if (!found) return anything(count);
  if (before && keeps(price(*before, count).time_ps, found->time_ps)) return *before;
  return found->id;
}

// Where nothing can be simulated, the first that fits.
Result<PlanId> PlanFamily::anything(uint64_t count) {
  std::string lines;
  for (uint32_t i = 0; i < candidates_.size(); ++i) {
    Candidate& candidate = candidates_[i];
    if (write(candidate)) {
      const auto tiles = tiles_for(candidate, count);
      if (!tiles.empty()) return PlanId{i, tiles.front()};
    }
    lines += "  " + std::string(candidate.algorithm->name) + " (" +
             std::string(candidate.algorithm->cost) + "): " + why_not(candidate, count) + "\n";
  }
  return make_error(
      is_forced_ ? Code::invalid_argument : Code::resource_exhausted,
      "no plan for " + std::string(collective_name(request_.collective)) + ":\n" + lines);
}

Result<PlanId> PlanFamily::at_power(uint32_t power) {
  if (const auto known = powers_.find(power); known != powers_.end()) return known->second;
  std::optional<PlanId> before;
  for (uint32_t at = power - power % kAnchorPowers; at <= power; ++at) {
    const auto known = powers_.find(at);
    if (known != powers_.end()) {
      before = known->second;
      continue;
    }
    const PlanId chosen = UNIRACK_TRY(choose_at(power_of_two(at), before));
    powers_.emplace(at, chosen);
    before = chosen;
  }
  return *before;
}

// Of the sizes from a power of two to below the next.
Result<const std::vector<PlanFamily::Range>*> PlanFamily::bucket(uint32_t power) {
  if (const auto known = buckets_.find(power); known != buckets_.end()) return &known->second;
  const PlanId first = UNIRACK_TRY(at_power(power));
  // Twice as much may be too much for any plan.
  const Result<PlanId> next = at_power(power + 1);
  const PlanId last = next ? *next : first;
  std::vector<Range> ranges{{power_of_two(power), first}};
  // A few tiles more or less may make another plan the best between two powers of one.
  const uint64_t tiles = tile_count(first, power_of_two(power + 1));
  const bool is_uneven = tiles > 1 && tiles <= kUnevenTiles;
  if ((first != last || is_uneven) && power > 0) {
    const uint64_t middle = power_of_two(power) + power_of_two(power - 1);
    const PlanId between = UNIRACK_TRY(choose_at(middle, first));
    bisect(power_of_two(power), first, middle, between, ranges);
    if (between != first && ranges.back().begin != middle) ranges.push_back({middle, between});
    bisect(middle, between, power_of_two(power + 1), last, ranges);
  }
  return &buckets_.emplace(power, std::move(ranges)).first->second;
}

// Appends from where `last` runs, if that is before `high`.
void PlanFamily::bisect(uint64_t low, PlanId first, uint64_t high, PlanId last,
                        std::vector<Range>& ranges) {
  if (first == last) return;
  const uint64_t end = high;
  while (high - low > std::max<uint64_t>(1, end / 32)) {
    const uint64_t middle = low + (high - low) / 2;
    const uint64_t last_ps = price(last, middle).time_ps;
    const bool is_first = last_ps == 0 || keeps(price(first, middle).time_ps, last_ps);
    (is_first ? low : high) = middle;
  }
  if (high < end) ranges.push_back({high, last});
}

Result<PlanId> PlanFamily::find(uint64_t count) {
  const uint64_t inside = std::clamp<uint64_t>(count, 1, kCountMax);
  const auto power = static_cast<uint32_t>(std::bit_width(inside) - 1);
  if (inside == power_of_two(power)) return at_power(power);
  const std::vector<Range>& ranges = *UNIRACK_TRY(bucket(power));
  PlanId found = ranges.front().id;
  for (const Range& range : ranges) {
    if (range.begin <= inside) found = range.id;
  }
  if (tile_count(found, inside) <= tiles_max(candidates_[found.candidate])) return found;
  return choose_at(inside, std::nullopt);
}

Result<std::shared_ptr<const Schedule>> PlanFamily::schedule(PlanId id) {
  if (const auto known = schedules_.find(id); known != schedules_.end()) return known->second;
  Candidate& candidate = candidates_[id.candidate];
  if (!write(candidate)) return make_error(Code::internal, candidate.objection);
  auto made = std::make_shared<const Schedule>(candidate.schedule->with_tiles(id.tile_bytes));
  schedules_.emplace(id, made);
  return made;
}

Result<std::vector<PricedPlan>> PlanFamily::price_all(uint64_t count) {
  const PlanId chosen = UNIRACK_TRY(find(count));
  std::vector<PricedPlan> plans;
  const uint64_t inside = std::max<uint64_t>(1, count);
  const std::optional<Best> found = best(inside, chosen, &plans);
  const Candidate& candidate = candidates_[chosen.candidate];
  for (PricedPlan& plan : plans) {
    const bool is_it = plan.algorithm == candidate.algorithm->name && plan.lanes == candidate.lanes;
    if (is_it) {
      plan = describe(chosen.candidate, Best{chosen, 0}, inside, plan.at_least_ps, "chosen");
      plan.is_chosen = true;
      plan.is_priced = plan.time_ps > 0;
      if (is_forced_) {
        plan.reason = "chosen: forced";
      } else if (found && plan.time_ps > found->time_ps) {
        plan.reason = "chosen: as for the sizes below, and hardly slower";
      }
    }
  }
  return plans;
}

Result<std::vector<PlanRange>> PlanFamily::ranges(uint64_t count_min, uint64_t count_max) {
  std::vector<PlanRange> all;
  PlanId before;
  uint64_t begin = std::clamp<uint64_t>(count_min, 1, kCountMax);
  const auto append = [&](uint64_t at, PlanId id) {
    if (!all.empty() && id == before) return;
    const Candidate& candidate = candidates_[id.candidate];
    if (!all.empty()) all.back().bytes_end = bytes_of(at);
    all.push_back({bytes_of(at), 0, std::string(candidate.algorithm->name), candidate.lanes,
                   id.tile_bytes, price(id, at).time_ps});
    before = id;
  };
  while (begin < count_max) {
    append(begin, UNIRACK_TRY(find(begin)));
    const auto power = static_cast<uint32_t>(std::bit_width(begin) - 1);
    const std::vector<Range>& ranges = *UNIRACK_TRY(bucket(power));
    for (const Range& range : ranges) {
      if (range.begin > begin && range.begin < count_max) append(range.begin, range.id);
    }
    begin = power_of_two(power + 1);
  }
  if (!all.empty()) all.back().bytes_end = bytes_of(count_max);
  return all;
}

void PlanFamily::trim() {
  uint64_t steps = 0;
  for (const Candidate& candidate : candidates_) {
    if (candidate.schedule != nullptr) steps += candidate.steps;
  }
  if (steps <= kStepsKept) return;
  for (Candidate& candidate : candidates_) {
    candidate.simulator.reset();
    candidate.schedule.reset();
  }
}

}  // namespace unirack
