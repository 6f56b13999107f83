#include "lib/topology/reach.h"

#include <gmock/gmock.h>

#include <algorithm>

#include "lib/topology/formats/formats.h"
#include "tests/support/graphs.h"
#include "tests/support/test_data.h"

namespace unirack {
namespace {

using testing::add;
using testing::boxes;
using testing::build;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

std::vector<std::string> names(const Graph& graph, const std::vector<NodeIndex>& nodes) {
  std::vector<std::string> found;
  for (const NodeIndex node : nodes) found.push_back(graph.node(node).name);
  return found;
}

// "name: a b"
std::vector<std::string> domains_of(const Graph& graph) {
  std::vector<std::string> found;
  for (const Domain& domain : find_domains(graph)) {
    std::string text = domain.name + ":";
    for (const std::string& name : names(graph, domain.members)) text += " " + name;
    found.push_back(text);
  }
  return found;
}

Link nvlink(NodeIndex a, NodeIndex b) {
  return {.from = a, .to = b, .kind = LinkKind::nvlink, .bandwidth = 25'000'000'000};
}

TEST(DomainsTest, AnNvswitchMakesADomain) {
  const Graph graph = build(boxes({.boxes = 2, .gpus = 2}));
  EXPECT_THAT(domains_of(graph), ElementsAre("h0: h0/gpu0 h0/gpu1", "h1: h1/gpu0 h1/gpu1"));
}

TEST(DomainsTest, ADomainMayBeWiderThanAMachine) {
  GraphBuilder builder;
  const NodeIndex nvswitch = add(builder, NodeKind::nvswitch, "rack1/nvswitch");
  for (int i = 0; i < 4; ++i) {
    const std::string host = "h" + std::to_string(i / 2);
    const NodeIndex gpu = add(builder, NodeKind::gpu, host + "/gpu" + std::to_string(i % 2), host);
    builder.join(nvlink(gpu, nvswitch));
  }
  EXPECT_THAT(domains_of(build(std::move(builder))),
              ElementsAre("rack1: h0/gpu0 h0/gpu1 h1/gpu0 h1/gpu1"));
}

TEST(DomainsTest, NamesHoldAgainstLinks) {
  GraphBuilder builder = boxes({.boxes = 2, .gpus = 3});
  for (const char* gpu : {"h0/gpu0", "h1/gpu1"}) builder.node(*builder.find(gpu)).domain = "c.1";
  // The switch of each box now touches one name, so what is left on it belongs there too.
  EXPECT_THAT(domains_of(build(builder)),
              ElementsAre("c.1: h0/gpu0 h0/gpu1 h0/gpu2 h1/gpu0 h1/gpu1 h1/gpu2"));
  builder.node(*builder.find("h0/gpu1")).domain = "c.2";
  EXPECT_THAT(domains_of(build(builder)),
              ElementsAre("c.1: h0/gpu0 h1/gpu0 h1/gpu1 h1/gpu2", "c.2: h0/gpu1", "h0: h0/gpu2"))
      << "of two names a link tells neither";
}

TEST(DomainsTest, MeshesAndIslands) {
  GraphBuilder builder;
  std::vector<NodeIndex> gpus;
  for (int i = 0; i < 6; ++i) {
    gpus.push_back(add(builder, NodeKind::gpu, "h/gpu" + std::to_string(i), "h"));
  }
  builder.join(nvlink(gpus[0], gpus[3]));
  Link xgmi = nvlink(gpus[1], gpus[2]);
  xgmi.kind = LinkKind::xgmi;
  builder.join(xgmi);
  EXPECT_THAT(
      domains_of(build(builder)),
      ElementsAre("h/gpu0: h/gpu0 h/gpu3", "h/gpu1: h/gpu1 h/gpu2", "h/gpu4: h/gpu4 h/gpu5"))
      << "who has no such link reaches the others of its kind in the machine";
}

TEST(DomainsTest, WhatIsDownReachesNobody) {
  GraphBuilder builder = boxes({.boxes = 1, .gpus = 3});
  builder.node(*builder.find("h0/gpu1")).health = Health::down;
  for (Link& link : builder.links()) {
    const NodeIndex gpu2 = *builder.find("h0/gpu2");
    if (link.kind == LinkKind::nvlink && (link.from == gpu2 || link.to == gpu2)) {
      link.health = Health::down;
    }
  }
  const NodeIndex gpu3 = add(builder, NodeKind::gpu, "h0/gpu3", "h0");
  builder.join(nvlink(gpu3, *builder.find("h0/nvswitch")));
  EXPECT_THAT(domains_of(build(builder)),
              ElementsAre("h0/gpu0: h0/gpu0 h0/gpu3", "h0/gpu2: h0/gpu2"));
}

TEST(DomainsTest, ChipsDoNotReachThroughTheCpu) {
  GraphBuilder builder;
  const NodeIndex cpu = add(builder, NodeKind::cpu, "h/cpu0", "h");
  for (const char* host : {"h", "i"}) {
    Link c2c = nvlink(add(builder, NodeKind::gpu, std::string(host) + "/gpu0", host), cpu);
    c2c.kind = LinkKind::c2c;
    builder.join(c2c);
  }
  EXPECT_THAT(domains_of(build(std::move(builder))), ElementsAre("h: h/gpu0", "i: i/gpu0"));
}

TEST(DomainsTest, RanksShareTheirMachine) {
  GraphBuilder builder;
  for (int i = 0; i < 6; ++i) {
    const std::string host = i == 5 ? "" : "h" + std::to_string(i % 2);
    const NodeIndex rank = add(builder, NodeKind::rank, "rank" + std::to_string(i), host);
    if (i == 3) builder.node(rank).domain = "rack2";
  }
  EXPECT_THAT(domains_of(build(builder)),
              ElementsAre("h0: rank0 rank2 rank4", "h1: rank1", "rack2: rank3", "rank5: rank5"));
  builder.join({.from = 1, .to = 5, .kind = LinkKind::shared_memory});
  EXPECT_THAT(domains_of(build(builder)),
              ElementsAre("h0: rank0 rank2 rank4", "rank1: rank1 rank5", "rack2: rank3"));
}

TEST(DomainsTest, NoMembersNoDomains) {
  EXPECT_THAT(find_domains(build(GraphBuilder())), IsEmpty());
  GraphBuilder builder;
  add(builder, NodeKind::spine, "s");
  EXPECT_THAT(find_domains(build(std::move(builder))), IsEmpty());
}

// "2: nic nic / leaf"
std::vector<std::string> rails_of(const Graph& graph) {
  std::vector<std::string> found;
  for (const Rail& rail : find_rails(graph)) {
    std::string text = std::to_string(rail.index) + ":";
    for (const std::string& name : names(graph, rail.nics)) text += " " + name;
    text += " /";
    for (const std::string& name : names(graph, rail.leaves)) text += " " + name;
    found.push_back(text);
  }
  return found;
}

TEST(RailsTest, AsTheyAreSaid) {
  GraphBuilder builder = boxes({.boxes = 2, .gpus = 2, .say_rails = true});
  EXPECT_THAT(rails_of(build(builder)), ElementsAre("0: h0/nic/mlx5_0 h1/nic/mlx5_0 / leaf0",
                                                    "1: h0/nic/mlx5_1 h1/nic/mlx5_1 / leaf1"));
  // Not said of one: it is its leaf's.
  builder.node(*builder.find("h1/nic/mlx5_1")).rail = -1;
  builder.node(*builder.find("leaf1")).rail = -1;
  EXPECT_THAT(rails_of(build(builder)), ElementsAre("0: h0/nic/mlx5_0 h1/nic/mlx5_0 / leaf0",
                                                    "1: h0/nic/mlx5_1 h1/nic/mlx5_1 / leaf1"));
  // A leaf that nobody is plugged into is still there.
  const NodeIndex lonely = add(builder, NodeKind::leaf, "leaf7");
  builder.node(lonely).rail = 7;
  EXPECT_THAT(rails_of(build(builder)).back(), "7: / leaf7");
}

TEST(RailsTest, ByLeafEvenWhereANicIsMissing) {
  GraphBuilder builder;
  std::vector<NodeIndex> leaves;
  for (int pod = 0; pod < 2; ++pod) {
    for (int rail = 0; rail < 3; ++rail) {
      leaves.push_back(add(builder, NodeKind::leaf,
                           "pod" + std::to_string(pod) + "/leaf" + std::to_string(rail)));
    }
  }
  for (int host = 0; host < 6; ++host) {
    const std::string name = "h" + std::to_string(host);
    for (int rail = 0; rail < 3; ++rail) {
      if (host == 1 && rail == 0) continue;
      const NodeIndex nic =
          add(builder, NodeKind::nic, name + "/nic/mlx5_" + std::to_string(rail + 9), name);
      builder.join({.from = nic,
                    .to = leaves[static_cast<size_t>(host / 3 * 3 + rail)],
                    .kind = LinkKind::infiniband});
    }
  }
  EXPECT_THAT(
      rails_of(build(std::move(builder))),
      ElementsAre("0: h0/nic/mlx5_9 h2/nic/mlx5_9 h3/nic/mlx5_9 h4/nic/mlx5_9 h5/nic/mlx5_9 / "
                  "pod0/leaf0 pod1/leaf0",
                  "1: h0/nic/mlx5_10 h1/nic/mlx5_10 h2/nic/mlx5_10 h3/nic/mlx5_10 h4/nic/mlx5_10 "
                  "h5/nic/mlx5_10 / pod0/leaf1 pod1/leaf1",
                  "2: h0/nic/mlx5_11 h1/nic/mlx5_11 h2/nic/mlx5_11 h3/nic/mlx5_11 h4/nic/mlx5_11 "
                  "h5/nic/mlx5_11 / pod0/leaf2 pod1/leaf2"));
}

// Without its leaf, no machine of a pod has a NIC of rail 1: those behind keep their places.
TEST(RailsTest, AMissingLeafDoesNotShiftTheOthers) {
  GraphBuilder builder;
  for (int host = 0; host < 4; ++host) {
    const std::string name = "h" + std::to_string(host);
    for (int rail = 0; rail < 3; ++rail) {
      if (host < 2 && rail == 1) continue;
      const NodeIndex nic =
          add(builder, NodeKind::nic, name + "/nic/mlx5_" + std::to_string(rail), name);
      const auto leaf = builder.find_or_add(
          {.kind = NodeKind::leaf,
           .name = "pod" + std::to_string(host / 2) + "/leaf" + std::to_string(rail)});
      builder.join({.from = nic, .to = *leaf, .kind = LinkKind::infiniband});
    }
  }
  EXPECT_THAT(rails_of(build(std::move(builder))),
              ElementsAre("0: h0/nic/mlx5_0 h1/nic/mlx5_0 h2/nic/mlx5_0 h3/nic/mlx5_0 / pod0/leaf0 "
                          "pod1/leaf0",
                          "1: h2/nic/mlx5_1 h3/nic/mlx5_1 / pod1/leaf1",
                          "2: h0/nic/mlx5_2 h1/nic/mlx5_2 h2/nic/mlx5_2 h3/nic/mlx5_2 / pod0/leaf2 "
                          "pod1/leaf2"));
}

TEST(RailsTest, ByPlaceWhereALeafTakesAllOfAHost) {
  const Graph graph = build(boxes({.boxes = 2, .gpus = 2, .rails = false}));
  EXPECT_THAT(rails_of(graph), ElementsAre("0: h0/nic/mlx5_0 h1/nic/mlx5_0 / leaf0 leaf1",
                                           "1: h0/nic/mlx5_1 h1/nic/mlx5_1 / leaf0 leaf1"));
}

TEST(RailsTest, ByPlaceWhereThereAreNoLeaves) {
  GraphBuilder builder;
  for (const char* name : {"a/nic/eth10", "a/nic/eth9", "b/nic/eth0", "lone"}) {
    add(builder, NodeKind::nic, name);
  }
  EXPECT_THAT(rails_of(build(std::move(builder))),
              ElementsAre("0: a/nic/eth9 b/nic/eth0 lone /", "1: a/nic/eth10 /"));
  EXPECT_THAT(find_rails(build(GraphBuilder())), IsEmpty());
}

// A NIC in the wrong leaf does not make the leaf one of two rails.
TEST(RailsTest, ALeafKeepsTheRailItSays) {
  GraphBuilder builder = boxes({.boxes = 2, .gpus = 2, .say_rails = true});
  for (Link& link : builder.links()) {
    if (link.from == *builder.find("h0/nic/mlx5_0") && link.to == *builder.find("leaf0")) {
      link.to = *builder.find("leaf1");
    }
  }
  EXPECT_THAT(rails_of(build(std::move(builder))),
              ElementsAre("0: h0/nic/mlx5_0 h1/nic/mlx5_0 / leaf0",
                          "1: h0/nic/mlx5_1 h1/nic/mlx5_1 / leaf1"));
}

// Eight racks of 40 to 72 GPUs, 31 leaves of four rails: one is missing, and one machine has two of
// its cables crossed.
TEST(RailsTest, ALiveFabricHasTheRailsItsNamesSay) {
  const auto text = testing::read_test_data("topologies/ibnetdiscover/gb200-8-racks.out");
  if (!text) GTEST_SKIP() << testing::kNoTestData;
  const auto live = read_graph(*text, "ibnetdiscover", {});
  ASSERT_TRUE(live) << live.error().detail;
  std::vector<size_t> sizes;
  for (const Domain& domain : find_domains(*live)) sizes.push_back(domain.members.size());
  std::sort(sizes.begin(), sizes.end());
  EXPECT_THAT(sizes, ElementsAre(40, 44, 56, 60, 64, 68, 72, 72));

  const auto said = find_rails(*live);
  ASSERT_EQ(said.size(), 4u);
  // The names of leaves say it; without them, who is plugged in where tells as much.
  GraphBuilder builder(*live);
  for (NodeIndex i = 0; i < builder.node_count(); ++i) builder.node(i).rail = -1;
  const auto inferred = find_rails(build(std::move(builder)));
  ASSERT_EQ(inferred.size(), 4u);
  size_t leaves = 0;
  for (size_t rail = 0; rail < 4; ++rail) {
    EXPECT_EQ(inferred[rail].leaves, said[rail].leaves) << rail;
    EXPECT_EQ(inferred[rail].nics.size(), said[rail].nics.size()) << rail;
    leaves += said[rail].leaves.size();
  }
  EXPECT_EQ(leaves, 31u);
}

TEST(ReachTest, APairingStandsForThePathUntilThePathIsKnown) {
  GraphBuilder builder;
  const NodeIndex gpu = add(builder, NodeKind::gpu, "h0/gpu0", "h0");
  const NodeIndex nic = add(builder, NodeKind::nic, "h0/nic/mlx5_0", "h0");
  const NodeIndex bridge = add(builder, NodeKind::pcie, "h0/pci/0000:01:00.0", "h0");
  const Link pairing{.from = gpu, .to = nic, .kind = LinkKind::pcie};
  builder.join(pairing);
  builder.join({.from = gpu, .to = bridge, .kind = LinkKind::pcie, .bandwidth = 32'000'000'000});
  GraphBuilder whole = builder;
  const Graph half = build(std::move(builder));
  EXPECT_FALSE(is_mere_pairing(half, pairing));
  whole.join({.from = bridge, .to = nic, .kind = LinkKind::pcie, .bandwidth = 16'000'000'000});
  const Graph graph = build(std::move(whole));
  EXPECT_TRUE(is_mere_pairing(graph, pairing));
  EXPECT_TRUE(is_mere_pairing(graph, {.from = nic, .to = gpu, .kind = LinkKind::pcie}));
  Link known = pairing;
  known.bandwidth = 1;
  EXPECT_FALSE(is_mere_pairing(graph, known));
}

}  // namespace
}  // namespace unirack
