#include "perf/topo/pairs.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

namespace unirack::topo {
namespace {

using ::testing::ElementsAre;
using ::testing::Pair;

TEST(TopoPairs, ReadsWhoIsInThePool) {
  const PoolShape shape = parse_description(
      "5 ranks in 2 domains\ndomain 0: ranks 0-2 over shm\ndomain 1: ranks 3,4 over shm\n"
      "between domains: tcp, 1 rail\nsum shape: (0-2) (3-4)\n",
      5);
  EXPECT_THAT(shape.domain_of, ElementsAre(0, 0, 0, 1, 1));
  EXPECT_EQ(class_of(shape, 0, 2), "shm inside a domain");
  EXPECT_EQ(class_of(shape, 2, 3), "tcp, 1 rail between domains");
}

TEST(TopoPairs, WhatItDoesNotUnderstandIsUnknown) {
  const PoolShape shape = parse_description("domain 0: ranks 9-99999999999 over x\nfrob", 2);
  EXPECT_EQ(class_of(shape, 0, 1), "unknown");
}

TEST(TopoPairs, SmallPoolsAreMeasuredWhole) {
  EXPECT_THAT(pairs_of(3), ElementsAre(Pair(0, 1), Pair(0, 2), Pair(1, 2)));
  EXPECT_EQ(pairs_of(8).size(), 28u);
  EXPECT_EQ(pairs_of(16).size(), 15u + 8u);
  EXPECT_TRUE(pairs_of(1).empty());
}

TEST(TopoPairs, ClassesHaveLeastMedianAndMost) {
  const auto classes = by_class({{0, 1, "shm", 3, 10, 0},
                                 {1, 2, "tcp", 30, 1, 5},
                                 {2, 3, "tcp", 10, 3, 4},
                                 {3, 4, "tcp", 20, 2, 5}});
  ASSERT_EQ(classes.size(), 2u);
  EXPECT_EQ(classes[1].link_class, "tcp");
  EXPECT_EQ(classes[1].pairs, 3u);
  EXPECT_THAT(classes[1].latency_us, ElementsAre(10, 20, 30));
  EXPECT_THAT(classes[1].bandwidth_gb_s, ElementsAre(1, 2, 3));
  EXPECT_EQ(classes[1].nominal_gb_s, 4);
}

TEST(TopoPairs, MeasuresRanksOfOneProcess) {
  auto ranks = api::Communicator::join_threads(2);
  ASSERT_TRUE(ranks) << ranks.error().text;
  std::vector<PairResult> results[2];
  const auto body = [&](size_t rank) {
    auto measured = measure_pairs((*ranks)[rank], {0, 0, 4096, 5});
    if (measured) results[rank] = *measured;
  };
  std::thread other(body, 1);
  body(0);
  other.join();
  ASSERT_EQ(results[0].size(), 1u);
  ASSERT_EQ(results[1].size(), 1u);
  EXPECT_GT(results[0][0].latency_us, 0);
  EXPECT_GT(results[0][0].bandwidth_gb_s, 0);
  EXPECT_EQ(results[0][0].latency_us, results[1][0].latency_us);
}

}  // namespace
}  // namespace unirack::topo
