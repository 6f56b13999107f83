#include "collectives/planner.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "collectives/simulate/simulate.h"

namespace unirack {
namespace {

Request all_reduce(uint64_t count, DataType type = DataType::float32) {
  Request request;
  request.collective = Collective::all_reduce;
  request.type = type;
  request.count = count;
  return request;
}

std::string algorithm_of(const Topology& topology, const Request& request,
                         const Policy& policy = {}, const Costs& costs = assumed_costs()) {
  const auto choice = choose(topology, request, policy, costs);
  return choice ? choice->schedule->header().algorithm : choice.error().detail;
}

// Domains joined by a rail of 1 Gbit/s.
Costs slow_rails() {
  Costs costs = assumed_costs();
  costs.of(LinkKind::ethernet).bandwidth = 125'000'000;
  return costs;
}

TEST(Planner, ChoosesBySizeAndShape) {
  const Topology domain = Topology::of_domains({4});
  const Topology racks = Topology::of_domains({3, 3});
  EXPECT_EQ(algorithm_of(domain, all_reduce(2)), "one_shot");
  EXPECT_EQ(algorithm_of(domain, all_reduce(1 << 20)), "two_shot");
  // Overlapped or not.
  EXPECT_EQ(algorithm_of(racks, all_reduce(1 << 20), {}, slow_rails()).find("two_level"), 0U);
  Request symmetric = all_reduce(1 << 20);
  symmetric.symmetric = true;
  EXPECT_EQ(algorithm_of(domain, symmetric), "two_shot_pull");
}

TEST(Planner, EveryRequestHasAPlanAtEverySize) {
  for (const auto& sizes : std::vector<std::vector<uint32_t>>{{1}, {3}, {8}, {3, 5}, {1, 1, 1}}) {
    const Topology topology = Topology::of_domains(sizes);
    auto planner = Planner::make(topology, assumed_costs(), {});
    ASSERT_TRUE(planner);
    for (int collective = 0; collective < kCollectiveCount; ++collective) {
      for (const uint64_t count : {uint64_t{0}, uint64_t{1}, (uint64_t{1} << 14) + 77,
                                   uint64_t{1} << 36, (uint64_t{1} << 36) + 1}) {
        Request request = all_reduce(count, DataType::bfloat16);
        request.collective = static_cast<Collective>(collective);
        const auto made = planner->plan(request);
        ASSERT_TRUE(made) << made.error().detail;
        const Schedule& schedule = **made;
        EXPECT_LE(schedule.scratch_bytes(count, request.type), Policy().scratch_bytes);
        EXPECT_LT(schedule.tile_count(count * 2) * schedule.program_view(0).values_per_tile,
                  uint64_t{1} << kCounterBits);
      }
    }
  }
}

TEST(Planner, PiecesThatCrossRailsAreSmall) {
  const Topology racks = Topology::of_domains({2, 2, 2, 2});
  for (const Collective collective : {Collective::all_reduce, Collective::all_gather,
                                      Collective::reduce_scatter, Collective::all_to_all}) {
    Request request = all_reduce(uint64_t{4} << 20);
    request.collective = collective;
    const auto choice = choose(racks, request, {}, slow_rails());
    ASSERT_TRUE(choice);
    const ScheduleHeader& header = choice->schedule->header();
    EXPECT_GT(header.tile_bytes, 0u);
    EXPECT_LE(header.tile_bytes / header.chunks, uint64_t{32} << 10) << header.algorithm;
  }
}

TEST(Planner, ReassociatesOnlyWhenAllowedOrInvisible) {
  const Topology topology = Topology::of_domains({4});
  Policy policy;
  policy.forced = {{"all_reduce", "ring"}};
  EXPECT_NE(algorithm_of(topology, all_reduce(1000), policy).find("UNIRACK_REASSOCIATE"),
            std::string::npos);
  EXPECT_EQ(algorithm_of(topology, all_reduce(1000, DataType::int32), policy), "ring");
  policy.reassociate = true;
  EXPECT_EQ(algorithm_of(topology, all_reduce(1000), policy), "ring");
}

TEST(Planner, AnUnknownForcedAlgorithmIsNamed) {
  Policy policy;
  policy.forced = {{"all_reduce", "wheel"}};
  const auto choice = choose(Topology::of_domains({2}), all_reduce(1), policy);
  ASSERT_FALSE(choice);
  EXPECT_EQ(choice.code(), Code::invalid_argument);
  EXPECT_NE(choice.error().detail.find("wheel"), std::string::npos);
}

TEST(Planner, ExplainsEveryCandidateWithItsPrice) {
  const auto choice = choose(Topology::of_domains({4}), all_reduce(1 << 20), {});
  ASSERT_TRUE(choice);
  EXPECT_EQ(choice->explain.find("algorithm=two_shot tiles="), 0U);
  EXPECT_NE(choice->explain.find("changes the bits of float sums"), std::string::npos);
  const PricedPlan& chosen = choice->candidates.front();
  EXPECT_TRUE(chosen.is_chosen);
  EXPECT_EQ(chosen.algorithm, "two_shot");
  EXPECT_EQ(chosen.limit, "rank 0 out");
  // The price is what the simulator says of the very schedule that runs.
  auto network = Network::of_topology(Topology::of_domains({4}), assumed_costs());
  ASSERT_TRUE(network);
  const auto simulation =
      simulate(*choice->schedule, *network, {1 << 20, DataType::float32, ReduceOp::sum});
  ASSERT_TRUE(simulation);
  EXPECT_EQ(chosen.time_ps, simulation->time_ps);
  uint64_t before = 0;
  for (const PricedPlan& plan : choice->candidates) {
    EXPECT_FALSE(plan.reason.empty()) << plan.algorithm;
    if (!plan.is_priced || plan.is_chosen) continue;
    EXPECT_GE(plan.time_ps, before) << plan.algorithm;
    before = plan.time_ps;
  }
}

// Downwards, and with all candidates listed first, as ranks do that explain.
void expect_pure(const Policy& policy) {
  const Topology topology = Topology::of_domains({3, 5});
  auto upwards = Planner::make(topology, assumed_costs(), policy);
  auto downwards = Planner::make(topology, assumed_costs(), policy);
  ASSERT_TRUE(upwards && downwards);
  EXPECT_EQ(upwards->hash(), downwards->hash());
  std::vector<uint64_t> counts;
  for (uint64_t count = 3; count < uint64_t{1} << 22; count = count * 7 / 3 + 1) {
    counts.push_back(count);
  }
  std::vector<uint64_t> up, down;
  for (size_t i = 0; i < counts.size(); ++i) {
    const Request large = all_reduce(counts[counts.size() - 1 - i]);
    if (i % 3 == 0) {
      EXPECT_TRUE(downwards->choose(all_reduce(large.count / 2 + 1)));
    }
    up.push_back((*upwards->plan(all_reduce(counts[i])))->hash());
    down.push_back((*downwards->plan(large))->hash());
  }
  std::reverse(down.begin(), down.end());
  EXPECT_EQ(up, down);
}

TEST(Planner, WhatWasAskedBeforeChangesNothing) {
  Policy policy;
  policy.lanes = 2;
  expect_pure(policy);
}

TEST(Planner, WhatWasAskedBeforeChangesNothingWherePlansAreLongToSimulate) {
  for (const uint64_t work_max : {1U, 500U, 2000U}) {
    Policy policy;
    policy.work_max = work_max;
    expect_pure(policy);
  }
}

TEST(Planner, TheHashIsOfAllThatDecides) {
  const Topology four = Topology::of_domains({4});
  const Topology split = Topology::of_domains({2, 2});
  const auto hash_of = [](const Topology& topology, const Costs& costs, const Policy& policy) {
    return Planner::make(topology, costs, policy)->hash();
  };
  const uint64_t plain = hash_of(four, assumed_costs(), {});
  EXPECT_EQ(plain, hash_of(four, assumed_costs(), {}));
  EXPECT_NE(plain, hash_of(split, assumed_costs(), {}));
  EXPECT_NE(plain, hash_of(four, assumed_host_costs(), {}));
  Policy policy;
  policy.reassociate = true;
  EXPECT_NE(plain, hash_of(four, assumed_costs(), policy));
  policy = {};
  policy.scratch_bytes /= 2;
  EXPECT_NE(plain, hash_of(four, assumed_costs(), policy));
  policy = {};
  policy.forced = {{"all_reduce", "ring"}};
  EXPECT_NE(plain, hash_of(four, assumed_costs(), policy));
}

TEST(Planner, TheEnvelopeIsWhatPlansAreTakenFrom) {
  const Topology topology = Topology::of_domains({8});
  auto planner = Planner::make(topology, assumed_costs(), {});
  ASSERT_TRUE(planner);
  const auto envelope = planner->envelope(all_reduce(0), 256, uint64_t{1} << 30);
  ASSERT_TRUE(envelope);
  ASSERT_GE(envelope->size(), 3u);
  EXPECT_EQ(envelope->front().bytes_begin, 256u);
  EXPECT_EQ(envelope->front().algorithm, "one_shot");
  EXPECT_EQ(envelope->back().bytes_end, uint64_t{1} << 30);
  for (size_t i = 0; i < envelope->size(); ++i) {
    const PlanRange& range = (*envelope)[i];
    if (i > 0) {
      EXPECT_EQ(range.bytes_begin, (*envelope)[i - 1].bytes_end);
    }
    for (const uint64_t bytes : {range.bytes_begin, range.bytes_end - 4}) {
      const auto schedule = planner->plan(all_reduce(bytes / 4));
      ASSERT_TRUE(schedule);
      EXPECT_EQ((*schedule)->header().algorithm, range.algorithm) << bytes;
      EXPECT_EQ((*schedule)->header().tile_bytes, range.tile_bytes) << bytes;
    }
  }
}

uint64_t time_of(const Schedule& schedule, const Network& network, const Request& request) {
  const auto simulation = simulate(schedule, network, {request.count, request.type, request.op, 0});
  EXPECT_TRUE(simulation);
  return simulation ? simulation->time_ps : 0;
}

// Of two plans that are nearly alike, the one that has been running stays.
TEST(Planner, APlanStaysWhileItIsHardlySlower) {
  const Topology topology = Topology::of_domains({3, 5});
  Policy eager;
  eager.keep_percent = 0;
  auto planner = Planner::make(topology, assumed_costs(), {});
  auto other = Planner::make(topology, assumed_costs(), eager);
  ASSERT_TRUE(planner && other);
  int kept = 0;
  int changed = 0;
  for (const Collective collective : {Collective::all_reduce, Collective::reduce_scatter,
                                      Collective::broadcast, Collective::all_gather}) {
    for (uint32_t power = 5; power < 20; ++power) {
      Request request = all_reduce(uint64_t{1} << power);
      request.collective = collective;
      Request half = request;
      half.count /= 2;
      const auto below = planner->plan(half);
      const auto here = planner->plan(request);
      const auto best = other->plan(request);
      ASSERT_TRUE(below && here && best);
      const uint64_t here_ps = time_of(**here, planner->network(), request);
      const uint64_t best_ps = time_of(**best, planner->network(), request);
      EXPECT_LE(here_ps * 100, best_ps * 102);
      kept += here_ps > best_ps ? 1 : 0;
      // Every fourth power begins anew.
      if (power % 4 == 0 || (*below)->hash() == (*here)->hash()) continue;
      ++changed;
      EXPECT_GT(time_of(**below, planner->network(), request) * 100, best_ps * 101);
    }
  }
  EXPECT_GT(kept, 0);
  EXPECT_GT(changed, 0);
}

}  // namespace
}  // namespace unirack
