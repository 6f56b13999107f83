// Max-min fair rates by hand.
#include "collectives/simulate/sharing.h"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <vector>

namespace unirack {
namespace {

constexpr uint64_t kPs = kTicksPerPs;
constexpr uint64_t kSecond = 1'000'000'000'000 * kPs;

TEST(Sharing, OneFlowTakesAll) {
  SharedResources shared({1000});
  const std::vector<FlowUse> uses = {{0, kWholeShare}};
  const uint32_t flow = shared.begin(5, 3000, uses);
  EXPECT_EQ(shared.settle(5), std::vector<uint32_t>{flow});
  EXPECT_EQ(shared.end_ticks(flow), 5 + 3 * kSecond);
  EXPECT_EQ(shared.bottleneck(flow), 0u);
}

TEST(Sharing, ShareOfWhatOthersLeave) {
  // The first two meet on resource 0, of 300; the second is alone on 1, of 100.
  SharedResources shared({300, 100});
  const std::vector<FlowUse> wide = {{0, kWholeShare}};
  const std::vector<FlowUse> narrow = {{0, kWholeShare}, {1, kWholeShare}};
  const uint32_t a = shared.begin(0, 1000, wide);
  const uint32_t b = shared.begin(0, 1000, narrow);
  EXPECT_EQ(shared.settle(0).size(), 2u);
  EXPECT_EQ(shared.end_ticks(a), 5 * kSecond);   // 200 bytes/s
  EXPECT_EQ(shared.end_ticks(b), 10 * kSecond);  // 100
  EXPECT_EQ(shared.bottleneck(b), 1u);
  shared.end(5 * kSecond, a);
  EXPECT_TRUE(shared.settle(5 * kSecond).empty());  // nothing changes for b
  shared.end(10 * kSecond, b);
  EXPECT_EQ(shared.busy_ticks(20 * kSecond, 0), 10 * kSecond);
}

TEST(Sharing, RatesChangeOnTheWay) {
  SharedResources shared({100});
  const std::vector<FlowUse> uses = {{0, kWholeShare}};
  const uint32_t a = shared.begin(0, 300, uses);
  shared.settle(0);
  const uint32_t b = shared.begin(kSecond, 100, uses);  // a has 200 left
  EXPECT_EQ(shared.settle(kSecond).size(), 2u);
  EXPECT_EQ(shared.end_ticks(b), 3 * kSecond);
  shared.end(3 * kSecond, b);
  shared.settle(3 * kSecond);
  EXPECT_EQ(shared.end_ticks(a), 4 * kSecond);
}

// What follows a flow the same way is like a flow that ends and one that begins.
TEST(Sharing, BytesFollowAtTheRateOfThoseBefore) {
  SharedResources shared({100});
  const std::vector<FlowUse> uses = {{0, kWholeShare}};
  const uint32_t a = shared.begin(0, 50, uses);
  const uint32_t b = shared.begin(0, 200, uses);
  shared.settle(0);
  ASSERT_EQ(shared.end_ticks(a), kSecond);
  shared.go_on(kSecond, a, 100);
  EXPECT_EQ(shared.settle(kSecond), std::vector<uint32_t>{a});
  EXPECT_EQ(shared.end_ticks(a), 3 * kSecond);
  EXPECT_EQ(shared.end_ticks(b), 4 * kSecond);
  shared.end(3 * kSecond, a);
  shared.settle(3 * kSecond);
  EXPECT_EQ(shared.end_ticks(b), 3 * kSecond + kSecond / 2);
  EXPECT_EQ(shared.busy_ticks(3 * kSecond, 0), 3 * kSecond);
}

TEST(Sharing, ThirdsEndOnThePicosecond) {
  for (const uint64_t flows : {3u, 7u, 11u, 73u, 1151u}) {
    SharedResources shared({400'000'000'000});
    const std::vector<FlowUse> uses = {{0, kWholeShare}};
    for (uint64_t i = 0; i < flows; ++i) shared.begin(0, 400, uses);
    for (const uint32_t flow : shared.settle(0))
      EXPECT_EQ(shared.end_ticks(flow), flows * 1000 * kPs);
  }
}

// One flow that stands for four is like four.
TEST(Sharing, LoadsStandForFlows) {
  SharedResources one({1000});
  SharedResources four({1000});
  const std::vector<FlowUse> uses = {{0, kWholeShare}};
  const std::vector<FlowUse> loads = {{0, 4 * kWholeShare}};
  for (int i = 0; i < 4; ++i) four.begin(0, 777, uses);
  const uint32_t flow = one.begin(0, 777, loads);
  one.settle(0);
  for (const uint32_t each : four.settle(0)) EXPECT_EQ(four.end_ticks(each), one.end_ticks(flow));
}

// No resource carries more than it can, and every flow is held by one that is full on which nobody
// is faster: that is what max-min fair means.
TEST(Sharing, RandomRatesAreFair) {
  std::mt19937 random(7);
  for (int round = 0; round < 500; ++round) {
    std::vector<uint64_t> bandwidths(1 + random() % 8);
    for (uint64_t& bandwidth : bandwidths) bandwidth = 1'000'000 * (1 + random() % 50);
    SharedResources shared(bandwidths);
    std::vector<std::vector<FlowUse>> uses(1 + random() % 12);
    for (auto& of_flow : uses) {
      for (uint32_t i = 0; i < bandwidths.size(); ++i) {
        if (random() % 3 == 0) of_flow.push_back({i, 1 + random() % kWholeShare});
      }
      if (of_flow.empty()) of_flow.push_back({0, kWholeShare});
    }
    constexpr uint64_t kBytes = 100'000'000;
    for (const auto& of_flow : uses) shared.begin(0, kBytes, of_flow);
    shared.settle(0);
    const auto rate = [&](uint32_t flow) {
      return static_cast<double>(kBytes) * static_cast<double>(kSecond) /
             static_cast<double>(shared.end_ticks(flow));
    };
    std::vector<double> used(bandwidths.size(), 0);
    for (uint32_t i = 0; i < uses.size(); ++i) {
      for (const FlowUse& use : uses[i]) {
        used[use.resource] += rate(i) * static_cast<double>(use.load) / kWholeShare;
      }
    }
    for (size_t i = 0; i < used.size(); ++i) {
      EXPECT_LE(used[i], static_cast<double>(bandwidths[i]) * (1 + 1e-9));
    }
    for (uint32_t i = 0; i < uses.size(); ++i) {
      const uint32_t held = shared.bottleneck(i);
      EXPECT_GE(used[held], static_cast<double>(bandwidths[held]) * (1 - 1e-9));
      for (uint32_t other = 0; other < uses.size(); ++other) {
        for (const FlowUse& use : uses[other]) {
          EXPECT_TRUE(use.resource != held || rate(other) <= rate(i) * (1 + 1e-9));
        }
      }
    }
  }
}

// Settled step by step, as flows come and go, rates are those of everybody settled at once.
TEST(Sharing, HistoryDoesNotMatter) {
  std::mt19937 random(11);
  for (int round = 0; round < 300; ++round) {
    std::vector<uint64_t> bandwidths(2 + random() % 10);
    for (uint64_t& bandwidth : bandwidths) bandwidth = 1'000'000 * (1 + random() % 3);
    SharedResources shared(bandwidths);
    std::map<uint32_t, std::vector<FlowUse>> open;
    for (int step = 0; step < 40; ++step) {
      for (uint64_t changes = 1 + random() % 3; changes > 0; --changes) {
        if (!open.empty() && random() % 3 == 0) {
          const auto gone = std::next(open.begin(), static_cast<long>(random() % open.size()));
          shared.end(0, gone->first);
          open.erase(gone);
          continue;
        }
        std::vector<FlowUse> uses;
        const uint64_t load = random() % 4 == 0 ? 1 + random() % kWholeShare : kWholeShare;
        for (uint32_t i = 0; i < bandwidths.size(); ++i) {
          if (random() % bandwidths.size() < 2) uses.push_back({i, load});
        }
        if (uses.empty()) uses.push_back({0, load});
        // Uses stay where they are, so they are moved in before the flow begins.
        const auto [at, is_new] = open.try_emplace(UINT32_MAX, std::move(uses));
        ASSERT_TRUE(is_new);
        auto node = open.extract(at);
        node.key() = shared.begin(0, 1000, node.mapped());
        open.insert(std::move(node));
      }
      shared.settle(0);
      SharedResources fresh(bandwidths);
      std::vector<std::pair<uint32_t, uint32_t>> pairs;
      for (const auto& [flow, uses] : open) pairs.emplace_back(flow, fresh.begin(0, 1000, uses));
      fresh.settle(0);
      for (const auto& [flow, other] : pairs) {
        ASSERT_TRUE(shared.rate(flow) == fresh.rate(other)) << "round " << round;
      }
    }
  }
}

}  // namespace
}  // namespace unirack
