// Costs files: exact round trips, and an answer to everything that is not one.
#include "collectives/calibrate/costs_file.h"

#include <gmock/gmock.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <random>

namespace unirack {
namespace {

namespace fs = std::filesystem;
using ::testing::EndsWith;
using ::testing::HasSubstr;

// A folder of its own that goes with the test.
class CostsFile : public ::testing::Test {
 protected:
  CostsFile() {
    std::string made = (fs::temp_directory_path() / "unirack-costs-XXXXXX").string();
    folder_ = mkdtemp(made.data());
  }
  ~CostsFile() override { fs::remove_all(folder_); }

  std::string path(const std::string& name) const { return (folder_ / name).string(); }
  std::string with_text(const std::string& text) const {
    std::ofstream(path("costs.txt")) << text;
    return path("costs.txt");
  }

  fs::path folder_;
};

Costs random_costs(unsigned seed) {
  std::mt19937_64 random(seed);
  Costs costs;
  for (LinkCosts& link : costs.links) {
    link = {random() % (kCostTimeMaxPs + 1), random() % (kCostTimeMaxPs + 1),
            random() % (kCostBandwidthMax + 1), random() % 2 == 0, random() % 2 == 0};
  }
  costs.copy_bandwidth = random() % (kCostBandwidthMax + 1);
  for (uint64_t& each : costs.reduce_bandwidth) each = random() % (kCostBandwidthMax + 1);
  costs.step_ps = random() % (kCostTimeMaxPs + 1);
  costs.call_ps = random() % (kCostTimeMaxPs + 1);
  return costs;
}

TEST_F(CostsFile, WhatIsWrittenIsReadBack) {
  for (unsigned seed = 0; seed < 100; ++seed) {
    const Costs costs = random_costs(seed);
    const auto again = costs_from_text(to_text(costs));
    ASSERT_TRUE(again) << again.error().detail;
    EXPECT_EQ(*again, costs);
    EXPECT_EQ(again->hash(), costs.hash());
  }
  ASSERT_TRUE(write_costs_file(path("a.txt"), assumed_costs()));
  ASSERT_TRUE(write_costs_file(path("a.txt"), random_costs(7)));
  EXPECT_EQ(read_costs_file(path("a.txt")).value(), random_costs(7));
  // Nothing else is left behind.
  EXPECT_EQ(std::distance(fs::directory_iterator(folder_), fs::directory_iterator()), 1);
}

TEST_F(CostsFile, WhatNoLineSpeaksOfIsAssumed) {
  EXPECT_EQ(costs_from_text("unirack costs 1").value(), assumed_costs());
  EXPECT_EQ(costs_from_text("unirack costs 1", random_costs(3)).value(), random_costs(3));
  Costs costs = assumed_costs();
  costs.copy_bandwidth = 7;
  costs.reduce_bandwidth[static_cast<size_t>(DataType::bfloat16)] = 9;
  EXPECT_EQ(costs_from_text("# mine\r\n\r\n  unirack  costs 1 # yes\r\n"
                            "reduce bfloat16\tbandwidth=9\r\ncopy bandwidth=7\r\n")
                .value(),
            costs);
}

TEST_F(CostsFile, NumbersBeyondTheLimitsAreCut) {
  Costs costs = assumed_costs();
  costs.copy_bandwidth = UINT64_MAX;
  const auto again = costs_from_text(to_text(costs));
  ASSERT_TRUE(again);
  EXPECT_EQ(again->copy_bandwidth, kCostBandwidthMax);
}

std::string refusal(const std::string& text) {
  const auto costs = costs_from_text(text);
  if (costs) return "accepted";
  EXPECT_EQ(costs.code(), Code::invalid_argument);
  return costs.error().detail;
}

TEST_F(CostsFile, RefusalsSayWhereAndWhat) {
  EXPECT_EQ(refusal(""), "line 1: expected 'unirack costs 1', found ''");
  EXPECT_EQ(refusal("#\nunirack costs 2"),
            "line 2: expected 'unirack costs 1', found 'unirack costs 2'");
  const std::string title = "unirack costs 1\n";
  EXPECT_EQ(refusal(title + "lunk a=1"),
            "line 2: expected link, copy, reduce or executor, found 'lunk'");
  EXPECT_EQ(refusal(title + "link"),
            "line 2: expected link and a kind such as ethernet, found 'link'");
  EXPECT_EQ(refusal(title + "reduce half4 bandwidth=1"),
            "line 2: expected reduce and a type such as float, found 'reduce half4'");
  EXPECT_EQ(refusal(title + "copy"), "line 2, bandwidth: expected a number, found 'nothing'");
  EXPECT_EQ(refusal(title + "executor step_ps=1"),
            "line 2, call_ps: expected a number, found 'nothing'");
  EXPECT_EQ(refusal(title + "copy bandwidth=-1"),
            "line 2, bandwidth: expected a whole number from 0 to 1000000000000000, found '-1'");
  EXPECT_THAT(refusal(title + "copy bandwidth=1000000000000001"), EndsWith("'1000000000000001'"));
  EXPECT_THAT(refusal(title + "copy bandwidth="), EndsWith("found ''"));
  EXPECT_THAT(refusal(title + "copy bandwidth"), EndsWith("found ''"));
  EXPECT_THAT(refusal(title + "copy bandwidth=1.5"), EndsWith("found '1.5'"));
  EXPECT_EQ(refusal(title + "copy bandwidth=1 bandwidth=1"),
            "line 2, bandwidth: expected one value, found 'bandwidth=1'");
  EXPECT_EQ(refusal(title + "executor steps=1"),
            "line 2: expected one of step_ps=, call_ps=, found 'steps=1'");
  EXPECT_EQ(refusal(title + "copy bandwidth=1\n\ncopy bandwidth=1"),
            "line 4: expected no second line after 2, found 'copy'");
  EXPECT_THAT(refusal(title + "link nvlink latency_ps=1 gap_ps=1 bandwidth=1 holds_lane=2"),
              HasSubstr("line 2, holds_lane: expected a whole number from 0 to 1, found '2'"));
  EXPECT_EQ(refusal(title + "\x1b[2J\xff"),
            "line 2: expected link, copy, reduce or executor, found '?[2J?'");
  EXPECT_THAT(refusal(title + std::string(kCostsFileMax, '#')), HasSubstr("at most 16 KiB"));
  EXPECT_THAT(refusal(title + std::string(500, 'x')), EndsWith("xxx...'"));
}

TEST_F(CostsFile, FilesThatAreNoneAreNamed) {
  const std::string missing = path("missing.txt");
  EXPECT_EQ(read_costs_file(missing).error().detail,
            "costs file '" + missing + "': cannot be opened");
  EXPECT_EQ(read_costs_file(missing).error().sys_errno, ENOENT);
  EXPECT_THAT(read_costs_file(folder_.string()).error().detail,
              HasSubstr("expected a regular file"));
  ASSERT_EQ(mkfifo(path("fifo").c_str(), 0600), 0);
  EXPECT_THAT(read_costs_file(path("fifo")).error().detail, HasSubstr("expected a regular file"));
  const std::string bad = with_text("unirack costs 1\ncopy bandwidth=fast\n");
  EXPECT_THAT(read_costs_file(bad).error().detail,
              HasSubstr("costs file '" + bad + "': line 2, bandwidth: expected a whole number"));
  EXPECT_THAT(read_costs_file(with_text(std::string(kCostsFileMax + 1, ' '))).error().detail,
              HasSubstr("at most 16 KiB"));
  EXPECT_FALSE(write_costs_file(path("no/such/folder.txt"), assumed_costs()));
}

TEST_F(CostsFile, TheSummaryTellsWhatWasMeasured) {
  Costs costs = assumed_costs();
  EXPECT_EQ(summary_of(costs), "as assumed");
  EXPECT_EQ(summary_of(assumed_host_costs()), "as assumed");
  costs.step_ps += 1;
  EXPECT_EQ(summary_of(costs), "copies 800.0 GB/s; float sums 800.0 GB/s");
  costs.of(LinkKind::ethernet) = {10'250'000, 2'000'000, 1'250'000'000, false, true};
  costs.copy_bandwidth = 11'000'000'000;
  costs.reduce_bandwidth[static_cast<size_t>(DataType::float32)] = 8'060'000'000;
  EXPECT_EQ(
      summary_of(costs),
      "ethernet 10.25 us + 2.00 us a message, 1.25 GB/s; copies 11.0 GB/s; float sums 8.1 GB/s");
}

}  // namespace
}  // namespace unirack
