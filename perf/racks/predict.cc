// What the simulator expects of a plan in the racks lab: RACKS RANKS RAILS BYTES_PER_S, and a line
// of input for each answer, as a worker of Unirack has been told it:
//
//   COLLECTIVE BYTES algorithm=NAME tiles=N ... lanes=N steps=N   -> SECONDS
//
// Ranks of a rack share memory and its rails. A rail carries what a bare socket was seen to carry;
// the other costs are those of a host's memory.
#include <array>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "collectives/algorithms/algorithms.h"
#include "collectives/simulate/simulate.h"

namespace unirack::perf::racks {
namespace {

constexpr uint64_t kGigabyte = 1'000'000'000;
constexpr uint64_t kMicrosecond = 1'000'000;

struct Racks {
  uint32_t count = 2;
  uint32_t ranks = 2;
  uint32_t rails = 1;
  uint64_t bandwidth = 0;
};

// Pieces are small and stay in a core's cache; a message takes what a system call does, and a round
// trip what it takes between two network namespaces.
Costs costs_of(const Racks& racks) {
  Costs costs = assumed_host_costs();
  LinkCosts& rail = costs.of(LinkKind::ethernet);
  rail.bandwidth = racks.bandwidth;
  rail.latency_ps = 30 * kMicrosecond;
  costs.reduce_bandwidth.fill(20 * kGigabyte);
  return costs;
}

Result<Topology> topology_of(const Racks& racks) {
  TopologySpec spec;
  const uint32_t ranks = racks.count * racks.ranks;
  spec.rank_count = static_cast<int>(ranks);
  spec.rail_count = racks.rails;
  for (uint32_t a = 0; a < ranks; ++a) {
    spec.homes.push_back("rack" + std::to_string(a / racks.ranks));
    for (uint32_t b = 0; b < ranks; ++b) {
      const bool is_near = a / racks.ranks == b / racks.ranks;
      spec.transports.emplace_back(a == b ? "" : is_near ? "shm" : "tcp");
      spec.load_store.push_back(is_near ? 1 : 0);
    }
  }
  return Topology::make(std::move(spec));
}

struct Plan {
  std::string collective;
  uint64_t bytes = 0;  // as in nccl-tests
  std::string algorithm;
  uint64_t tiles = 1;
  int lanes = 1;
  uint32_t steps = 0;
};

Plan parse(const std::string& line) {
  Plan plan;
  std::istringstream words(line);
  words >> plan.collective >> plan.bytes;
  for (std::string word; words >> word;) {
    const size_t at = word.find('=');
    if (at == std::string::npos) continue;
    const std::string value = word.substr(at + 1);
    const std::string key = word.substr(0, at);
    const auto number = std::strtoull(value.c_str(), nullptr, 10);
    if (key == "algorithm") plan.algorithm = value;
    if (key == "tiles") plan.tiles = number;
    if (key == "lanes") plan.lanes = static_cast<int>(number);
    if (key == "steps") plan.steps = static_cast<uint32_t>(number);
  }
  return plan;
}

Result<double> seconds_of(const Plan& plan, const Topology& topology, const Network& network) {
  const auto collective = collective_from_name(plan.collective);
  const Algorithm* algorithm = collective ? find_algorithm(*collective, plan.algorithm) : nullptr;
  if (algorithm == nullptr || plan.tiles == 0) {
    return make_error(Code::invalid_argument, "no such plan");
  }
  Request request;
  request.collective = *collective;
  request.type = DataType::float32;
  const auto ranks = static_cast<uint64_t>(topology.rank_count());
  request.count = plan.bytes / sizeof(float);
  if (*collective != Collective::all_reduce) request.count /= ranks;
  Schedule schedule = UNIRACK_TRY(algorithm->generate(topology, request, plan.lanes));
  if (schedule.step_count() != plan.steps) {
    return make_error(Code::mismatch, "the plan that ran has other steps");
  }
  const uint64_t block_bytes = request.count * sizeof(float);
  schedule = schedule.with_tiles((block_bytes + plan.tiles - 1) / plan.tiles);
  SimulatedCall call;
  call.count = request.count;
  call.type = request.type;
  const Simulation simulation = UNIRACK_TRY(simulate(schedule, network, call));
  return simulation.seconds();
}

int run_main(int argc, char** argv) {
  if (argc != 5) {
    std::fprintf(stderr, "usage: %s RACKS RANKS RAILS BYTES_PER_S\n", argv[0]);
    return 2;
  }
  std::array<uint64_t, 4> numbers{};
  for (size_t i = 0; i < numbers.size(); ++i) {
    numbers[i] = std::strtoull(argv[i + 1], nullptr, 10);
    if (numbers[i] == 0) return 2;
  }
  const Racks racks{static_cast<uint32_t>(numbers[0]), static_cast<uint32_t>(numbers[1]),
                    static_cast<uint32_t>(numbers[2]), numbers[3]};
  const auto topology = topology_of(racks);
  if (!topology) return 2;
  const auto network = Network::of_topology(*topology, costs_of(racks));
  if (!network) return 2;
  for (std::string line; std::getline(std::cin, line);) {
    const auto seconds = seconds_of(parse(line), *topology, *network);
    if (seconds) {
      std::printf("%.9f\n", *seconds);
    } else {
      std::printf("- %s\n", seconds.error().detail.c_str());
    }
    std::fflush(stdout);
  }
  return 0;
}

}  // namespace
}  // namespace unirack::perf::racks

int main(int argc, char** argv) { return unirack::perf::racks::run_main(argc, argv); }
