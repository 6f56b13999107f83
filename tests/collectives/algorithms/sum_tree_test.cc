#include "collectives/algorithms/sum_tree.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>

namespace unirack {
namespace {

using ::testing::ElementsAre;

// "((0 1) 2)"
std::string text(const SumTree& tree, int index) {
  const SumNode& node = tree.node(index);
  if (node.is_leaf()) return std::to_string(node.ranks[0]);
  return "(" + text(tree, node.left) + " " + text(tree, node.right) + ")";
}

std::string text(const RankGroups& groups) {
  const SumTree tree(groups);
  return text(tree, tree.root());
}

TEST(SumTreeTest, SplitsAtTheLargestPowerOfTwoBelow) {
  EXPECT_EQ(text({{0}}), "0");
  EXPECT_EQ(text({{0, 1}}), "(0 1)");
  EXPECT_EQ(text({{0, 1, 2}}), "((0 1) 2)");
  EXPECT_EQ(text({{0, 1, 2, 3, 4}}), "(((0 1) (2 3)) 4)");
  EXPECT_EQ(text({{0, 1, 2, 3, 4, 5, 6}}), "(((0 1) (2 3)) ((4 5) 6))");
}

TEST(SumTreeTest, AddsWithinGroupsThenOverThem) {
  EXPECT_EQ(text({{0, 1, 2}, {3, 4}}), "(((0 1) 2) (3 4))");
  EXPECT_EQ(text({{0, 2}, {1}, {3}}), "(((0 2) 1) 3)");
  const SumTree tree({{0, 1, 2}, {3, 4}});
  EXPECT_THAT(tree.node(tree.root()).ranks, ElementsAre(0, 1, 2, 3, 4));
  EXPECT_EQ(tree.node(tree.root()).depth, 0);
  EXPECT_EQ(tree.nodes().front().depth, 3);
}

TEST(SumTreeTest, KnowsWhereARankIsUnderEachNode) {
  const SumTree tree({{4, 2, 0}, {3, 1}});
  for (int index = 0; index <= tree.root(); ++index) {
    const auto& ranks = tree.node(index).ranks;
    for (Rank rank = 0; rank < 5; ++rank) {
      const auto at = std::find(ranks.begin(), ranks.end(), rank);
      EXPECT_EQ(tree.holds(index, rank), at != ranks.end());
      if (at == ranks.end()) continue;
      EXPECT_EQ(tree.place_in(index, rank), static_cast<size_t>(at - ranks.begin()));
    }
  }
}

TEST(SumTreeTest, EqualPowerOfTwoGroupsGiveTheFlatTree) {
  EXPECT_TRUE(same_sum({{0, 1}, {2, 3}}, {{0, 1, 2, 3}}));
  EXPECT_TRUE(same_sum({{0, 1}, {2, 3}, {4, 5}}, {{0, 1, 2, 3, 4, 5}}));
  EXPECT_FALSE(same_sum({{0, 1, 2}, {3, 4, 5}}, {{0, 1, 2, 3, 4, 5}}));
  EXPECT_FALSE(same_sum({{0, 2}, {1, 3}}, {{0, 1, 2, 3}}));
  EXPECT_TRUE(same_sum({{0}, {1}}, {{1}, {0}}));
}

}  // namespace
}  // namespace unirack
