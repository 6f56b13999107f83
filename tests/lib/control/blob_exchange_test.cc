#include "lib/control/blob_exchange.h"

#include <gtest/gtest.h>

namespace unirack {
namespace {

std::vector<std::byte> blob(int value) { return {static_cast<std::byte>(value)}; }

TEST(BlobExchange, MatchesInOrderAlsoWhenPeersAreAhead) {
  BlobExchange exchange(1, 3);
  EXPECT_TRUE(exchange.heard(0, 1, blob(10)));
  EXPECT_TRUE(exchange.heard(0, 2, blob(20)));
  EXPECT_EQ(exchange.start(blob(11)), 1u);
  EXPECT_EQ(exchange.missing(), std::vector<Rank>{2});
  EXPECT_TRUE(exchange.heard(2, 1, blob(12)));
  EXPECT_TRUE(exchange.missing().empty());
  EXPECT_EQ(exchange.finish(), (std::vector{blob(10), blob(11), blob(12)}));
  EXPECT_FALSE(exchange.started());
  EXPECT_EQ(exchange.start(blob(21)), 2u);
  EXPECT_EQ(exchange.missing(), std::vector<Rank>{2});
}

TEST(BlobExchange, WhatWasGivenUpIsDroppedWhenItComes) {
  BlobExchange exchange(0, 2);
  EXPECT_EQ(exchange.start(blob(1)), 1u);
  exchange.give_up();
  EXPECT_TRUE(exchange.heard(1, 1, blob(5)));
  EXPECT_EQ(exchange.start(blob(2)), 2u);
  EXPECT_FALSE(exchange.has(1));
  EXPECT_TRUE(exchange.heard(1, 2, blob(6)));
  EXPECT_EQ(exchange.finish(), (std::vector{blob(2), blob(6)}));
}

TEST(BlobExchange, DisorderAndFloodsAreRefused) {
  BlobExchange exchange(0, 2);
  EXPECT_TRUE(exchange.heard(1, 3, blob(1)));
  EXPECT_FALSE(exchange.heard(1, 3, blob(1)));
  EXPECT_FALSE(exchange.heard(1, 2, blob(1)));
  uint64_t index = 4;
  while (exchange.heard(1, index, blob(1))) ++index;
  EXPECT_EQ(index, 3 + BlobExchange::kAheadMax);
}

}  // namespace
}  // namespace unirack
