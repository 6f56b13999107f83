// What packed forests reach: forest_bench [--verify] [--by-tree] [--row "FABRIC K TILES"]... FABRIC
// is a generator's spec or a file; 0 tiles: only packed and written.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <sstream>
#include <string>
#include <vector>

#include "collectives/algorithms/algorithms.h"
#include "collectives/forest/forest.h"
#include "collectives/simulate/simulate.h"
#include "collectives/verify.h"
#include "lib/topology/bound/bound.h"
#include "lib/topology/formats/formats.h"
#include "lib/topology/generate/generate.h"
#include "perf/topo/pool_graph.h"

namespace unirack::topo {
namespace {

constexpr uint64_t kBlockBytes = uint64_t{1} << 30;

struct BenchRow {
  std::string fabric;
  uint32_t k = 1;
  uint64_t tiles = 0;
};

template <class Run>
auto timed(double& seconds, Run&& run) {
  const auto begin = std::chrono::steady_clock::now();
  auto result = run();
  seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  return result;
}

double gb_per_s(Rational rate) {
  return static_cast<double>(rate.numerator) / static_cast<double>(rate.denominator) / 1e9;
}

Result<BenchRow> read_row(const std::string& text) {
  std::istringstream words(text);
  BenchRow row;
  if (words >> row.fabric >> row.k >> row.tiles) return row;
  return make_error(Code::invalid_argument, "expected \"FABRIC K TILES\", found \"" + text + '"');
}

Result<Graph> graph_of(const std::string& fabric) {
  const bool is_file = fabric.find('/') != std::string::npos;
  return is_file ? read_graph_file(fabric, "", {}) : generate(fabric);
}

struct Simulated {
  std::string rate = "-";
  std::string share = "-";
  double seconds = 0;
};

Result<Simulated> simulate_row(const Schedule& schedule, const Graph& graph, uint64_t tiles,
                               double optimum) {
  Simulated simulated;
  if (tiles == 0) return simulated;
  const Network network = UNIRACK_TRY(Network::of_graph(graph, Costs()));
  const SimulatedCall call{kBlockBytes / 4, DataType::float32, ReduceOp::sum,
                           (kBlockBytes + tiles - 1) / tiles};
  const Simulation simulation =
      UNIRACK_TRY(timed(simulated.seconds, [&] { return simulate(schedule, network, call); }));
  const double rate = algorithm_bandwidth(schedule, call, simulation.time_ps) / 1e9;
  simulated.rate = fmt::format("{:.3f}", rate);
  simulated.share = fmt::format("{:.2f}%", 100 * rate / optimum);
  return simulated;
}

Status measure(const BenchRow& row, bool verifies, ForestLanes lanes) {
  const Graph graph = UNIRACK_TRY(graph_of(row.fabric));
  const Topology topology = UNIRACK_TRY(pool_of_graph(graph));
  const CutNetwork network = cut_network_of(graph);
  const double optimum = gb_per_s(Bounds(graph).all_gather().algbw);
  double pack_s = 0;
  double plan_s = 0;
  const Forest forest =
      UNIRACK_TRY(timed(pack_s, [&] { return pack_all_gather(graph, network, row.k); }));
  const Request request{.collective = Collective::all_gather, .type = DataType::float32};
  const Schedule schedule =
      UNIRACK_TRY(timed(plan_s, [&] { return forest_with(topology, request, row.k, lanes); }));
  const Simulated simulated = UNIRACK_TRY(simulate_row(schedule, graph, row.tiles, optimum));
  std::string proof = "-";
  if (verifies) {
    double verify_s = 0;
    UNIRACK_TRY(timed(verify_s, [&] { return verify(schedule); }));
    proof = fmt::format("{:.1f}", verify_s);
  }
  const std::string name = row.fabric.substr(row.fabric.rfind('/') + 1);
  fmt::print(
      "{:<22} {:>5} {:>3} {:>9.3f} {:>9.3f} {:>9} {:>8} {:>6} {:>5} {:>6.2f} {:>6.2f} {:>7.1f} "
      "{:>7}\n",
      name, topology.rank_count(), row.k, optimum, gb_per_s(forest_algbw(network, forest)),
      simulated.rate, simulated.share, row.tiles, schedule.program_view(0).lanes.size(), pack_s,
      plan_s, simulated.seconds, proof);
  std::fflush(stdout);
  return ok_status();
}

int run(int argc, char** argv) {
  std::vector<std::string> rows = {
      "dgx-a100:boxes=2 1 64", "dgx-a100:boxes=2 13 1024", "mi250:boxes=2 9 2048", "ndv2 6 512",
      "ndv2:chassis=2 1 256",  "dgx-a100:boxes=128 1 0",   "nvl72:racks=16 1 0"};
  bool verifies = false;
  CLI::App app("All-gathers of 1 GiB a rank by packed forests: GB/s and seconds");
  app.add_option("--row", rows, "\"FABRIC K TILES\"; 0 tiles: not simulated");
  app.add_flag("--verify", verifies, "prove the schedules too; minutes for large ones");
  bool by_tree = false;
  app.add_flag("--by-tree", by_tree, "a lane for all that a tree sends to a rank, not for a depth");
  CLI11_PARSE(app, argc, argv);
  fmt::print("{:<22} {:>5} {:>3} {:>9} {:>9} {:>9} {:>8} {:>6} {:>5} {:>6} {:>6} {:>7} {:>7}\n",
             "fabric", "GPUs", "k", "optimum", "packed", "simulated", "of it", "tiles", "lanes",
             "pack", "plan", "run", "verify");
  const ForestLanes lanes = by_tree ? ForestLanes::by_tree : ForestLanes::by_depth;
  for (const std::string& text : rows) {
    const Result<BenchRow> row = read_row(text);
    const Status status = row ? measure(*row, verifies, lanes) : Status(row.error());
    if (status) continue;
    fmt::print(stderr, "forest_bench: {}: {}\n", text, status.error().detail);
    return 1;
  }
  return 0;
}

}  // namespace
}  // namespace unirack::topo

int main(int argc, char** argv) { return unirack::topo::run(argc, argv); }
