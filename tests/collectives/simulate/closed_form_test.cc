// Simulated times beside formulas, to the picosecond: latency L, gap G, x for a block's bytes, on
// ranks that each have a rail of their own.
#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <vector>

#include "collectives/algorithms/algorithms.h"
#include "collectives/simulate/simulate.h"

namespace unirack {
namespace {

constexpr uint64_t kLatency = 5'000'000;
constexpr uint64_t kGap = 300'000;
constexpr uint64_t kBandwidth = 12'500'000'000;
constexpr uint64_t kReduce = 40'000'000'000;

Costs uniform_costs(uint64_t gap_ps) {
  Costs costs;
  costs.of(LinkKind::ethernet) = {kLatency, gap_ps, kBandwidth};
  costs.reduce_bandwidth.fill(kReduce);
  return costs;
}

struct Uniform {
  int ranks = 2;
  uint64_t gap_ps = kGap;
  uint64_t tiles = 1;
  uint64_t block_bytes = 0;

  uint64_t x(uint64_t parts = 1, uint64_t of = 1) const {
    return transfer_ps(block_bytes * parts / of, kBandwidth);
  }
  uint64_t fold(uint64_t bytes) const { return transfer_ps(bytes, kReduce); }
};

uint64_t time_of(Collective collective, const std::string& name, const Uniform& at) {
  const auto ranks = static_cast<size_t>(at.ranks);
  const Topology topology = Topology::of_domains(std::vector<uint32_t>(ranks, 1));
  Request request;
  request.collective = collective;
  const Algorithm* algorithm = find_algorithm(collective, name);
  auto schedule = algorithm->generate(topology, request, 1);
  EXPECT_TRUE(schedule);
  const Schedule tiled =
      at.tiles == 1 ? *schedule : schedule->with_tiles(at.block_bytes / at.tiles);
  const auto network = Network::of_topology(topology, uniform_costs(at.gap_ps));
  EXPECT_TRUE(network);
  uint64_t time_ps = 0;
  for (const bool fold : {true, false}) {
    SimulateOptions options;
    options.fold = fold;
    options.skip = fold;
    const auto simulation =
        simulate(tiled, *network, {at.block_bytes / 4, DataType::float32}, options);
    EXPECT_TRUE(simulation) << name << ": " << simulation.error().to_string();
    if (!simulation) return 0;
    EXPECT_TRUE(fold || simulation->time_ps == time_ps) << name;
    time_ps = simulation->time_ps;
  }
  return time_ps;
}

// Blocks that every cut divides, and that are never shorter than a gap.
Uniform uniform(int ranks) { return {ranks, kGap, 1, static_cast<uint64_t>(ranks) * 64 * 6'250}; }

TEST(ClosedForm, RingAllGather) {
  for (const int n : {2, 3, 4, 7, 8, 16, 33}) {
    const Uniform at = uniform(n);
    const auto steps = static_cast<uint64_t>(n - 1);
    EXPECT_EQ(time_of(Collective::all_gather, "ring", at),
              kLatency + steps * (kGap + at.x() + kLatency))
        << n;
  }
}

TEST(ClosedForm, RingAllReduce) {
  for (const int n : {2, 3, 4, 7, 8, 16, 33}) {
    const Uniform at = uniform(n);
    const auto count = static_cast<uint64_t>(n);
    const uint64_t share = kGap + at.x(1, count) + kLatency;
    EXPECT_EQ(time_of(Collective::all_reduce, "ring", at),
              (count - 1) * (2 * share + at.fold(2 * at.block_bytes / count)))
        << n;
  }
}

TEST(ClosedForm, RingTileByTile) {
  for (const uint64_t tiles : {2u, 5u, 50u, 1000u}) {
    Uniform at = uniform(5);
    const uint64_t x = at.x();
    at.tiles = tiles;
    at.block_bytes *= tiles;
    EXPECT_EQ(time_of(Collective::all_gather, "ring", at),
              kLatency + tiles * 4 * (kGap + x + kLatency))
        << tiles;
  }
}

TEST(ClosedForm, AllPairsAllGather) {
  for (const int n : {2, 3, 4, 7, 8, 16, 33}) {
    const Uniform at = uniform(n);
    EXPECT_EQ(time_of(Collective::all_gather, "direct", at),
              kLatency + kGap + at.x(static_cast<uint64_t>(n - 1)) + kLatency)
        << n;
  }
}

TEST(ClosedForm, AllPairsAllReduce) {
  for (const int n : {2, 3, 4, 7, 8, 16, 33}) {
    const Uniform at = uniform(n);
    const auto count = static_cast<uint64_t>(n);
    EXPECT_EQ(time_of(Collective::all_reduce, "one_shot", at),
              kGap + at.x(count - 1) + kLatency + at.fold(count * at.block_bytes))
        << n;
    const uint64_t shares = kGap + at.x(count - 1, count) + kLatency;
    EXPECT_EQ(time_of(Collective::all_reduce, "two_shot", at), 2 * shares + at.fold(at.block_bytes))
        << n;
  }
}

TEST(ClosedForm, OneShotTileByTile) {
  for (const uint64_t tiles : {2u, 5u, 50u, 1000u}) {
    Uniform at = uniform(4);
    const uint64_t tile = kGap + at.x(3) + kLatency + at.fold(4 * at.block_bytes);
    at.tiles = tiles;
    at.block_bytes *= tiles;
    EXPECT_EQ(time_of(Collective::all_reduce, "one_shot", at), tiles * tile) << tiles;
  }
}

TEST(ClosedForm, RecursiveDoubling) {
  for (const int steps : {1, 2, 3, 5}) {
    const Uniform at = uniform(1 << steps);
    const auto count = static_cast<uint64_t>(steps);
    EXPECT_EQ(time_of(Collective::all_reduce, "recursive_doubling", at),
              count * (kGap + at.x() + kLatency + at.fold(2 * at.block_bytes)))
        << steps;
    EXPECT_EQ(time_of(Collective::all_gather, "recursive_doubling", at),
              kLatency + count * (kGap + kLatency) + at.x((uint64_t{1} << count) - 1))
        << steps;
  }
}

// The messages of a leader to its children share its rail.
TEST(ClosedForm, BinomialTree) {
  for (const int steps : {1, 2, 3, 5, 8}) {
    Uniform at = uniform(1 << steps);
    at.gap_ps = 0;
    const auto count = static_cast<uint64_t>(steps);
    EXPECT_EQ(time_of(Collective::broadcast, "binomial", at),
              kLatency + count * kLatency + at.x(count * (count + 1) / 2))
        << steps;
  }
}

TEST(ClosedForm, OneMessage) {
  const Uniform at = uniform(2);
  EXPECT_EQ(time_of(Collective::send_recv, "pair", at), kLatency + kGap + at.x() + kLatency);
}

}  // namespace
}  // namespace unirack
