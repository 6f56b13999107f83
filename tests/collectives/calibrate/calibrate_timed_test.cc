// Calibration keeps within its second, whatever the number of ranks.
#include <gtest/gtest.h>

#include <algorithm>
#include <mutex>

#include "collectives/calibrate/calibrate.h"
#include "tests/support/engine_pool.h"

namespace unirack {
namespace {

using testing::EnginePoolOptions;
using testing::run_engines;

class CalibrateTimed : public ::testing::TestWithParam<int> {};

// Half of the ranks in one domain, the rest in another: two kinds of links.
TEST_P(CalibrateTimed, TakesLessThanASecond) {
  const int ranks = GetParam();
  EnginePoolOptions options;
  options.rank_count = ranks;
  options.transports = {"loopback", "tcp"};
  for (int rank = 0; rank < ranks; ++rank) options.domains.push_back(rank < ranks / 2 ? "a" : "b");
  std::mutex mutex;
  int64_t slowest_ms = 0;
  options.on_fabric = [&](const Fabric& fabric, ControlPlane& control, Config config) -> Status {
    config.calibration = "auto";
    const TimePoint begin = now();
    auto made = calibrate(fabric, control, config, deadline_in(std::chrono::seconds(20)));
    const std::lock_guard lock(mutex);
    slowest_ms = std::max(slowest_ms, to_ms(now() - begin));
    return made ? ok_status() : Status(made.error());
  };
  const Status status = run_engines(options, [](Rank, Engine&) { return ok_status(); });
  ASSERT_TRUE(status) << status.error().to_string();
  EXPECT_LT(slowest_ms, 1'000);
  RecordProperty("ms", std::to_string(slowest_ms));
}

INSTANTIATE_TEST_SUITE_P(Pools, CalibrateTimed, ::testing::Values(1, 2, 3, 5, 8));

}  // namespace
}  // namespace unirack
