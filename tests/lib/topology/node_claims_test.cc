#include "lib/topology/node_claims.h"

#include <gmock/gmock.h>

namespace unirack {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Pair;

TEST(NodeClaims, OneClaimIsTheNode) {
  Node node{.kind = NodeKind::gpu, .name = "g", .rack = "r"};
  node.provenance = Provenance::nvml;
  node.known_by = {{"rack", Provenance::configured}};
  const Node taken = NodeClaims(node).take();
  EXPECT_EQ(taken.rack, "r");
  EXPECT_EQ(taken.provenance, Provenance::nvml);
  EXPECT_THAT(taken.known_by, ElementsAre(Pair("rack", Provenance::configured)));
}

// The rack was only configured, though the node is known by NVML; sysfs knows it better.
TEST(NodeClaims, AFieldIsJudgedByHowItIsKnown) {
  Node node{.kind = NodeKind::gpu, .name = "g", .rack = "a"};
  node.provenance = Provenance::nvml;
  node.known_by = {{"attributes/pci", Provenance::assumed}, {"rack", Provenance::configured}};
  node.set_attribute("pci", "0");
  Node other{.kind = NodeKind::gpu, .name = "g", .rack = "b"};
  other.provenance = Provenance::sysfs;
  other.set_attribute("pci", "1");
  NodeClaims claims(node);
  claims.add(other);
  const Node taken = std::move(claims).take();
  EXPECT_EQ(taken.rack, "b");
  EXPECT_EQ(taken.attribute("pci"), "1");
  EXPECT_THAT(taken.known_by, ElementsAre(Pair("attributes/pci", Provenance::sysfs),
                                          Pair("rack", Provenance::sysfs)));
}

TEST(NodeClaims, OnlyEqualKnowledgeIsCompared) {
  Node best{.kind = NodeKind::gpu, .name = "g", .rail = 1};
  Node worse = best;
  worse.provenance = Provenance::assumed;
  worse.rail = 2;
  Node silent = best;
  silent.rail = -1;
  NodeClaims claims(best);
  std::vector<std::string> reports;
  for (const Node& each : {worse, silent}) claims.add(each);
  for (const Node& each : {best, worse, silent}) {
    claims.compare(each, [&](std::string text) { reports.push_back(std::move(text)); });
  }
  EXPECT_THAT(reports, IsEmpty());
}

}  // namespace
}  // namespace unirack
