// What two-level plans promise beside being right: every rail carries the same, also with racks of
// unequal size, and plans of a thousand ranks are made in no time.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <ctime>

#include "collectives/algorithms/algorithms.h"
#include "collectives/simulate/simulate.h"
#include "collectives/verify.h"
#include "collectives/well_formed.h"
#include "tests/support/plans.h"

namespace unirack {
namespace {

using testing::shape_text;

using Shape = std::vector<uint32_t>;

struct Crossing {
  uint64_t out_max = 0;  // parts that the busiest rank puts into other domains
  uint64_t in_max = 0;
  uint64_t messages_max = 0;  // signals of one rank to other domains
};

Crossing crossing(const Topology& topology, const Schedule& schedule) {
  const auto ranks = static_cast<size_t>(topology.rank_count());
  std::vector<uint64_t> in(ranks, 0);
  Crossing result;
  for (Rank rank = 0; rank < topology.rank_count(); ++rank) {
    uint64_t out = 0;
    uint64_t messages = 0;
    for (const Lane& lane : schedule.program_view(rank).lanes) {
      for (const Step& step : lane.steps) {
        const Rank peer = step.op == Op::copy ? step.target.rank : step.peer;
        if (step.op == Op::wait || step.op == Op::reduce) continue;
        if (topology.domain_of(peer) == topology.domain_of(rank)) continue;
        if (step.op == Op::signal) ++messages;
        if (step.op != Op::copy) continue;
        out += step.end - step.begin;
        in[static_cast<size_t>(peer)] += step.end - step.begin;
      }
    }
    result.out_max = std::max(result.out_max, out);
    result.messages_max = std::max(result.messages_max, messages);
  }
  result.in_max = *std::max_element(in.begin(), in.end());
  return result;
}

Request request_for(Collective collective, Rank root = 0) {
  Request request;
  request.collective = collective;
  request.type = DataType::float32;
  request.root = root;
  return request;
}

Schedule make(const Algorithm& algorithm, const Topology& topology, Rank root = 0) {
  const Request request = request_for(algorithm.collective, root);
  EXPECT_EQ(algorithm.unfit(topology, request), "");
  auto schedule = algorithm.generate(topology, request, 1);
  EXPECT_TRUE(schedule) << algorithm.name;
  return std::move(schedule).value();
}

Schedule make(Collective collective, std::string_view name, const Shape& shape, Rank root = 0) {
  return make(*find_algorithm(collective, name), Topology::of_domains(shape), root);
}

Crossing crossing_of(Collective collective, std::string_view name, const Shape& shape,
                     Rank root = 0) {
  return crossing(Topology::of_domains(shape), make(collective, name, shape, root));
}

TEST(TwoLevelTest, EveryRailCarriesTheSame) {
  // Of a member's four chunks three go out as partial sums, and one goes out finished to three.
  const Crossing equal = crossing_of(Collective::all_reduce, "two_level", {72, 72, 72, 72});
  EXPECT_EQ(equal.out_max, 3U + 3U);
  EXPECT_EQ(equal.in_max, 3U + 3U);
  // 1,584 chunks, 24 for each of 66 members, half of them finished on either side.
  const Crossing unequal = crossing_of(Collective::all_reduce, "two_level", {72, 66});
  EXPECT_EQ(unequal.out_max, 12U + 12U);
  EXPECT_EQ(unequal.in_max, 12U + 12U);
}

// An owner of several columns does not wait for one of them before it begins the next.
TEST(TwoLevelTest, ColumnsCostNoSteps) {
  for (const Shape& shape : std::vector<Shape>{{7, 5}, {7, 5, 3}, {72, 66}}) {
    EXPECT_EQ(testing::longest_chain(make(Collective::all_reduce, "two_level", shape)), 4U);
    EXPECT_LE(testing::longest_chain(make(Collective::broadcast, "multi_leader", shape)), 4U);
    EXPECT_LE(testing::longest_chain(make(Collective::reduce, "multi_leader", shape)), 4U);
  }
}

TEST(TwoLevelTest, SmallDomainsFinishLess) {
  const Shape shape = {7, 5, 3};
  // 105 chunks for each of three members: 2 / 3 out as partial sums and 1 / 3 to two others.
  EXPECT_EQ(crossing_of(Collective::all_reduce, "two_level", shape).out_max, 140U);
  EXPECT_EQ(crossing_of(Collective::all_reduce, "two_level_weighted", shape).out_max, 105U);
}

TEST(TwoLevelTest, MoreLevelsSendFewerMessagesOfTheSameBytes) {
  const Shape shape(16, 2);
  const Crossing direct = crossing_of(Collective::all_reduce, "two_level", shape);
  EXPECT_EQ(direct.messages_max, 30U);
  const Crossing halving = crossing_of(Collective::all_reduce, "two_level_halving", shape);
  EXPECT_EQ(halving.messages_max, 8U);
  EXPECT_EQ(halving.out_max, direct.out_max);
  const Crossing pods = crossing_of(Collective::all_reduce, "three_level", shape);
  // Three each way in a pod and over pods.
  EXPECT_EQ(pods.messages_max, 12U);
  EXPECT_EQ(pods.out_max, direct.out_max);
}

TEST(TwoLevelTest, MultiLeadersUseEveryRail) {
  const Shape shape = {8, 8, 8, 8};
  // 24 chunks: one leader sends all of them thrice, eight leaders three each.
  EXPECT_EQ(crossing_of(Collective::broadcast, "two_level", shape).out_max, 3U);
  EXPECT_EQ(make(Collective::broadcast, "two_level", shape).header().chunks, 1U);
  EXPECT_EQ(make(Collective::broadcast, "multi_leader", shape, 9).header().chunks, 24U);
  EXPECT_EQ(crossing_of(Collective::broadcast, "multi_leader", shape, 9).out_max, 3U);
  // 32 chunks, four a leader, of which it sends three and one sum.
  EXPECT_EQ(make(Collective::reduce, "multi_leader", shape, 9).header().chunks, 32U);
  EXPECT_EQ(crossing_of(Collective::reduce, "multi_leader", shape, 9).out_max, 4U);
}

TEST(TwoLevelTest, BlocksCrossOnceADomainAndEvenly) {
  EXPECT_EQ(crossing_of(Collective::all_gather, "two_level", {8, 8, 8}).out_max, 2U);
  EXPECT_EQ(crossing_of(Collective::reduce_scatter, "two_level", {8, 8, 8}).in_max, 2U);
  const Crossing all = crossing_of(Collective::all_to_all, "two_level", {8, 8, 8});
  EXPECT_EQ(all.out_max, 16U);
  EXPECT_EQ(all.messages_max, 2U);
  EXPECT_EQ(crossing_of(Collective::all_to_all, "pairwise", {8, 8, 8}).messages_max, 16U);
  // 11 chunks a block; 12 / 11 blocks come to each of the 66.
  EXPECT_EQ(crossing_of(Collective::all_gather, "two_level", {72, 66}).in_max, 12U);
  EXPECT_EQ(crossing_of(Collective::reduce_scatter, "two_level", {72, 66}).out_max, 12U);
}

// Ranks do alike what they do alike in the same order, seen from themselves, so that a simulation
// need not tell them apart where the pool does not.
TEST(TwoLevelTest, PlansAreAsSymmetricAsPools) {
  const Topology topology = Topology::of_domains({4, 4, 4, 4});
  const auto network = Network::of_topology(topology, assumed_costs());
  ASSERT_TRUE(network);
  using C = Collective;
  const std::pair<C, std::string_view> plans[] = {
      {C::all_reduce, "two_level"},         {C::all_reduce, "two_level_pipelined"},
      {C::all_reduce, "two_level_halving"}, {C::all_reduce, "three_level"},
      {C::reduce_scatter, "two_level"},     {C::reduce_scatter, "two_level_pipelined"},
      {C::all_gather, "two_level"},         {C::all_gather, "two_level_pipelined"},
      {C::all_to_all, "two_level"},         {C::all_to_all, "two_level_staged"},
  };
  for (const auto& [collective, name] : plans) {
    const Schedule schedule = make(*find_algorithm(collective, name), topology);
    const auto simulation = simulate(schedule, *network, {1 << 20, DataType::float32}, {});
    ASSERT_TRUE(simulation);
    EXPECT_EQ(simulation->class_count, 1U) << collective_name(collective) << " " << name;
  }
}

// Unequal racks beyond those that every algorithm is proven on.
TEST(TwoLevelTest, PassesTheVerifierWithUnequalRacks) {
  for (const Shape& shape : std::vector<Shape>{{4, 3, 2}, {1, 3, 2, 1}}) {
    const Topology topology = Topology::of_domains(shape);
    for (const Algorithm& algorithm : algorithms()) {
      const Request request = request_for(algorithm.collective, topology.rank_count() / 2);
      const bool has_levels = !algorithm.unfit(Topology::of_domains({4}), request).empty();
      if (!has_levels || !algorithm.unfit(topology, request).empty()) continue;
      const auto verdict = verify(make(algorithm, topology, request.root));
      EXPECT_TRUE(verdict) << algorithm.name << " " << shape_text(shape) << ": "
                           << verdict.error().to_string();
    }
  }
}

// Sizes without a small common multiple: the last resort of the slot map.
TEST(TwoLevelTest, PassesTheVerifierWithRemainders) {
  const Shape shape = {13, 11, 7, 3};
  const Topology topology = Topology::of_domains(shape);
  EXPECT_NE(find_algorithm(Collective::all_reduce, "two_level_halving")
                ->unfit(topology, request_for(Collective::all_reduce)),
            "");
  const Schedule schedule = make(Collective::all_reduce, "two_level", shape);
  EXPECT_TRUE(check_well_formed(schedule));
  EXPECT_EQ(schedule.header().chunks, kChunksMax / 3 * 3);
}

const Shape kRacks(16, 72);

TEST(TwoLevelTest, AThousandRanksHaveWellFormedPlans) {
  const Topology racks = Topology::of_domains(kRacks);
  for (const std::string_view name :
       {"two_level", "two_level_halving", "three_level", "single_leader"}) {
    const Schedule schedule = make(*find_algorithm(Collective::all_reduce, name), racks);
    const auto verdict = check_well_formed(schedule);
    EXPECT_TRUE(verdict) << name << ": " << verdict.error().to_string();
  }
  for (const Collective collective : {Collective::reduce, Collective::broadcast}) {
    const Schedule schedule = make(*find_algorithm(collective, "multi_leader"), racks, 100);
    EXPECT_TRUE(check_well_formed(schedule));
  }
  // Within the rack 71 copies, signals and waits each way, between racks 15; two reductions.
  const Schedule schedule = make(Collective::all_reduce, "two_level", kRacks);
  EXPECT_EQ(schedule.header().chunks, 1152U);
  EXPECT_EQ(schedule.step_count(), 6U * 71 + 6 * 15 + 2);
}

TEST(TwoLevelProcessorTimed, AThousandRanksArePlannedInAFractionOfASecond) {
  const Topology racks = Topology::of_domains(kRacks);
  for (const std::string_view name : {"two_level", "two_level_halving", "three_level"}) {
    const Algorithm* algorithm = find_algorithm(Collective::all_reduce, name);
    const Request request = request_for(Collective::all_reduce);
    // Of the processor, so that other work does not count.
    const std::clock_t begin = std::clock();
    const auto schedule = algorithm->generate(racks, request, 1);
    const double taken_ms = static_cast<double>(std::clock() - begin) * 1000 / CLOCKS_PER_SEC;
    ASSERT_TRUE(schedule);
    printf("%s: %.0f ms, %u steps\n", algorithm->name.data(), taken_ms, schedule->step_count());
    EXPECT_LT(taken_ms, 1000);
  }
}

}  // namespace
}  // namespace unirack
