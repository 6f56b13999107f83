#include "collectives/calibrate/fit.h"

#include <algorithm>
#include <map>
#include <string>

namespace unirack {

namespace {

using Wide = __int128;

// A pair of points; rise may be anything, run is above 0.
struct Slope {
  int64_t rise = 0;
  int64_t run = 0;
};

bool is_less(const Slope& a, const Slope& b) {
  return static_cast<Wide>(a.rise) * b.run < static_cast<Wide>(b.rise) * a.run;
}

uint64_t quantile(std::vector<uint64_t> values, size_t part, size_t parts) {
  if (values.empty()) return 0;
  const size_t index = (values.size() - 1) * part / parts;
  std::nth_element(values.begin(), values.begin() + static_cast<ptrdiff_t>(index), values.end());
  return values[index];
}

// One point an amount, ascending.
Result<std::vector<TimedSample>> points_of(std::span<const TimedSample> samples) {
  std::map<uint64_t, std::vector<uint64_t>> by_amount;
  for (const TimedSample& each : samples) {
    if (each.amount > kTimedAmountMax || each.elapsed_ps > kTimedPsMax) {
      return make_error(Code::invalid_argument,
                        "expected samples of at most 2^44 units and an hour, found " +
                            std::to_string(each.amount) + " in " + std::to_string(each.elapsed_ps) +
                            " ps");
    }
    by_amount[each.amount].push_back(each.elapsed_ps);
  }
  if (by_amount.size() < 2) {
    return make_error(Code::invalid_argument, "expected samples of two sizes or more, found " +
                                                  std::to_string(by_amount.size()));
  }
  std::vector<TimedSample> points;
  for (auto& [amount, times] : by_amount) {
    points.push_back({amount, lower_eighth(std::move(times))});
  }
  return points;
}

Slope middle_slope(const std::vector<TimedSample>& points) {
  std::vector<Slope> slopes;
  Wide weight = 0;
  for (size_t high = 1; high < points.size(); ++high) {
    for (size_t low = 0; low < high; ++low) {
      slopes.push_back({static_cast<int64_t>(points[high].elapsed_ps - points[low].elapsed_ps),
                        static_cast<int64_t>(points[high].amount - points[low].amount)});
      weight += slopes.back().run;
    }
  }
  std::stable_sort(slopes.begin(), slopes.end(), is_less);
  Wide below = 0;
  for (const Slope& slope : slopes) {
    below += slope.run;
    if (2 * below >= weight) return slope;
  }
  return slopes.back();
}

std::vector<uint64_t> times_of_empty(std::span<const RoundTrip> trips) {
  std::vector<uint64_t> times;
  for (const RoundTrip& each : trips) {
    if (each.messages == 1 && each.bytes == 0) times.push_back(each.elapsed_ps);
  }
  return times;
}

// The reason of a refusal, and what it was about.
Error about(std::string_view what, Error error) {
  error.detail = std::string(what) + ": " + error.detail;
  return error;
}

}  // namespace

uint64_t lower_eighth(std::vector<uint64_t> values) { return quantile(std::move(values), 1, 8); }

uint64_t lower_median(std::vector<uint64_t> values) { return quantile(std::move(values), 1, 2); }

uint64_t FittedLine::ps_per_unit() const { return (rise_ps + run / 2) / run; }

uint64_t FittedLine::units_per_second() const {
  constexpr Wide kSecond = 1'000'000'000'000;
  return static_cast<uint64_t>(std::clamp<Wide>(run * kSecond / rise_ps, 1, kUnitsPerSecondMax));
}

Result<FittedLine> fit_line(std::span<const TimedSample> samples) {
  const std::vector<TimedSample> points = UNIRACK_TRY(points_of(samples));
  const Slope slope = middle_slope(points);
  if (slope.rise <= 0) {
    return make_error(Code::invalid_argument,
                      "expected more to take longer, found " +
                          std::to_string(points.back().amount) + " in " +
                          std::to_string(points.back().elapsed_ps) + " ps and " +
                          std::to_string(points.front().amount) + " in " +
                          std::to_string(points.front().elapsed_ps) + " ps");
  }
  FittedLine line;
  line.rise_ps = static_cast<uint64_t>(slope.rise);
  line.run = static_cast<uint64_t>(slope.run);
  const auto own = static_cast<Wide>(points.front().amount) * slope.rise / slope.run;
  line.base_ps = static_cast<uint64_t>(std::max<Wide>(0, points.front().elapsed_ps - own));
  return line;
}

Result<LinkCosts> fit_link(std::span<const RoundTrip> trips, bool holds_lane) {
  const std::vector<uint64_t> empty = times_of_empty(trips);
  if (empty.empty()) {
    return make_error(Code::invalid_argument, "expected round trips of one empty message");
  }
  std::vector<TimedSample> bursts;
  std::vector<TimedSample> sizes;
  for (const RoundTrip& each : trips) {
    if (each.bytes == 0) bursts.push_back({each.messages, each.elapsed_ps});
    if (each.bytes > 0 && each.messages == 1) sizes.push_back({each.bytes, each.elapsed_ps});
  }
  const auto gap = fit_line(bursts);
  if (!gap) return about("the gap between messages", gap.error());
  const auto rate = fit_line(sizes);
  if (!rate) return about("the bandwidth", rate.error());
  LinkCosts costs;
  const uint64_t half = lower_eighth(empty) / 2;
  costs.gap_ps = std::min(half, gap->ps_per_unit());
  costs.latency_ps = half - costs.gap_ps;
  costs.bandwidth = rate->units_per_second();
  costs.holds_lane = holds_lane;
  costs.is_measured = true;
  return costs;
}

}  // namespace unirack
