#include "lib/topology/bound/distance.h"

#include <gtest/gtest.h>

#include <random>
#include <string>

#include "tests/support/graphs.h"

namespace unirack {
namespace {

// Floyd and Warshall, over every pair at once.
Rational by_all_pairs(const CutNetwork& network, const std::vector<PipeLengths>& lengths) {
  constexpr Wide kFar = Wide{1} << 60;
  const size_t places = network.place_count;
  std::vector<std::vector<Wide>> distance(places, std::vector<Wide>(places, kFar));
  Wide carried = 0;
  for (size_t i = 0; i < places; ++i) distance[i][i] = 0;
  const auto add = [&](uint32_t from, uint32_t to, Wide capacity, uint64_t length) {
    if (capacity == 0) return;
    distance[from][to] = capacity == kFree ? 0 : Wide{length};
    if (capacity != kFree) carried += capacity * Wide{length};
  };
  for (size_t i = 0; i < network.pipes.size(); ++i) {
    const Pipe& pipe = network.pipes[i];
    add(pipe.a, pipe.b, pipe.a_to_b, lengths[i].a_to_b);
    add(pipe.b, pipe.a, pipe.b_to_a, lengths[i].b_to_a);
  }
  for (size_t k = 0; k < places; ++k) {
    for (size_t i = 0; i < places; ++i) {
      for (size_t j = 0; j < places; ++j) {
        distance[i][j] = std::min(distance[i][j], distance[i][k] + distance[k][j]);
      }
    }
  }
  Wide needed = 0;
  for (const uint32_t from : network.member_places) {
    for (const uint32_t to : network.member_places) {
      if (distance[from][to] >= kFar) return {0, 1};
      needed += distance[from][to] * network.members_in[from] * network.members_in[to];
    }
  }
  return ratio(carried * network.member_count * network.unit, needed);
}

TEST(Distance, EqualsAllPairsOnRandomGraphs) {
  std::mt19937 random(1);
  const auto below = [&](uint32_t limit) { return static_cast<uint32_t>(random() % limit); };
  for (int i = 0; i < 1000; ++i) {
    GraphBuilder builder;
    const uint32_t gpus = 2 + below(5);
    const uint32_t nodes = gpus + below(5);
    for (uint32_t node = 0; node < nodes; ++node) {
      testing::add(builder, node < gpus ? NodeKind::gpu : NodeKind::network_switch,
                   "n" + std::to_string(node));
    }
    for (uint32_t link = 0; link < 3 * nodes; ++link) {
      const uint32_t from = below(nodes);
      const uint32_t to = below(nodes);
      if (from == to) continue;
      builder.connect({.from = from, .to = to, .bandwidth = below(4) == 0 ? 0 : 1 + below(9)});
    }
    const CutNetwork network = cut_network_of(testing::build(std::move(builder)));
    std::vector<PipeLengths> lengths(network.pipes.size());
    ASSERT_TRUE(*hop_bound(network) == by_all_pairs(network, lengths)) << i;
    for (PipeLengths& each : lengths) each = {below(20), below(20)};
    ASSERT_TRUE(length_bound(network, lengths) == by_all_pairs(network, lengths)) << i;
  }
}

}  // namespace
}  // namespace unirack
