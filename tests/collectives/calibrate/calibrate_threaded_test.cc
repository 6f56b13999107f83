// Calibration by ranks as threads over real transports: everyone ends with the same costs, what was
// measured once is kept, and the memory that was used for it serves collectives afterwards.
#include "collectives/calibrate/calibrate.h"

#include <gmock/gmock.h>

#include <filesystem>
#include <fstream>
#include <mutex>

#include "collectives/algorithms/algorithms.h"
#include "collectives/calibrate/cache.h"
#include "collectives/calibrate/costs_file.h"
#include "tests/support/engine_pool.h"

namespace unirack {
namespace {

namespace fs = std::filesystem;
using testing::EnginePoolOptions;
using ::testing::HasSubstr;
using testing::run_engines;

constexpr auto kPatience = std::chrono::seconds(20);
// Under a heavy load a measurement may make no sense: it is then left out, and nothing is kept.
constexpr const char* kTooBusy = "the machine was too busy to measure anything";

// What every rank ended with.
struct Outcome {
  std::mutex mutex;
  std::vector<Calibration> calibrations;
  std::vector<Status> statuses;
  uint64_t key = 0;
};

EnginePoolOptions calibrated(EnginePoolOptions options, const std::string& calibration,
                             const std::string& cache_folder, Outcome& outcome) {
  options.on_fabric = [&outcome, calibration, cache_folder](
                          const Fabric& fabric, ControlPlane& control, Config config) -> Status {
    config.calibration = calibration;

    config.cache_folder = cache_folder;
    auto made = calibrate(fabric, control, config, deadline_in(kPatience));
    const std::lock_guard lock(outcome.mutex);
    outcome.key = costs_key(fabric.topology);
    outcome.statuses.push_back(made ? ok_status() : Status(made.error()));
    if (made) outcome.calibrations.push_back(*made);
    return outcome.statuses.back();
  };
  return options;
}

// An all-reduce of uint32 over the same scratch, by pushes.
Status run_all_reduce(Rank rank, Engine& engine) {
  Request request;
  request.collective = Collective::all_reduce;
  request.type = DataType::uint32;
  request.count = 5003;
  const Algorithm* algorithm = find_algorithm(Collective::all_reduce, "two_shot");
  auto schedule = UNIRACK_TRY(algorithm->generate(engine.topology(), request, 1));
  std::vector<uint32_t> input(request.count, static_cast<uint32_t>(rank + 1));
  std::vector<uint32_t> output(request.count);
  Launch launch;
  launch.request = request;
  launch.schedule = std::make_shared<const Schedule>(std::move(schedule));
  launch.input = reinterpret_cast<const std::byte*>(input.data());
  launch.output = reinterpret_cast<std::byte*>(output.data());
  launch.deadline = deadline_in(kPatience);
  const uint64_t id = UNIRACK_TRY(engine.submit(std::move(launch)));
  UNIRACK_TRY(engine.wait(id));
  const auto ranks = static_cast<uint32_t>(engine.topology().rank_count());
  const std::vector<uint32_t> expected(request.count, ranks * (ranks + 1) / 2);
  return output == expected ? ok_status() : Status(make_error(Code::corrupted, "a wrong sum"));
}

class CalibrateThreaded : public ::testing::TestWithParam<std::tuple<const char*, int>> {};

TEST_P(CalibrateThreaded, AllRanksEndWithTheSameCosts) {
  const auto [transport, ranks] = GetParam();
  EnginePoolOptions options;
  options.rank_count = ranks;
  options.transports = {transport};
  Outcome outcome;
  const Status status = run_engines(calibrated(options, "auto", "", outcome), run_all_reduce);
  ASSERT_TRUE(status) << status.error().to_string();
  ASSERT_EQ(outcome.calibrations.size(), static_cast<size_t>(ranks));
  const Calibration& first = outcome.calibrations[0];
  for (const Calibration& each : outcome.calibrations) EXPECT_EQ(each.costs, first.costs);
  if (ranks == 1) {
    EXPECT_EQ(first.origin, CostsOrigin::assumed);
    EXPECT_EQ(first.costs, assumed_host_costs());
    return;
  }
  EXPECT_EQ(first.origin, CostsOrigin::measured);
  EXPECT_NE(first.costs.copy_bandwidth, assumed_host_costs().copy_bandwidth);
  const bool is_tcp = std::string_view(transport) == "tcp";
  const LinkKind measured = is_tcp ? LinkKind::ethernet : LinkKind::shared_memory;
  for (int i = 0; i < kLinkKindCount; ++i) {
    const auto kind = static_cast<LinkKind>(i);
    if (kind == measured) continue;
    EXPECT_EQ(first.costs.of(kind), assumed_host_costs().of(kind));
  }
  const LinkCosts& link = first.costs.of(measured);
  if (!link.is_measured) GTEST_SKIP() << kTooBusy;
  EXPECT_GT(link.bandwidth, 1'000'000u);
  EXPECT_EQ(link.holds_lane, !is_tcp);
}

INSTANTIATE_TEST_SUITE_P(Pools, CalibrateThreaded,
                         ::testing::Combine(::testing::Values("loopback", "shm", "tcp"),
                                            ::testing::Values(1, 2, 3, 5, 8)));

// Tests with files in a folder of their own.
class CalibrateFilesThreaded : public ::testing::Test {
 protected:
  CalibrateFilesThreaded() {
    std::string made = (fs::temp_directory_path() / "unirack-calibrate-XXXXXX").string();
    folder_ = mkdtemp(made.data());
    options_.rank_count = 3;
    options_.transports = {"loopback"};
  }
  ~CalibrateFilesThreaded() override { fs::remove_all(folder_); }

