// What the planner chooses, beside every algorithm with every size of tiles: on generated fabrics
// and host shapes, over sizes from 256 B to 4 GiB. A few here; UNIRACK_TEST_PLAN_TABLE=full takes
// all fabrics, for hours, and prints a line each; with fabrics instead ("dgx2;torus:4x4") those.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include "collectives/algorithms/algorithms.h"
#include "collectives/planner.h"
#include "collectives/simulate/simulate.h"
#include "tests/support/fabric_pools.h"
#include "tests/support/plans.h"
#include "tests/support/scope.h"
#include "tests/support/watchdog.h"

namespace unirack {
namespace {

constexpr uint64_t kTilesSimulated = 32;

constexpr std::string_view kFabrics =
    "dgx-h100:boxes=2;dgx-a100:boxes=2;dgx-b200;dgx1v;ndv2:chassis=2;dgx2;mi250;mi300x;torus:4x4;"
    "hypercube;pcie-box;nvl72:gpus=12;nvl72:racks=2,gpus=6+5;leaf-spine:gpus=32,box=4";

std::string wanted() {
  const char* value = std::getenv("UNIRACK_TEST_PLAN_TABLE");
  return value != nullptr ? value : "";
}

bool is_full() { return !wanted().empty(); }

std::vector<std::string> fabrics() {
  if (testing::has_scope("brief")) return {"hypercube:gpus=4"};
  if (!is_full()) return {"hypercube:gpus=4", "dgx-h100"};
  std::istringstream list(wanted() == "full" ? std::string(kFabrics) : wanted());
  std::vector<std::string> specs;
  for (std::string spec; std::getline(list, spec, ';');) specs.push_back(spec);
  return specs;
}

// Simulated, all tiles if there are not too many, else with what one more takes.
uint64_t time_of(Simulator& simulator, const Request& request, uint64_t tile_bytes) {
  const uint64_t bytes = request.count * size_of(request.type);
  const uint64_t tiles = tile_bytes == 0 ? 1 : (bytes + tile_bytes - 1) / tile_bytes;
  SimulatedCall call{request.count, request.type, request.op, tile_bytes};
  const auto run = [&] {
    const auto simulation = simulator.run(call);
    EXPECT_TRUE(simulation) << simulation.error().detail;
    return simulation ? simulation->time_ps : 0;
  };
  if (tiles <= kTilesSimulated) return run();
  const uint64_t tile = (request.count + tiles - 1) / tiles;
  call.tile_bytes = tile * size_of(request.type);
  call.count = tile * kTilesSimulated / 2;
  const uint64_t half = run();
  call.count = tile * kTilesSimulated;
  const uint64_t all = run();
  return all + (all - half) * (tiles - kTilesSimulated) / (kTilesSimulated / 2);
}

struct BestPlan {
  uint64_t time_ps = UINT64_MAX;
  std::string name;
};

// The best single algorithm of all at each size, whatever it takes to find it.
std::vector<BestPlan> best_of_all(const Topology& topology, const Network& network, Request request,
                                  const Policy& policy, const std::vector<uint64_t>& counts) {
  std::vector<BestPlan> best(counts.size());
  for (const Algorithm& algorithm : algorithms()) {
    const bool shows = algorithm.reassociates && topology.rank_count() > 2;
    if (algorithm.collective != request.collective || shows) continue;
    if (!algorithm.unfit(topology, request).empty()) continue;
    for (int lanes = 1; lanes <= policy.lanes; lanes *= 2) {
      const auto schedule = algorithm.generate(topology, request, lanes);
      if (!schedule) continue;
      auto simulator = Simulator::make(*schedule, network);
      EXPECT_TRUE(simulator);
      if (!simulator) continue;
      for (size_t i = 0; i < counts.size(); ++i) {
        request.count = counts[i];
        for (uint64_t tile = uint64_t{16} << 10; tile <= policy.tile_bytes_max; tile *= 2) {
          const Schedule cut = schedule->with_tiles(tile);
          if (cut.scratch_bytes(request.count, request.type) > policy.scratch_bytes) continue;
          const uint64_t time_ps = time_of(*simulator, request, tile);
          if (time_ps < best[i].time_ps) {
            best[i] = {time_ps, std::string(algorithm.name) + " tile " + std::to_string(tile)};
          }
          if (tile >= request.count * size_of(request.type)) break;
        }
      }
    }
  }
  return best;
}

// The worst of planned against the best, in percent above it.
double worst_of(const std::string& name, const Topology& topology, Network network,
                const Policy& policy, Collective collective, const std::vector<uint64_t>& counts) {
  Request request;
  request.collective = collective;
  request.type = DataType::float32;
  auto planner = Planner::make(topology, std::move(network), policy);
  EXPECT_TRUE(planner);
  const auto best = best_of_all(topology, planner->network(), request, policy, counts);
  double worst = 0;
  for (size_t i = 0; i < counts.size(); ++i) {
    request.count = counts[i];
    const auto schedule = planner->plan(request);
    EXPECT_TRUE(schedule) << schedule.error().detail;
    if (!schedule) continue;
    auto simulator = Simulator::make(**schedule, planner->network());
    EXPECT_TRUE(simulator);
    const uint64_t planned = time_of(*simulator, request, (*schedule)->header().tile_bytes);
    const uint64_t best_ps = best[i].time_ps;
    const double above = 100.0 * static_cast<double>(planned) / static_cast<double>(best_ps) - 100;
    worst = std::max(worst, above);
    EXPECT_LE(planned * 100, best_ps * 103)
        << name << " " << collective_name(collective) << " of " << counts[i] * 4
        << " bytes: " << (*schedule)->header().algorithm << " tile "
        << (*schedule)->header().tile_bytes << ", best " << best[i].name;
  }
  return worst;
}

std::vector<uint64_t> sizes_by(uint64_t factor) {
  std::vector<uint64_t> counts;
  // Powers of two, and what lies between.
  for (uint64_t bytes = 256; bytes <= uint64_t{4} << 30; bytes *= factor) {
    counts.push_back(bytes / 4);
    counts.push_back(bytes / 4 + bytes / 11);
  }
  counts.back() = uint64_t{1} << 30;
  return counts;
}

constexpr Collective kTabled[] = {Collective::all_reduce, Collective::reduce_scatter,
                                  Collective::all_gather, Collective::all_to_all,
                                  Collective::broadcast,  Collective::reduce};

TEST(PlannerTable, IsWithinThreePercentOfTheBestOnHostShapes) {
  if (is_full() && wanted() != "full") GTEST_SKIP() << "only of fabrics that are named";
  testing::extend_watchdog(is_full() ? 100 : 4);
  const std::vector<uint64_t> counts = sizes_by(is_full()                     ? 2
                                                : testing::has_scope("brief") ? 8192
                                                                              : 128);
  Policy policy;
  policy.rail_piece_bytes = 0;  // what networks drop is not simulated
  std::vector<std::vector<uint32_t>> shapes = {{3, 2}, {2, 2}, {8}};
  if (testing::has_scope("brief")) shapes.resize(1);
  for (const auto& shape : shapes) {
    const Topology topology = testing::pool_of(shape);
    policy.lanes = shape == std::vector<uint32_t>{2, 2} ? 2 : 1;
    for (const Collective collective : kTabled) {
      auto network = Network::of_topology(topology, assumed_host_costs());
      ASSERT_TRUE(network);
      const double worst = worst_of(testing::shape_text(shape), topology,
                                    std::move(network).value(), policy, collective, counts);
      if (is_full()) {
        std::printf("%s %s: %.2f%% above the best\n", testing::shape_text(shape).c_str(),
                    std::string(collective_name(collective)).c_str(), worst);
      }
    }
  }
}

TEST(PlannerTable, IsWithinThreePercentOfTheBestOnFabrics) {
  testing::extend_watchdog(is_full() ? 200 : 4);
  const std::vector<uint64_t> counts = sizes_by(is_full() ? 4 : 256);
  for (const std::string& spec : fabrics()) {
    const Topology topology = testing::pool_of(testing::fabric(spec));
    for (const Collective collective : kTabled) {
      auto network = network_of(topology, assumed_costs());
      ASSERT_TRUE(network);
      const double worst = worst_of(spec, topology, std::move(network).value(),
                                    default_policy(topology.graph()), collective, counts);
      if (is_full()) {
        std::printf("%s %s: %.2f%% above the best\n", spec.c_str(),
                    std::string(collective_name(collective)).c_str(), worst);
        std::fflush(stdout);
      }
    }
  }
}

}  // namespace
}  // namespace unirack
