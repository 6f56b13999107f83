#include "collectives/algorithms/slot_map.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>

#include "collectives/algorithms/algorithms.h"

namespace unirack {
namespace {

using ::testing::ElementsAre;

using Sizes = std::vector<uint32_t>;

ColumnMap map_of(const Sizes& sizes, uint32_t unit) {
  return ColumnMap(sizes, Sizes(sizes.size(), 1), unit);
}

uint32_t length(Parts parts) { return parts.end - parts.begin; }

TEST(ColumnMapTest, EqualDomainsShareChunkByChunk) {
  const ColumnMap map = map_of({3, 3}, 2);
  EXPECT_EQ(map.chunks(), 6U);
  ASSERT_EQ(map.columns().size(), 3U);
  EXPECT_EQ(map.turns(), 1U);
  for (uint32_t i = 0; i < 3; ++i) {
    EXPECT_EQ(map.columns()[i].parts.begin, 2 * i);
    EXPECT_THAT(map.columns()[i].owners, ElementsAre(i, i));
    EXPECT_THAT(map.columns()[i].finished, ElementsAre(1U, 1U));
  }
}

// Columns cover the vector once, their owners' shares hold them, and no two columns of an owner
// have one turn.
void expect_consistent(const Sizes& sizes, const ColumnMap& map) {
  uint32_t next = 0;
  std::vector<std::vector<std::vector<bool>>> turns;
  for (const uint32_t size : sizes) {
    turns.emplace_back(size, std::vector<bool>(map.turns(), false));
  }
  for (const Column& column : map.columns()) {
    EXPECT_EQ(column.parts.begin, next);
    EXPECT_LT(column.parts.begin, column.parts.end);
    next = column.parts.end;
    EXPECT_EQ(std::accumulate(column.finished.begin(), column.finished.end(), 0U),
              length(column.parts));
    for (size_t domain = 0; domain < sizes.size(); ++domain) {
      const Parts share = map.shares(domain)[column.owners[domain]];
      EXPECT_LE(share.begin, column.parts.begin);
      EXPECT_GE(share.end, column.parts.end);
      EXPECT_FALSE(turns[domain][column.owners[domain]][column.turn]);
      turns[domain][column.owners[domain]][column.turn] = true;
    }
  }
  EXPECT_EQ(next, map.chunks());
}

TEST(ColumnMapTest, UnequalDomainsShareEquallyWhileChunksLast) {
  const Sizes sizes = {72, 66};
  const ColumnMap map = map_of(sizes, 2);
  EXPECT_TRUE(ColumnMap::is_exact(sizes, 2));
  EXPECT_EQ(map.chunks(), 2U * 792U);
  for (const Parts& share : map.shares(0)) EXPECT_EQ(length(share), 22U);
  for (const Parts& share : map.shares(1)) EXPECT_EQ(length(share), 24U);
  // Every border of either domain but the six they have in common.
  EXPECT_EQ(map.columns().size(), 132U);
  expect_consistent(sizes, map);
  expect_consistent({7, 5, 3}, map_of({7, 5, 3}, 3));
  EXPECT_EQ(map_of({7, 5, 3}, 3).chunks(), 315U);
}

// The racks of the live fabric: no common multiple is small enough.
TEST(ColumnMapTest, TooManySizesAreDealtWithinOneChunk) {
  const Sizes sizes = {72, 72, 68, 64, 60, 56, 44, 40};
  EXPECT_FALSE(ColumnMap::is_exact(sizes, 8));
  const ColumnMap map = map_of(sizes, 8);
  EXPECT_LE(map.chunks(), kChunksMax);
  // Nobody carries more than the members of the smallest domain, who carry equal shares.
  EXPECT_EQ(map.chunks() % 40, 0U);
  std::vector<uint32_t> finished(sizes.size(), 0);
  for (size_t domain = 0; domain < sizes.size(); ++domain) {
    for (const Parts& share : map.shares(domain)) {
      EXPECT_LE(length(share), map.chunks() / 40);
      EXPECT_LE(length(share), map.chunks() / sizes[domain] + 1);
    }
  }
  for (const Column& column : map.columns()) {
    for (size_t i = 0; i < sizes.size(); ++i) finished[i] += column.finished[i];
  }
  for (const uint32_t each : finished) EXPECT_EQ(each, map.chunks() / 8);
  expect_consistent(sizes, map);
}

// What crosses the rails of a member of the busiest domain, in 1024ths of the vector.
uint64_t busiest(const Sizes& sizes, const Sizes& weights, uint64_t factor) {
  const uint64_t whole = std::accumulate(weights.begin(), weights.end(), uint64_t{0});
  const uint64_t others = sizes.size() - 1;
  uint64_t most = 0;
  for (size_t i = 0; i < sizes.size(); ++i) {
    const uint64_t out = factor * (whole - weights[i]) + others * weights[i];
    const uint64_t in = (whole - weights[i]) + factor * others * weights[i];
    most = std::max(most, std::max(out, in) * 1024 / whole / sizes[i]);
  }
  return most;
}

TEST(FinishingWeightsTest, NoOtherWeightsCarryLess) {
  const std::vector<Sizes> pools = {{2, 1, 3}, {7, 5, 3}, {4, 4, 1}, {8, 8, 4}, {1, 2, 1}};
  for (const Sizes& sizes : pools) {
    for (const uint32_t factor : {1U, 2U, 4U}) {
      const uint64_t found = busiest(sizes, finishing_weights(sizes, factor), factor);
      for (uint32_t a = 0; a <= 48; ++a) {
        for (uint32_t b = 0; a + b <= 48; ++b) {
          const uint64_t other = busiest(sizes, {a, b, 48 - a - b}, factor);
          EXPECT_LE(found, other + other / 256 + 1) << a << " " << b << " factor " << factor;
        }
      }
    }
  }
}

TEST(FinishingWeightsTest, EqualDomainsFinishEqually) {
  EXPECT_THAT(finishing_weights({4, 4, 4}, 1), ElementsAre(1024U, 1024U, 1024U));
  EXPECT_THAT(finishing_weights({5, 5}, 2), ElementsAre(1024U, 1024U));
  // Two domains pass each other the same whoever finishes.
  EXPECT_THAT(finishing_weights({72, 66}, 1), ElementsAre(1024U, 1024U));
  // The three ranks had better finish nothing: they have two partial sums to send as it is.
  EXPECT_EQ(finishing_weights({7, 5, 3}, 1)[2], 0U);
}

uint32_t inbound_max(const BlockMap& map, const Topology& topology) {
  uint32_t most = 0;
  for (Rank rank = 0; rank < topology.rank_count(); ++rank) {
    uint32_t chunks = 0;
    for (const Piece& piece : map.held_by(rank)) {
      if (piece.owner != rank) chunks += length(piece.chunks);
    }
    most = std::max(most, chunks);
  }
  return most;
}

TEST(BlockMapTest, CounterpartsHoldEachOthersBlocksInEqualDomains) {
  const Topology topology = Topology::of_domains({3, 3, 3});
  const BlockMap map(topology);
  EXPECT_EQ(map.chunks(), 1U);
  const auto& held = map.held_by(4);
  ASSERT_EQ(held.size(), 3U);
  EXPECT_EQ(held[0].owner, 4);
  EXPECT_EQ(held[1].owner, 7);
  EXPECT_EQ(held[2].owner, 1);
  ASSERT_EQ(map.of(1, 1).size(), 1U);
  EXPECT_EQ(map.of(1, 1)[0].holder, 4);
}

TEST(BlockMapTest, UnequalDomainsHoldEquallyMuch) {
  const Topology racks = Topology::of_domains({72, 66});
  const BlockMap map(racks);
  EXPECT_EQ(map.chunks(), 11U);
  // 72 blocks for 66 members: 12 / 11 of a block each, where whole blocks would give six of them 2.
  EXPECT_EQ(inbound_max(map, racks), 12U);
  const Topology small = Topology::of_domains({7, 5, 3});
  EXPECT_EQ(BlockMap(small).chunks(), 3U);
  EXPECT_EQ(inbound_max(BlockMap(small), small), 12U);
  const Topology live = Topology::of_domains({72, 72, 68, 64, 60, 56, 44, 40});
  const BlockMap wide(live);
  // 436 blocks for 40 members.
  EXPECT_LE(inbound_max(wide, live) * 40 * 100, 436 * wide.chunks() * 103);
}

TEST(BlockMapTest, EveryChunkHasOneHolderInEveryDomain) {
  const Topology topology = Topology::of_domains({2, 1, 5});
  const BlockMap map(topology);
  for (Rank owner = 0; owner < 8; ++owner) {
    for (size_t domain = 0; domain < 3; ++domain) {
      uint32_t next = 0;
      for (const Piece& piece : map.of(owner, domain)) {
        EXPECT_EQ(piece.owner, owner);
        EXPECT_EQ(static_cast<size_t>(topology.domain_of(piece.holder)), domain);
        EXPECT_EQ(piece.chunks.begin, next);
        next = piece.chunks.end;
        const Piece& same = map.held_by(piece.holder)[piece.index];
        EXPECT_EQ(same.owner, owner);
        EXPECT_LE(length(same.chunks), map.lengths()[piece.index]);
      }
      EXPECT_EQ(next, map.chunks());
    }
  }
}

}  // namespace
}  // namespace unirack
