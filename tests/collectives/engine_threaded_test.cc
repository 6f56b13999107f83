#include "collectives/engine.h"

#include <gtest/gtest.h>

#include <cstring>

#include "collectives/algorithms/algorithms.h"
#include "tests/support/engine_pool.h"

namespace unirack {
namespace {

using testing::EnginePoolOptions;
using testing::run_engines;

constexpr uint32_t kPoison = 0xdeadbeef;

uint32_t element(Rank rank, uint64_t data, uint64_t i) {
  return static_cast<uint32_t>(i * 2654435761U + data * 40503U + static_cast<uint64_t>(rank) * 97U);
}

// Runs one algorithm of the table on uint32 sums and checks every output element.
Status run_one(Engine& engine, Rank rank, const Algorithm& algorithm, const Request& request,
               uint64_t tile_bytes, int lanes) {
  auto made = UNIRACK_TRY(algorithm.generate(engine.topology(), request, lanes));
  const auto schedule = std::make_shared<const Schedule>(made.with_tiles(tile_bytes));
  const Layout layout = schedule->layout();
  const int ranks = engine.topology().rank_count();
  std::vector<uint32_t> input(layout.blocks(rank, BufferId::input) * request.count);
  std::vector<uint32_t> output(layout.blocks(rank, BufferId::output) * request.count, kPoison);
  for (uint64_t i = 0; i < input.size(); ++i) {
    const auto block = static_cast<uint32_t>(i / request.count);
    const uint32_t data = layout.data_block(rank, BufferId::input, block);
    input[i] = element(rank, data, i % request.count);
  }
  Launch launch;
  launch.request = request;
  launch.schedule = schedule;
  launch.input = reinterpret_cast<const std::byte*>(input.data());
  launch.output = reinterpret_cast<std::byte*>(output.data());
  launch.deadline = deadline_in(std::chrono::seconds(20));
  const uint64_t id = UNIRACK_TRY(engine.submit(std::move(launch)));
  UNIRACK_TRY(engine.wait(id));
  for (uint64_t i = 0; i < output.size(); ++i) {
    const auto block = static_cast<uint32_t>(i / request.count);
    const uint32_t data = layout.data_block(rank, BufferId::output, block);
    uint32_t expected = 0;
    for (Rank each = 0; each < ranks; ++each) {
      if (layout.contributes(each, data)) expected += element(each, data, i % request.count);
    }
    if (output[i] != expected) {
      return make_error(Code::corrupted, std::string(algorithm.name) + ": element " +
                                             std::to_string(i) + " is wrong");
    }
  }
  return ok_status();
}

class EngineThreaded : public ::testing::TestWithParam<std::tuple<const char*, int>> {};

TEST_P(EngineThreaded, EveryAlgorithmGivesEveryElement) {
  const auto [transport, ranks] = GetParam();
  EnginePoolOptions options;
  options.rank_count = ranks;
  options.transports = {transport};
  const Status status = run_engines(options, [](Rank rank, Engine& engine) -> Status {
    for (const Algorithm& algorithm : algorithms()) {
      if (algorithm.collective == Collective::send_recv ||
          algorithm.collective == Collective::all_to_all_v) {
        continue;
      }
      for (const uint64_t count : std::initializer_list<uint64_t>{0, 1, 7, 1000, 5003}) {
        Request request;
        request.collective = algorithm.collective;
        request.type = DataType::uint32;
        request.count = count;
        request.root = engine.topology().rank_count() - 1;
        if (!algorithm.unfit(engine.topology(), request).empty()) continue;
        UNIRACK_TRY(run_one(engine, rank, algorithm, request, 0, 1));
        UNIRACK_TRY(run_one(engine, rank, algorithm, request, 1024, 2));
      }
    }
    return ok_status();
  });
  EXPECT_TRUE(status) << status.error().to_string();
}

// Plans of several levels need several domains.
TEST(RacksThreaded, EveryAlgorithmGivesEveryElement) {
  EnginePoolOptions options;
  options.rank_count = 5;
  options.domains = {"a", "a", "b", "c", "c"};
  options.transports = {"loopback", "tcp"};
  const Status status = run_engines(options, [](Rank rank, Engine& engine) -> Status {
    for (const Algorithm& algorithm : algorithms()) {
      Request request;
      request.collective = algorithm.collective;
      request.type = DataType::uint32;
      request.count = 1003;
      request.root = 2;
      const Topology one = Topology::of_domains({5});
      const bool has_levels = !algorithm.unfit(one, request).empty();
      if (!has_levels || !algorithm.unfit(engine.topology(), request).empty()) continue;
      UNIRACK_TRY(run_one(engine, rank, algorithm, request, 0, 1));
      UNIRACK_TRY(run_one(engine, rank, algorithm, request, 1024, 2));
    }
    return ok_status();
  });
  EXPECT_TRUE(status) << status.error().to_string();
}

INSTANTIATE_TEST_SUITE_P(Pools, EngineThreaded,
                         ::testing::Combine(::testing::Values("loopback"),
                                            ::testing::Values(1, 2, 3, 5, 8)));

}  // namespace
}  // namespace unirack
