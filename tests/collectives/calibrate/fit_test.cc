// The fit on samples that are known: exact ones, disturbed ones, and what must be refused.
#include "collectives/calibrate/fit.h"

#include <gmock/gmock.h>

#include <random>

namespace unirack {
namespace {

using ::testing::HasSubstr;

constexpr uint64_t kSizes[] = {16'384, 65'536, 131'072, 262'144, 524'288, 1'048'576};
constexpr uint32_t kBursts[] = {1, 8, 64};

// What round trips of a link take, `times` each.
std::vector<RoundTrip> trips_of(const LinkCosts& costs, int times) {
  std::vector<RoundTrip> trips;
  const auto add = [&](uint32_t messages, uint64_t bytes) {
    const uint64_t elapsed = 2 * costs.latency_ps + (messages + 1) * costs.gap_ps +
                             transfer_ps(messages * bytes, costs.bandwidth);
    for (int i = 0; i < times; ++i) trips.push_back({messages, bytes, elapsed});
  };
  for (const uint32_t messages : kBursts) add(messages, 0);
  for (const uint64_t bytes : kSizes) add(1, bytes);
  return trips;
}

void expect_near(uint64_t found, uint64_t expected, uint64_t percent) {
  EXPECT_GE(found, expected - expected * percent / 100);
  EXPECT_LE(found, expected + expected * percent / 100);
}

TEST(Fit, QuantilesTakeTheLesserInTheMiddle) {
  EXPECT_EQ(lower_eighth({}), 0u);
  EXPECT_EQ(lower_eighth({7}), 7u);
  EXPECT_EQ(lower_eighth({9, 5, 7}), 5u);
  EXPECT_EQ(lower_eighth({5, 4, 3, 2, 1}), 1u);
  EXPECT_EQ(lower_eighth({9, 8, 7, 6, 5, 4, 3, 2, 1}), 2u);
  EXPECT_EQ(lower_median({4, 1}), 1u);
  EXPECT_EQ(lower_median({3, 9, 1}), 3u);
}

TEST(Fit, ALineIsFoundExactly) {
  const auto line = fit_line(std::vector<TimedSample>{{10, 130}, {20, 160}, {40, 220}});
  ASSERT_TRUE(line);
  EXPECT_EQ(line->base_ps, 100u);
  EXPECT_EQ(line->ps_per_unit(), 3u);
  EXPECT_EQ(line->units_per_second(), 333'333'333'333u);
}

TEST(Fit, ALinkIsFoundExactly) {
  const LinkCosts links[] = {{200'000, 50'000, 10'000'000'000, true, true},
                             {10'000'000, 2'000'000, 12'500'000, false, true},
                             {1, 1, 1'000'000, false, true}};
  for (const LinkCosts& link : links) {
    const auto found = fit_link(trips_of(link, 3), link.holds_lane);
    ASSERT_TRUE(found) << found.error().detail;
    EXPECT_EQ(found->latency_ps, link.latency_ps);
    EXPECT_EQ(found->gap_ps, link.gap_ps);
    expect_near(found->bandwidth, link.bandwidth, 1);
    EXPECT_EQ(found->holds_lane, link.holds_lane);
    EXPECT_TRUE(found->is_measured);
  }
}

// A third of the samples are late, some by a hundred times; the rest jitter by a few percent.
TEST(Fit, DisturbanceChangesLittle) {
  const LinkCosts link{15'000'000, 1'000'000, 2'000'000'000, false, true};
  for (unsigned seed = 0; seed < 50; ++seed) {
    std::mt19937 random(seed);
    std::vector<RoundTrip> trips = trips_of(link, 16);
    for (RoundTrip& trip : trips) {
      trip.elapsed_ps += trip.elapsed_ps * (random() % 4) / 100;
      if (random() % 3 == 0) trip.elapsed_ps += trip.elapsed_ps * (random() % 100);
    }
    const auto found = fit_link(trips, false);
    ASSERT_TRUE(found) << found.error().detail;
    expect_near(found->latency_ps + found->gap_ps, 16'000'000, 8);
    expect_near(found->gap_ps, link.gap_ps, 15);
    expect_near(found->bandwidth, link.bandwidth, 8);
  }
}

// One size that is wrong throughout, wherever it is but at the end, which alone tells the rate.
TEST(Fit, ASizeThatStandsOutIsOverruled) {
  const LinkCosts link{1'000'000, 100'000, 1'000'000'000, false, true};
  for (size_t odd = 0; odd + 1 < std::size(kSizes); ++odd) {
    std::vector<RoundTrip> trips = trips_of(link, 4);
    for (RoundTrip& trip : trips) {
      if (trip.bytes == kSizes[odd]) trip.elapsed_ps *= 5;
    }
    const auto found = fit_link(trips, false);
    ASSERT_TRUE(found);
    expect_near(found->bandwidth, link.bandwidth, 1);
  }
}

// From 128 KiB on another protocol adds 50 us: neither rate nor latency takes them in.
TEST(Fit, AStepIsNoRate) {
  const LinkCosts link{1'000'000, 100'000, 1'000'000'000, false, true};
  std::vector<RoundTrip> trips = trips_of(link, 4);
  for (RoundTrip& trip : trips) {
    if (trip.bytes >= 131'072) trip.elapsed_ps += 50'000'000;
  }
  const auto found = fit_link(trips, false);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->latency_ps, link.latency_ps);
  expect_near(found->bandwidth, link.bandwidth, 8);
}

// Small messages in a cache, large ones not: the rate is that of the large ones.
TEST(Fit, LargeMessagesDecideTheRate) {
  std::vector<TimedSample> samples;
  for (const uint64_t bytes : kSizes) {
    samples.push_back(
        {bytes, bytes <= 131'072 ? bytes * 100 : 13'107'200 + (bytes - 131'072) * 400});
  }
  const auto line = fit_line(samples);
  ASSERT_TRUE(line);
  expect_near(line->units_per_second(), 2'500'000'000, 20);
}

TEST(Fit, TheGapTakesNoMoreThanAnEmptyMessage) {
  // Bursts are slow, single ones fast: nothing is left for the latency, and nothing wraps.
  const std::vector<RoundTrip> trips = {
      {1, 0, 1'000'000}, {64, 0, 640'000'000}, {1, 1'000, 2'000'000}, {1, 2'000, 3'000'000}};
  const auto found = fit_link(trips, false);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->gap_ps, 500'000u);
  EXPECT_EQ(found->latency_ps, 0u);
}

std::string refusal_of(const std::vector<RoundTrip>& trips) {
  const auto found = fit_link(trips, false);
  return found ? "accepted" : found.error().detail;
}

TEST(Fit, NonsenseIsRefusedWithTheReason) {
  EXPECT_THAT(refusal_of({}), HasSubstr("expected round trips of one empty message"));
  const RoundTrip empty{1, 0, 1'000'000};
  const RoundTrip burst{8, 0, 2'000'000};
  EXPECT_THAT(refusal_of({empty}), HasSubstr("the gap between messages: expected samples of two"));
  EXPECT_THAT(refusal_of({empty, burst}),
              HasSubstr("the bandwidth: expected samples of two sizes"));
  EXPECT_THAT(refusal_of({empty, burst, {1, 4096, 5}}), HasSubstr("found 1"));
  EXPECT_THAT(refusal_of({empty, burst, {1, 4096, 5'000}, {1, 8192, 4'000}}),
              HasSubstr("expected more to take longer, found 8192 in 4000 ps and 4096 in 5000 ps"));
  EXPECT_THAT(refusal_of({empty, {8, 0, 900'000}}), HasSubstr("expected more to take longer"));
  EXPECT_THAT(refusal_of({empty, burst, {1, 4096, kTimedPsMax + 1}, {1, 1, 1}}),
              HasSubstr("at most 2^44 units and an hour"));
  EXPECT_THAT(refusal_of({empty, burst, {1, kTimedAmountMax + 1, 9}, {1, 1, 1}}),
              HasSubstr("at most 2^44 units"));
}

// Times fall and rise: what counts is the whole.
TEST(Fit, WhatFallsInBetweenMayRiseAltogether) {
  const auto line =
      fit_line(std::vector<TimedSample>{{1'000, 5'000}, {2'000, 4'000}, {100'000, 203'000}});
  ASSERT_TRUE(line);
  expect_near(line->ps_per_unit(), 2, 0);
}

TEST(Fit, TheLargestNumbersDoNotWrap) {
  const auto line = fit_line(std::vector<TimedSample>{
      {0, 0}, {kTimedAmountMax / 2, kTimedPsMax / 2}, {kTimedAmountMax, kTimedPsMax}});
  ASSERT_TRUE(line);
  EXPECT_EQ(line->units_per_second(), kTimedAmountMax / 3'600);
  const auto fastest = fit_line(std::vector<TimedSample>{{0, 0}, {kTimedAmountMax, 1}});
  ASSERT_TRUE(fastest);
  EXPECT_EQ(fastest->units_per_second(), kUnitsPerSecondMax);
}

}  // namespace
}  // namespace unirack
