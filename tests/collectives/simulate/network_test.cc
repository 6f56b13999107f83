// Which resources messages pass.
#include "collectives/simulate/network.h"

#include <gtest/gtest.h>

#include <map>
#include <string>

#include "lib/topology/generate/generate.h"
#include "tests/support/graphs.h"

namespace unirack {
namespace {

std::map<std::string, uint32_t> route(const Network& network, Rank from, Rank to, int lane = 0) {
  MessageRoute found;
  EXPECT_TRUE(network.find(from, to, lane, found));
  std::map<std::string, uint32_t> shares;
  for (const ResourceUse& use : found.uses) {
    shares[network.resources()[use.resource].name] += use.share;
  }
  return shares;
}

using Shares = std::map<std::string, uint32_t>;

constexpr auto kWhole = static_cast<uint32_t>(kWholeShare);

Network of(const Graph& graph) {
  auto network = Network::of_graph(graph, assumed_costs());
  EXPECT_TRUE(network);
  return std::move(network).value();
}

TEST(Network, ShapeHasPortsAndRails) {
  PoolShape shape;
  shape.domain_of = {0, 0, 1, 1, 2};
  shape.rail_count = 2;
  const auto network = Network::of_shape(shape, assumed_costs());
  ASSERT_TRUE(network);
  EXPECT_EQ(route(*network, 0, 1), (Shares{{"rank 0 out", kWhole}, {"rank 1 in", kWhole}}));
  EXPECT_EQ(route(*network, 1, 4, 3),
            (Shares{{"domain 0 rail 1 out", kWhole}, {"domain 2 rail 1 in", kWhole}}));
  EXPECT_TRUE(route(*network, 3, 3).empty());
  shape.has_rails_per_rank = true;
  const auto own = Network::of_shape(shape, assumed_costs());
  EXPECT_EQ(route(*own, 1, 4),
            (Shares{{"rank 1 rail 0 out", kWhole}, {"rank 4 rail 0 in", kWhole}}));
}

TEST(Network, NvlinkInsideTheOwnNicOutside) {
  const auto graph = generate("nvl72:racks=2,gpus=8,spines=3");
  ASSERT_TRUE(graph);
  const Network network = of(*graph);
  EXPECT_EQ(route(network, 0, 5), (Shares{{"rack0-tray00/gpu0 > rack0/nvswitch", kWhole},
                                          {"rack0/nvswitch > rack0-tray01/gpu1", kWhole}}));
  // Two uplinks a leaf, to the first two spines.
  EXPECT_EQ(route(network, 1, 9), (Shares{{"rack0-tray00/nic/mlx5_1 > leaf-rack0-rail1", kWhole},
                                          {"leaf-rack0-rail1 > spine0", kWhole / 2},
                                          {"leaf-rack0-rail1 > spine1", kWhole / 2},
                                          {"spine0 > leaf-rack1-rail1", kWhole / 2},
                                          {"spine1 > leaf-rack1-rail1", kWhole / 2},
                                          {"leaf-rack1-rail1 > rack1-tray00/nic/mlx5_1", kWhole}}));
  MessageRoute found;
  ASSERT_TRUE(network.find(1, 9, 0, found));
  EXPECT_EQ(found.costs, assumed_costs().of(LinkKind::infiniband));
}

TEST(Network, NoDirectLinkGoesOverNeighbours) {
  const auto graph = generate("torus:4x4");
  ASSERT_TRUE(graph);
  const Network network = of(*graph);
  uint32_t total = 0;
  for (const auto& [name, share] : route(network, 0, 5)) {
    EXPECT_EQ(share, kWhole / 2) << name;
    total += share;
  }
  EXPECT_EQ(total, 2 * kWhole);  // two hops each of two ways
}

TEST(Network, LanesTakeTheRailsOfAHost) {
  GraphBuilder builder;
  const auto leaf = [&](int i) {
    return testing::add(builder, NodeKind::leaf, "leaf" + std::to_string(i));
  };
  const NodeIndex leaves[] = {leaf(0), leaf(1)};
  for (const char* host : {"a", "b"}) {
    const std::string name = host;
    const NodeIndex cpu = testing::add(builder, NodeKind::cpu, name + "/cpu0", name);
    const NodeIndex rank = testing::add(builder, NodeKind::rank, name + "/rank", name);
    builder.join({.from = rank, .to = cpu, .kind = LinkKind::shared_memory});
    for (int i = 0; i < 2; ++i) {
      const NodeIndex nic =
          testing::add(builder, NodeKind::nic, name + "/nic/eth" + std::to_string(i), name);
      builder.join({.from = cpu, .to = nic, .kind = LinkKind::pcie});
      builder.join({.from = nic, .to = leaves[i], .kind = LinkKind::ethernet, .bandwidth = 1000});
    }
  }
  const Graph graph = testing::build(std::move(builder));
  const Network network = of(graph);
  for (const int lane : {0, 1, 2}) {
    const std::string nic = "nic/eth" + std::to_string(lane % 2);
    const std::string via = "leaf" + std::to_string(lane % 2);
    const Shares shares = route(network, 0, 1, lane);
    EXPECT_TRUE(shares.contains("a/" + nic + " > " + via)) << lane;
    EXPECT_TRUE(shares.contains(via + " > b/" + nic)) << lane;
  }
}

TEST(Network, WhatIsDownIsGoneRound) {
  const auto graph = generate("nvl72:racks=2,gpus=8,spines=3");
  ASSERT_TRUE(graph);
  const auto broken = with_fault(*graph, "spine:0");
  ASSERT_TRUE(broken);
  const Network network = of(*broken);
  const Shares shares = route(network, 1, 9);
  EXPECT_TRUE(shares.contains("leaf-rack0-rail1 > spine1"));
  EXPECT_EQ(shares.at("leaf-rack0-rail1 > spine1"), kWhole);
}

}  // namespace
}  // namespace unirack
