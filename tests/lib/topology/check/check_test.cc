#include "lib/topology/check/check.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <algorithm>
#include <functional>

#include "lib/topology/formats/formats.h"
#include "lib/topology/generate/generate.h"

namespace unirack {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr uint64_t kGiga = 1'000'000'000;

// Racks of two hosts of two GPUs and two NICs on two rails; each leaf serves one rack and rail and
// has two cables to each of two spines.
class Fabric {
 public:
  explicit Fabric(int racks) {
    for (int spine = 1; spine <= 2; ++spine) add(NodeKind::spine, fmt::format("SPINE-{}", spine));
    for (int rack = 1; rack <= racks; ++rack) add_rack(rack);
  }

  NodeIndex add(NodeKind kind, const std::string& name, const std::string& host = "",
                const std::string& rack = "", int32_t rail = -1) {
    Node node;
    node.kind = kind;
    node.name = name;
    node.host = host;
    node.rack = rack;
    node.rail = rail;
    return builder.add(std::move(node)).value();
  }

  Link& join(NodeIndex from, NodeIndex to, LinkKind kind, uint64_t bandwidth, uint32_t count = 1) {
    builder.join({.from = from, .to = to, .kind = kind, .bandwidth = bandwidth, .count = count});
    return builder.links().back();
  }

  NodeIndex at(const std::string& name) const { return builder.find(name).value(); }

  // The links between two nodes, both ways.
  void change(const std::string& a, const std::string& b, const std::function<void(Link&)>& how) {
    for (Link& link : builder.links()) {
      if ((link.from == at(a) && link.to == at(b)) || (link.from == at(b) && link.to == at(a))) {
        how(link);
      }
    }
  }

  // All that is named so, with its links, stays behind.
  void remove(const std::vector<std::string>& prefixes) {
    GraphBuilder kept;
    std::vector<NodeIndex> moved(builder.node_count(), UINT32_MAX);
    for (NodeIndex i = 0; i < builder.node_count(); ++i) {
      const bool gone = std::any_of(prefixes.begin(), prefixes.end(), [&](const auto& prefix) {
        return builder.node(i).name.starts_with(prefix);
      });
      if (!gone) moved[i] = kept.add(builder.node(i)).value();
    }
    for (Link link : builder.links()) {
      link.from = moved[link.from];
      link.to = moved[link.to];
      if (link.from != UINT32_MAX && link.to != UINT32_MAX) kept.connect(link);
    }
    builder = std::move(kept);
  }

  std::vector<Finding> check() {
    graph = std::move(builder).build("test").value();
    return check_graph(graph);
  }

  std::vector<std::string> names(const Finding& finding) const {
    std::vector<std::string> names;
    for (const NodeIndex node : finding.nodes) names.push_back(graph.node(node).name);
    return names;
  }

  GraphBuilder builder;
  Graph graph;

