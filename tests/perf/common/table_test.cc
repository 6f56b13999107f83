#include "perf/common/table.h"

#include <gtest/gtest.h>

namespace unirack::perf {
namespace {

class Ring : public Collective {
 public:
  std::string_view name() const override { return "ring_perf"; }
  std::string_view summary() const override { return ""; }
  std::string_view bus_formula() const override { return ""; }
  double bus_factor(int n) const override { return 2.0 * (n - 1) / n; }
  double moved_bytes(double bytes, int n) const override { return bytes * (n - 1); }
  Blocks inputs(const Call&) const override { return {}; }
  Blocks outputs(const Call&) const override { return {}; }
  unirackResult_t run(const Call&, const void*, void*, unirackComm_t) const override {
    return unirackSuccess;
  }
};

TEST(Table, BandwidthsAreDecimalGigabytes) {
  Measurement measurement;
  measurement.time_us = 1000;
  fill_bandwidths(measurement, Ring(), 1'000'000, 4);
  EXPECT_DOUBLE_EQ(measurement.alg_bandwidth, 3.0);
  EXPECT_DOUBLE_EQ(measurement.bus_bandwidth, 4.5);
}

TEST(Table, NumbersFitTheirColumn) {
  EXPECT_EQ(fit_number(35.152, 7), "  35.15");
  EXPECT_EQ(fit_number(99999.96, 7), " 100000");
  EXPECT_EQ(fit_number(1234.56, 7), "1234.56");
  EXPECT_EQ(fit_number(12345.67, 7), "12345.7");
  EXPECT_EQ(fit_number(1234567.8, 7), "1234568");
}

TEST(Table, PlanIsTheFirstLineOfTheExplanation) {
  EXPECT_EQ(plan_of("algorithm=two_shot transport=shm,tcp tiles=4 lanes=2\nmore algorithm=x"),
            "two_shot shm,tcp");
  EXPECT_EQ(plan_of("algorithm=direct"), "direct");
  EXPECT_EQ(plan_of("nothing has run"), "-");
  EXPECT_EQ(plan_of(""), "-");
}

TEST(Table, SummaryOfNothingIsZero) { EXPECT_EQ(Summary().average(), 0); }

}  // namespace
}  // namespace unirack::perf
