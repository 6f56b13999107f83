#include "collectives/planner.h"

#include <gtest/gtest.h>

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
                         const Policy& policy = {}) {
  const auto choice = choose(topology, request, policy);
  return choice ? choice->schedule->header().algorithm : choice.error().detail;
}

TEST(Planner, ChoosesBySizeAndShape) {
  const Topology domain = Topology::of_domains({4});
  const Topology racks = Topology::of_domains({2, 2});
  EXPECT_EQ(algorithm_of(domain, all_reduce(2)), "one_shot");
  EXPECT_EQ(algorithm_of(domain, all_reduce(1 << 20)), "two_shot");
  EXPECT_EQ(algorithm_of(racks, all_reduce(1 << 20)), "two_level");
  Request symmetric = all_reduce(1 << 20);
  symmetric.symmetric = true;
  EXPECT_EQ(algorithm_of(domain, symmetric), "two_shot_pull");
}

TEST(Planner, EveryRequestHasAPlanAtEverySize) {
  for (const auto& sizes : std::vector<std::vector<uint32_t>>{{1}, {3}, {8}, {3, 5}, {1, 1, 1}}) {
    const Topology topology = Topology::of_domains(sizes);
    for (int collective = 0; collective < kCollectiveCount; ++collective) {
      for (const uint64_t count :
           {uint64_t{0}, uint64_t{1}, uint64_t{1} << 14, uint64_t{1} << 36}) {
        Request request = all_reduce(count, DataType::bfloat16);
        request.collective = static_cast<Collective>(collective);
        const auto choice = choose(topology, request, {});
        ASSERT_TRUE(choice) << choice.error().detail;
        const Schedule& schedule = *choice->schedule;
        EXPECT_LE(schedule.scratch_bytes(count, request.type), Policy().scratch_bytes);
        EXPECT_LT(schedule.tile_count(count * 2) * schedule.program_view(0).values_per_tile,
                  uint64_t{1} << kCounterBits);
      }
    }
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

TEST(Planner, ExplainsEveryCandidate) {
  const auto choice = choose(Topology::of_domains({4}), all_reduce(1 << 20), {});
  ASSERT_TRUE(choice);
  EXPECT_EQ(choice->explain.find("algorithm=two_shot tiles="), 0U);
  EXPECT_NE(choice->explain.find("ring"), std::string::npos);
  EXPECT_NE(choice->explain.find("changes the bits of float sums"), std::string::npos);
}

}  // namespace
}  // namespace unirack