 private:
  void add_rack(int rack) {
    const std::string name = fmt::format("r{}", rack);
    const NodeIndex nvswitch = add(NodeKind::nvswitch, name + "/nvswitch", "", name);
    for (int rail = 0; rail < 2; ++rail) {
      const NodeIndex leaf =
          add(NodeKind::leaf, fmt::format("LEAF-{:02}-{:02}", rail + 1, rack), "", name, rail);
      for (int spine = 1; spine <= 2; ++spine) {
        join(leaf, at(fmt::format("SPINE-{}", spine)), LinkKind::infiniband, 50 * kGiga, 2);
      }
    }
    for (int tray = 0; tray < 2; ++tray) {
      const std::string host = fmt::format("{}t{}", name, tray);
      for (int i = 0; i < 2; ++i) {
        const NodeIndex gpu = add(NodeKind::gpu, fmt::format("{}/gpu{}", host, i), host, name);
        builder.node(gpu).domain = name;
        join(gpu, nvswitch, LinkKind::nvlink, 50 * kGiga, 18);
        const NodeIndex nic =
            add(NodeKind::nic, fmt::format("{}/nic/mlx5_{}", host, i), host, name, i);
        join(gpu, nic, LinkKind::pcie, 0);
        join(nic, at(fmt::format("LEAF-{:02}-{:02}", i + 1, rack)), LinkKind::infiniband,
             50 * kGiga);
      }
    }
  }
};

std::vector<std::string> kinds(const std::vector<Finding>& findings) {
  std::vector<std::string> kinds;
  for (const Finding& finding : findings) {
    kinds.push_back(fmt::format("{} {}", to_text(finding.severity), finding.name));
  }
  return kinds;
}

TEST(Check, HealthyFabricHasNoFindings) {
  EXPECT_THAT(kinds(Fabric(3).check()), IsEmpty());
  EXPECT_THAT(kinds(Fabric(1).check()), IsEmpty());
  EXPECT_EQ(worst({}), Severity::ok);
  EXPECT_THAT(check_graph(Graph()), IsEmpty());
}

TEST(Check, MissingLeafIsNamedAndExplainsTheNics) {
  Fabric fabric(3);
  fabric.remove({"LEAF-02-03", "r3t0/nic/mlx5_1", "r3t1/nic/mlx5_1"});
  const auto findings = fabric.check();
  ASSERT_THAT(kinds(findings), ElementsAre("error missing_leaf")) << "and no missing NICs besides";
  EXPECT_THAT(findings[0].evidence,
              AllOf(HasSubstr("rack r3 has no leaf of rail 1"), HasSubstr("LEAF-02-03"),
                    HasSubstr("2 other racks"), HasSubstr("2 hosts")));
  EXPECT_THAT(fabric.names(findings[0]),
              ElementsAre("r3t0/gpu0", "r3t0/gpu1", "r3t1/gpu0", "r3t1/gpu1"));
  EXPECT_EQ(worst(findings), Severity::error);
}

TEST(Check, MissingNic) {
  Fabric fabric(3);
  fabric.remove({"r2t1/nic/mlx5_0"});
  const auto findings = fabric.check();
  ASSERT_THAT(kinds(findings), ElementsAre("error missing_nic"));
  EXPECT_THAT(findings[0].evidence, HasSubstr("1 of 6 hosts lack NICs"));
  EXPECT_THAT(findings[0].evidence, HasSubstr("r2t1 (rail 0)"));
}

TEST(Check, NicThatIsDownIsMissingToo) {
  Fabric fabric(3);
  fabric.builder.node(fabric.at("r2t1/nic/mlx5_0")).health = Health::down;
  EXPECT_THAT(kinds(fabric.check()), ElementsAre("error missing_nic", "warning nic_down"));
}

TEST(Check, MissingGpuAndUnequalRacks) {
  Fabric fabric(3);
  fabric.remove({"r2t1/gpu1"});
  const auto findings = fabric.check();
  ASSERT_THAT(kinds(findings), ElementsAre("warning missing_gpu", "info unequal_racks"));
  EXPECT_THAT(findings[0].evidence, HasSubstr("usual 2 GPUs: r2t1 has 1"));
  EXPECT_THAT(findings[1].evidence, HasSubstr("3 racks have 3 to 4 GPUs: r1 4, r2 3, r3 4"));
}

TEST(Check, FailedUplinksAndTheLeafThatNowIsOversubscribed) {
  Fabric fabric(3);
  fabric.change("LEAF-01-01", "SPINE-1", [](Link& link) { link.count = 1; });
  fabric.change("LEAF-02-02", "SPINE-1", [](Link& link) { link.count = 1; });
  fabric.change("LEAF-02-02", "SPINE-2", [](Link& link) { link.health = Health::down; });
  const auto findings = fabric.check();
  ASSERT_THAT(kinds(findings),
              ElementsAre("warning failed_uplinks", "warning oversubscribed_leaf"));
  EXPECT_EQ(findings[0].evidence,
            "2 of 6 leaves have fewer than the usual 4 uplinks: LEAF-01-01 has 3 (1 to SPINE-1), "
            "LEAF-02-02 has 1 (1 to SPINE-1, none to SPINE-2)");
  EXPECT_EQ(findings[1].evidence,
            "1 of 6 leaves carry more to their hosts than to the spines: LEAF-02-02 2 down, 1 up");
  EXPECT_THAT(fabric.names(findings[1]), ElementsAre("LEAF-02-02"));
}

TEST(Check, UplinksInProportionToHostsAreByDesign) {
  Fabric fabric(3);
  for (Link& link : fabric.builder.links()) {
    if (link.count == 2) link.count = 1;  // two hosts, two uplinks
  }
  fabric.remove({"r3t1/"});
  for (const char* leaf : {"LEAF-01-03", "LEAF-02-03"}) {
    fabric.change(leaf, "SPINE-2", [](Link& link) { link.health = Health::down; });
  }
  EXPECT_THAT(kinds(fabric.check()), ElementsAre("info unequal_racks"));
}

TEST(Check, GpuThatIsGoneTakesItsNicAlong) {
  Fabric fabric(3);
  fabric.remove({"r2t1/gpu1", "r2t1/nic/mlx5_1"});
  EXPECT_THAT(kinds(fabric.check()), ElementsAre("warning missing_gpu", "info unequal_racks"));
}

TEST(Check, LeafWithoutAnyUplinkIsAnError) {
  Fabric fabric(3);
  for (const char* spine : {"SPINE-1", "SPINE-2"}) {
    fabric.change("LEAF-01-01", spine, [](Link& link) { link.health = Health::down; });
  }
  EXPECT_THAT(kinds(fabric.check()), ElementsAre("error failed_uplinks"));
}

TEST(Check, OversubscriptionByDesignIsWorthKnowing) {
  Fabric fabric(2);
  for (Link& link : fabric.builder.links()) {
    if (link.count == 2) link.bandwidth = 10 * kGiga;
  }
  const auto findings = fabric.check();
  ASSERT_THAT(kinds(findings), ElementsAre("info oversubscription"));
  EXPECT_THAT(findings[0].evidence, HasSubstr("all 4 leaves"));
}

TEST(Check, SlowAndAsymmetricLinks) {
  Fabric fabric(3);
  fabric.change("r1t0/nic/mlx5_0", "LEAF-01-01", [](Link& link) { link.bandwidth = 25 * kGiga; });
  fabric.change("LEAF-01-02", "SPINE-1", [&](Link& link) {
    if (link.from == fabric.at("SPINE-1")) link.bandwidth = 25 * kGiga;
  });
  const auto findings = fabric.check();
  ASSERT_THAT(kinds(findings), ElementsAre("warning slow_nic", "warning asymmetric_link"));
  EXPECT_THAT(findings[0].evidence, HasSubstr("25 GB/s instead of 50 GB/s"));
  EXPECT_THAT(findings[0].evidence, HasSubstr("r1t0/nic/mlx5_0"));
  EXPECT_EQ(findings[1].evidence,
            "1 link not as fast back as forth: SPINE-1 to LEAF-01-02 50 GB/s, back 100 GB/s");
}

TEST(Check, NvlinksThatAreLost) {
  Fabric fabric(2);
  fabric.change("r1t0/gpu0", "r1/nvswitch", [](Link& link) { link.count = 16; });
  fabric.change("r2t0/gpu1", "r2/nvswitch", [](Link& link) { link.health = Health::down; });
  const auto findings = fabric.check();
  ASSERT_THAT(kinds(findings), ElementsAre("error no_nvlink", "error fewer_nvlinks"));
  EXPECT_THAT(findings[0].evidence, HasSubstr("r2t0/gpu1"));
  EXPECT_EQ(findings[1].evidence, "1 GPU has lost NVLinks: r1t0/gpu0 16 of 18");
}

TEST(Check, WrongClique) {
  Fabric fabric(2);
  fabric.builder.node(fabric.at("r2t1/gpu0")).domain = "uuid.7";
  fabric.builder.node(fabric.at("r1t0/gpu1")).domain = "";
  const auto findings = fabric.check();
  ASSERT_THAT(kinds(findings), ElementsAre("error wrong_clique"));
  EXPECT_THAT(fabric.names(findings[0]), ElementsAre("r1t0/gpu1", "r2t1/gpu0"));
}

TEST(Check, DomainsOfSingleHostsShareARack) {
  Fabric fabric(2);
  for (NodeIndex i = 0; i < fabric.builder.node_count(); ++i) {
    Node& node = fabric.builder.node(i);
    if (node.kind == NodeKind::gpu) node.domain = node.host;
  }
  EXPECT_THAT(kinds(fabric.check()), IsEmpty());
}

TEST(Check, HealthAndAttributesOfGpus) {
  Fabric fabric(2);
  Node& sick = fabric.builder.node(fabric.at("r1t0/gpu0"));
  sick.health = Health::degraded;
  sick.set_attribute("fabric_faults", "degraded bandwidth");
  fabric.builder.node(fabric.at("r1t0/gpu1")).set_attribute("p2p_blocked", "gpu0: chipset");
  fabric.builder.node(fabric.at("r2t0/gpu1")).set_attribute("mig", "7");
  const auto findings = fabric.check();
  ASSERT_THAT(kinds(findings), ElementsAre("warning degraded", "warning p2p_blocked", "info mig"));
  EXPECT_EQ(findings[0].evidence, "degraded (degraded bandwidth): r1t0/gpu0");
  EXPECT_THAT(findings[1].evidence, HasSubstr("gpu0: chipset"));
}

TEST(Check, UnbalancedRails) {
  Fabric fabric(2);
  // Plugged into the other rail: no host lacks a NIC by number.
  fabric.builder.node(fabric.at("r1t0/nic/mlx5_1")).rail = 0;
  EXPECT_THAT(kinds(fabric.check()), ElementsAre("warning unbalanced_rails"));
}

TEST(Check, NamelessAdaptersAreOneFinding) {
  Fabric fabric(2);
  for (int i = 0; i < 40; ++i) fabric.add(NodeKind::nic, fmt::format("nic/{}", i));
  const auto findings = fabric.check();
  ASSERT_THAT(kinds(findings), ElementsAre("info nameless_nic"));
  EXPECT_THAT(findings[0].nodes, SizeIs(40));
  EXPECT_LT(findings[0].evidence.size(), 200u);
}

// One machine: two sockets, the NIC below the first.
struct Machine : Fabric {
  Machine() : Fabric(0) {
    for (int i = 0; i < 2; ++i) {
      const NodeIndex cpu = add(NodeKind::cpu, fmt::format("h/cpu{}", i), "h");
      const NodeIndex gpu = add(NodeKind::gpu, fmt::format("h/gpu{}", i), "h");
      join(gpu, cpu, LinkKind::pcie, 64 * kGiga);
    }
    const NodeIndex nic = add(NodeKind::nic, "h/nic/mlx5_0", "h");
    builder.node(nic).set_attribute("rdma", "yes");
    join(nic, at("h/cpu0"), LinkKind::pcie, 64 * kGiga);
  }
};

TEST(Check, NicOnTheOtherSocket) {
  Machine machine;
  const auto findings = machine.check();
  ASSERT_THAT(kinds(findings), ElementsAre("info nic_on_other_numa")) << "one NIC, two sockets";
  EXPECT_THAT(machine.names(findings[0]), ElementsAre("h/gpu1"));
}

TEST(Check, BothNicsOnTheOtherSocket) {
  Machine machine;
  const NodeIndex nic = machine.add(NodeKind::nic, "h/nic/mlx5_1", "h");
  machine.join(nic, machine.at("h/cpu0"), LinkKind::pcie, 64 * kGiga);
  EXPECT_THAT(kinds(machine.check()), ElementsAre("warning nic_on_other_numa"));
}

TEST(Check, TrainedBelowWhatItCan) {
  Machine machine;
  machine.remove({"h/gpu1", "h/cpu1"});
  machine.change("h/nic/mlx5_0", "h/cpu0", [](Link& link) { link.capable = 2 * link.bandwidth; });
  machine.change("h/gpu0", "h/cpu0", [](Link& link) { link.capable = 4 * link.bandwidth; });
  machine.builder.node(machine.at("h/gpu0"))
      .set_attribute("pcie", "2.5 GT/s x16, possible 16 GT/s x16");
  const auto findings = machine.check();
  ASSERT_THAT(kinds(findings), ElementsAre("warning trained_down", "info pcie_slowed"));
  EXPECT_EQ(findings[0].evidence, "1 pcie link has 64 GB/s, could have 128 GB/s: h/nic/mlx5_0");
  EXPECT_THAT(findings[1].advice, HasSubstr("idle"));
}

TEST(Check, CablesInLeavesOfOtherRailsAreNamed) {
  Fabric fabric(0);
  fabric.builder = GraphBuilder(generate("nvl72:racks=2").value());
  const auto swap_leaves = [&](NodeIndex& end) {
    const NodeIndex two = fabric.at("leaf-rack0-rail2");
    const NodeIndex three = fabric.at("leaf-rack0-rail3");
    if (end == two || end == three) end = end == two ? three : two;
  };
  for (Link& link : fabric.builder.links()) {
    if (fabric.builder.node(link.from).host == "rack0-tray00") swap_leaves(link.to);
    if (fabric.builder.node(link.to).host == "rack0-tray00") swap_leaves(link.from);
  }
  const auto findings = fabric.check();
  ASSERT_THAT(kinds(findings), ElementsAre("warning crossed_cables"));
  EXPECT_EQ(findings[0].evidence,
            "2 NICs in leaves of other rails: rack0-tray00/nic/mlx5_2 of rail 2 in "
            "leaf-rack0-rail3 of rail 3, rack0-tray00/nic/mlx5_3 of rail 3 in leaf-rack0-rail2 of "
            "rail 2");
}

TEST(Check, LiveFabricOfEightRacks) {
  const char* data = getenv("UNIRACK_TEST_DATA");
  if (data == nullptr) GTEST_SKIP() << "needs UNIRACK_TEST_DATA";
  const auto graph =
      read_graph_file(std::string(data) + "/topologies/ibnetdiscover/gb200-8-racks.out", "", {});
  ASSERT_TRUE(graph) << graph.error().to_string();
  const auto findings = check_graph(*graph);
  ASSERT_THAT(kinds(findings), ElementsAre("error missing_leaf", "warning failed_uplinks",
                                           "warning oversubscribed_leaf", "warning crossed_cables",
                                           "info nameless_nic", "info unequal_racks"));
  EXPECT_THAT(findings[0].evidence,
              AllOf(HasSubstr("rail 2"), HasSubstr("IBLEAF-03-01"), HasSubstr("10 hosts")));
  EXPECT_THAT(findings[1].nodes, SizeIs(12));
  EXPECT_THAT(
      findings[1].evidence,
      HasSubstr("IBLEAF-01-02 has 14 (none to A10-P1-IBSPINE-01, none to A10-P1-IBSPINE-04)"));
  EXPECT_THAT(findings[2].nodes, SizeIs(6));
  for (const char* pair :
       {"18 down, 15 up", "18 down, 16 up", "17 down, 16 up", "16 down, 15 up"}) {
    EXPECT_THAT(findings[2].evidence, HasSubstr(pair));
  }
}

}  // namespace
}  // namespace unirack
