#include "collectives/calibrate/turns.h"

#include <gtest/gtest.h>

namespace unirack {
namespace {

std::vector<std::string> hosts_of(const std::vector<int>& hosts) {
  std::vector<std::string> names;
  for (const int host : hosts) names.push_back("host" + std::to_string(host));
  return names;
}

TEST(Turns, OneRankHasNobody) {
  EXPECT_TRUE(measure_turns(Topology::of_domains({1}), hosts_of({0})).empty());
  EXPECT_EQ(measuring_ranks(hosts_of({0})), (std::vector<Rank>{0}));
}

TEST(Turns, AKindAfterTheOther) {
  const auto turns = measure_turns(Topology::of_domains({2, 2}), hosts_of({0, 0, 1, 1}));
  ASSERT_EQ(turns.size(), 2u);
  EXPECT_EQ(turns[0].kind, LinkKind::ethernet);
  EXPECT_EQ(turns[0].pairs, (std::vector<MeasuredPair>{{0, 2}}));
  // Both machines at once.
  EXPECT_EQ(turns[1].kind, LinkKind::shared_memory);
  EXPECT_EQ(turns[1].pairs, (std::vector<MeasuredPair>{{0, 1}, {2, 3}}));
}

TEST(Turns, AMachineMeasuresOneThingAtATime) {
  // Four domains on one machine: one pair of each kind.
  const auto turns =
      measure_turns(Topology::of_domains({2, 2, 2, 2}), hosts_of({0, 0, 0, 0, 0, 0, 0, 0}));
  ASSERT_EQ(turns.size(), 2u);
  EXPECT_EQ(turns[0].pairs, (std::vector<MeasuredPair>{{0, 2}}));
  EXPECT_EQ(turns[1].pairs, (std::vector<MeasuredPair>{{0, 1}}));
}

TEST(Turns, PairsAcrossMachinesGoFirst) {
  // Ranks 0 and 1 are neighbours on one machine, 2 is on another.
  const auto turns = measure_turns(Topology::of_domains({1, 1, 1}), hosts_of({0, 0, 1}));
  ASSERT_EQ(turns.size(), 1u);
  EXPECT_EQ(turns[0].pairs, (std::vector<MeasuredPair>{{1, 2}}));
}

TEST(Turns, LargePoolsMeasureAFewPairs) {
  std::vector<uint32_t> domains(144, 8);
  std::vector<std::string> hosts;
  for (int rank = 0; rank < 1152; ++rank) hosts.push_back("host" + std::to_string(rank / 8));
  const auto turns = measure_turns(Topology::of_domains(domains), hosts);
  ASSERT_EQ(turns.size(), 2u);
  EXPECT_EQ(turns[0].pairs, (std::vector<MeasuredPair>{{0, 8}, {16, 24}, {32, 40}}));
  EXPECT_EQ(turns[1].pairs, (std::vector<MeasuredPair>{{0, 1}, {8, 9}, {16, 17}}));
  EXPECT_EQ(measuring_ranks(hosts), (std::vector<Rank>{0, 8, 16}));
}

}  // namespace
}  // namespace unirack
