#include "collectives/algorithms/algorithms.h"

#include <gtest/gtest.h>

#include <set>

#include "collectives/verify.h"
#include "tests/support/plans.h"
#include "tests/support/scope.h"

namespace unirack {
namespace {

std::vector<std::vector<uint32_t>> domain_shapes() {
  std::vector<std::vector<uint32_t>> shapes;
  for (uint32_t ranks = 1; ranks <= 8; ++ranks) shapes.push_back({ranks});
  if (testing::has_scope("brief")) {
    shapes.insert(shapes.end(), {{3, 2}, {1, 4}, {2, 1, 3}});
    return shapes;
  }
  for (const auto& shape : std::vector<std::vector<uint32_t>>{{2, 2},
                                                              {3, 2},
                                                              {3, 3},
                                                              {1, 4},
                                                              {4, 4},
                                                              {3, 5},
                                                              {1, 1, 1},
                                                              {2, 1, 3},
                                                              {9},
                                                              {13},
                                                              {2, 2, 2, 2}}) {
    shapes.push_back(shape);
  }
  return shapes;
}

std::string shape_text(const std::vector<uint32_t>& shape) {
  std::string text;
  for (const uint32_t size : shape) text += (text.empty() ? "" : "+") + std::to_string(size);
  return text;
}

class EveryAlgorithm : public ::testing::TestWithParam<const Algorithm*> {};

// `proven`: hashes of schedules that need no second proof.
void verify_on(const Algorithm& algorithm, const Topology& topology, const Request& request,
               std::set<uint64_t>& proven) {
  if (!algorithm.unfit(topology, request).empty()) return;
  for (const int lanes : {1, 2}) {
    const auto schedule = algorithm.generate(topology, request, lanes);
    ASSERT_TRUE(schedule) << schedule.error().to_string();
    EXPECT_EQ(schedule->header().algorithm, algorithm.name);
    EXPECT_EQ(schedule->header().collective, algorithm.collective);
    if (!proven.insert(schedule->hash()).second) continue;
    const auto verdict = verify(*schedule);
    ASSERT_TRUE(verdict) << verdict.error().to_string();
  }
}

void verify_all_requests(const Algorithm& algorithm, const Topology& topology) {
  std::set<uint64_t> proven;
  for (const Rank root : std::set<Rank>{0, 1 % topology.rank_count(), topology.rank_count() - 1}) {
    for (const bool symmetric : {false, true}) {
      Request request;
      request.collective = algorithm.collective;
      request.root = root;
      request.count = 1000;
      request.symmetric = symmetric;
      verify_on(algorithm, topology, request, proven);
      if (::testing::Test::HasFatalFailure()) return;
    }
  }
}

TEST_P(EveryAlgorithm, PassesTheVerifierOnEveryShape) {
  for (const auto& shape : domain_shapes()) {
    SCOPED_TRACE(shape_text(shape));
    verify_all_requests(*GetParam(), Topology::of_domains(shape));
    if (HasFatalFailure()) return;
  }
}

// Domains and sum groups that are no runs of ranks, and a pinned shape that is not the domains'.
TEST_P(EveryAlgorithm, PassesTheVerifierOnIrregularPools) {
  TopologySpec spec;
  spec.rank_count = 7;
  spec.homes = {"a", "b", "c", "b", "a", "a", "b"};
  for (size_t i = 0; i < 49; ++i) {
    const bool same = spec.homes[i / 7] == spec.homes[i % 7];
    spec.load_store.push_back(same ? 1 : 0);
    spec.transports.emplace_back(i / 7 == i % 7 ? "" : (same ? "shm" : "tcp"));
  }
  const auto by_home = Topology::make(spec);
  ASSERT_TRUE(by_home);
  verify_all_requests(*GetParam(), *by_home);
  spec.sum_group_sizes = {3, 1, 3};
  const auto pinned = Topology::make(spec);
  ASSERT_TRUE(pinned);
  verify_all_requests(*GetParam(), *pinned);
}

std::vector<const Algorithm*> all_of_them() {
  std::vector<const Algorithm*> all;
  for (const Algorithm& algorithm : algorithms()) all.push_back(&algorithm);
  return all;
}

INSTANTIATE_TEST_SUITE_P(All, EveryAlgorithm, ::testing::ValuesIn(all_of_them()),
                         [](const auto& test) {
                           return std::string(collective_name(test.param->collective)) + "_" +
                                  std::string(test.param->name);
                         });

TEST(AlgorithmsTest, ARadixTradesStepsForMessages) {
  struct Case {
    Collective collective;
    std::string_view name;
    uint32_t ranks;
    uint32_t steps;
  };
  using C = Collective;
  const Case cases[] = {
      {C::all_gather, "bruck", 16, 4},        {C::all_gather, "bruck_4", 16, 2},
      {C::all_gather, "bruck_8", 64, 2},      {C::all_gather, "bruck_8", 65, 3},
      {C::all_to_all, "bruck", 16, 4},        {C::all_to_all, "bruck_4", 16, 2},
      {C::all_to_all, "bruck_8", 9, 2},       {C::broadcast, "binomial", 16, 4},
      {C::broadcast, "knomial_4", 16, 2},     {C::broadcast, "knomial_8", 64, 2},
      {C::reduce, "binomial", 16, 4},         {C::reduce, "knomial_4", 16, 2},
      {C::reduce, "knomial_8", 8, 1},         {C::all_reduce, "knomial_4", 16, 4},
      {C::gather, "knomial_4", 16, 2},        {C::scatter, "knomial_4", 16, 2},
      {C::reduce, "halving_doubling", 16, 8}, {C::broadcast, "halving_doubling", 16, 7},
  };
  for (const Case& each : cases) {
    Request request;
    request.collective = each.collective;
    const auto schedule = find_algorithm(each.collective, each.name)
                              ->generate(Topology::of_domains({each.ranks}), request, 1);
    ASSERT_TRUE(schedule);
    EXPECT_EQ(testing::longest_chain(*schedule), each.steps)
        << collective_name(each.collective) << " " << each.name << " of " << each.ranks;
  }
}

TEST(AlgorithmsTest, LevelsCostTheStepsTheySay) {
  struct Case {
    Collective collective;
    std::string_view name;
    uint32_t steps;
  };
  using C = Collective;
  const Case cases[] = {
      {C::all_reduce, "two_level", 4},   {C::all_reduce, "two_level_halving", 6},
      {C::all_reduce, "three_level", 6}, {C::all_reduce, "single_leader", 3},
      {C::reduce, "two_level", 2},       {C::reduce, "multi_leader", 4},
      {C::broadcast, "two_level", 2},    {C::broadcast, "multi_leader", 4},
      {C::all_gather, "two_level", 2},   {C::reduce_scatter, "two_level", 2},
      {C::all_to_all, "two_level", 2},   {C::all_to_all, "two_level_staged", 2},
  };
  for (const Case& each : cases) {
    Request request;
    request.collective = each.collective;
    const auto schedule = find_algorithm(each.collective, each.name)
                              ->generate(Topology::of_domains({4, 4, 4, 4}), request, 1);
    ASSERT_TRUE(schedule);
    EXPECT_EQ(testing::longest_chain(*schedule), each.steps)
        << collective_name(each.collective) << " " << each.name;
  }
}

TEST(AlgorithmsTest, NamesAreUniqueForEachCollective) {
  std::set<std::pair<Collective, std::string_view>> names;
  for (const Algorithm& each : algorithms()) {
    EXPECT_TRUE(names.emplace(each.collective, each.name).second) << each.name;
    EXPECT_EQ(find_algorithm(each.collective, each.name), &each);
  }
  EXPECT_EQ(find_algorithm(Collective::barrier, "ring"), nullptr);
}

}  // namespace
}  // namespace unirack