  // Of all ranks together, which must agree.
  Calibration run(const std::string& calibration) {
    Outcome outcome;
    const Status status = run_engines(calibrated(options_, calibration, folder_.string(), outcome),
                                      [](Rank, Engine&) { return ok_status(); });
    EXPECT_TRUE(status) << status.error().to_string();
    EXPECT_EQ(outcome.calibrations.size(), 3u);
    for (const Calibration& each : outcome.calibrations) {
      EXPECT_EQ(each.costs, outcome.calibrations[0].costs);
      EXPECT_EQ(each.origin, outcome.calibrations[0].origin);
    }
    key_ = outcome.key;
    return outcome.calibrations.empty() ? Calibration() : outcome.calibrations[0];
  }

  fs::path folder_;
  EnginePoolOptions options_;
  uint64_t key_ = 0;
};

TEST_F(CalibrateFilesThreaded, TwoKindsOfLinksAreMeasured) {
  options_.transports = {"loopback", "tcp"};
  options_.domains = {"red", "red", "blue"};
  const Calibration made = run("auto");
  EXPECT_EQ(made.origin, CostsOrigin::measured);
  EXPECT_THAT(to_text(made), HasSubstr("costs: measured: "));
  const LinkCosts& inside = made.costs.of(LinkKind::shared_memory);
  const LinkCosts& outside = made.costs.of(LinkKind::ethernet);
  if (!inside.is_measured || !outside.is_measured) GTEST_SKIP() << kTooBusy;
  EXPECT_NE(inside.bandwidth, outside.bandwidth);
}

TEST_F(CalibrateFilesThreaded, WhatIsKeptIsNotMeasured) {
  const Calibration first = run("auto");
  EXPECT_EQ(first.origin, CostsOrigin::measured);
  const CostsCache cache(folder_.string(), key_, Logger(LogLevel::off));
  if (!cache.load()) GTEST_SKIP() << kTooBusy;
  EXPECT_EQ(cache.load(), first.costs);
  // Told apart from anything measured.
  Costs kept = first.costs;
  kept.copy_bandwidth = 4711;
  cache.store(kept);
  const Calibration second = run("auto");
  EXPECT_EQ(second.origin, CostsOrigin::cache);
  EXPECT_EQ(second.costs, kept);
  EXPECT_THAT(to_text(second), HasSubstr("costs: kept: "));
  // Another pool has costs of its own.
  options_.transports = {"tcp"};
  const uint64_t first_key = key_;
  EXPECT_EQ(run("auto").origin, CostsOrigin::measured);
  EXPECT_NE(key_, first_key);
}

TEST_F(CalibrateFilesThreaded, WhatIsOldIsMeasuredAgain) {
  run("default");  // tells the key
  const CostsCache cache(folder_.string(), key_, Logger(LogLevel::off));
  cache.store(assumed_costs());
  EXPECT_EQ(run("auto").origin, CostsOrigin::cache);
  fs::last_write_time(cache.path(),
                      fs::last_write_time(cache.path()) - kCostsAgeMax - std::chrono::hours(1));
  const Calibration made = run("auto");
  EXPECT_EQ(made.origin, CostsOrigin::measured);
  if (!cache.load()) GTEST_SKIP() << kTooBusy;
  EXPECT_EQ(cache.load(), made.costs);
}

TEST_F(CalibrateFilesThreaded, DefaultsMeasureAndKeepNothing) {
  const Calibration made = run("default");
  EXPECT_EQ(made.origin, CostsOrigin::assumed);
  EXPECT_EQ(made.costs, assumed_host_costs());
  EXPECT_EQ(to_text(made), "costs: published");
  EXPECT_TRUE(fs::is_empty(folder_));
}

TEST_F(CalibrateFilesThreaded, AFilePinsThem) {
  const std::string path = (folder_ / "pinned.txt").string();
  std::ofstream(path) << "unirack costs 1\ncopy bandwidth=12345\n";
  const Calibration made = run(path);
  EXPECT_EQ(made.origin, CostsOrigin::file);
  EXPECT_EQ(made.costs.copy_bandwidth, 12'345u);
  EXPECT_THAT(to_text(made), HasSubstr("costs: pinned: "));
}

TEST_F(CalibrateFilesThreaded, AFileThatIsNoneIsEveryonesError) {
  const std::string path = (folder_ / "pinned.txt").string();
  for (const bool exists : {false, true}) {
    if (exists) std::ofstream(path) << "unirack costs 1\ncopy bandwidth=fast\n";
    Outcome outcome;
    const Status status = run_engines(calibrated(options_, path, "", outcome),
                                      [](Rank, Engine&) { return ok_status(); });
    EXPECT_FALSE(status);
    ASSERT_EQ(outcome.statuses.size(), 3u);
    for (const Status& each : outcome.statuses) {
      ASSERT_FALSE(each);
      EXPECT_THAT(
          each.error().detail,
          HasSubstr("UNIRACK_CALIBRATION: costs file '" + path + "': " +
                    (exists ? "line 2, bandwidth: expected a whole number" : "cannot be opened")));
    }
  }
}

}  // namespace
}  // namespace unirack
