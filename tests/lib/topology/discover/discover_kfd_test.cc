#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lib/topology/discover/discover.h"
#include "lib/topology/discover/discover_parts.h"
#include "tests/support/fake_tree.h"

namespace unirack {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using unirack::testing::FakeTree;

void add_node(FakeTree& tree, int index, int simds, int bus) {
  tree.write(fmt::format("/sys/class/kfd/kfd/topology/nodes/{}/properties", index),
             fmt::format("cpu_cores_count {}\nsimd_count {}\ngfx_target_version 90402\n"
                         "location_id {}\ndomain 0\nunique_id 16336014475442738425\n",
                         simds == 0 ? 96 : 0, simds, bus << 8));
}

void add_link(FakeTree& tree, int from, int to, int number, int type, int least, int most) {
  tree.write(
      fmt::format("/sys/class/kfd/kfd/topology/nodes/{}/io_links/{}/properties", from, number),
      fmt::format("type {}\nnode_from {}\nnode_to {}\nmin_bandwidth {}\nmax_bandwidth {}\n", type,
                  from, to, least, most));
}

// A socket and two GPUs with four links between them.
void add_pair(FakeTree& tree) {
  add_node(tree, 0, 0, 0);
  add_node(tree, 1, 880, 0x0c);
  add_node(tree, 2, 880, 0x22);
  add_link(tree, 1, 0, 0, 2, 312, 64000);
  add_link(tree, 1, 2, 1, 11, 50000, 200000);
  add_link(tree, 2, 1, 0, 11, 50000, 200000);
}

TEST(DiscoverKfd, GpusAndTheirLinks) {
  FakeTree tree;
  add_pair(tree);
  Sysfs sysfs(tree.root());
  MachineFacts facts;
  read_kfd(sysfs, facts);
  ASSERT_EQ(facts.amd_gpus.size(), 2u);
  EXPECT_EQ(facts.amd_gpus[0].bus_id, "0000:0c:00.0");
  EXPECT_EQ(facts.amd_gpus[0].architecture, "gfx942");
  ASSERT_EQ(facts.amd_gpus[0].links.size(), 1u) << "PCIe is known from the bus";
  EXPECT_EQ(facts.amd_gpus[0].links[0].bus_id, "0000:22:00.0");
  EXPECT_EQ(facts.amd_gpus[0].links[0].count, 4u);
  EXPECT_EQ(facts.amd_gpus[0].links[0].bandwidth, 50'000'000'000u);
}

TEST(DiscoverKfd, LinksWithoutRates) {
  FakeTree tree;
  add_pair(tree);
  add_link(tree, 1, 2, 1, 11, 0, 0);     // not direct
  add_link(tree, 2, 1, 0, 11, 0, 1000);  // of how many is not known
  Sysfs sysfs(tree.root());
  MachineFacts facts;
  read_kfd(sysfs, facts);
  EXPECT_THAT(facts.amd_gpus[0].links, IsEmpty());
  EXPECT_EQ(facts.amd_gpus[1].links[0].count, 1u);
}

TEST(DiscoverKfd, BecomeLinksOfTheGraph) {
  FakeTree tree;
  add_pair(tree);
  for (const char* bus_id : {"0000:0c:00.0", "0000:22:00.0", "0000:38:00.0"}) {
    tree.add_pci({.path = {"0000:00:01.1", bus_id},
                  .class_code = 0x120000,
                  .vendor = 0x1002,
                  .device = 0x74a1});
  }
  const auto found = discover({.root = tree.root(), .use_hwloc = false, .host = "h"});
  ASSERT_TRUE(found);
  EXPECT_EQ(found->graph.members().size(), 2u);
  EXPECT_THAT(found->notes, ElementsAre(HasSubstr("1 GPUs on the bus are not offered")));
  const NodeIndex gpu = *found->graph.find("h/gpu0");
  EXPECT_EQ(found->graph.node(gpu).attribute("gcn"), "gfx942");
  uint64_t bandwidth = 0;
  for (const LinkIndex each : found->graph.links_from(gpu)) {
    const Link& link = found->graph.link(each);
    if (link.kind == LinkKind::xgmi) bandwidth += link.total_bandwidth();
  }
  EXPECT_EQ(bandwidth, 200'000'000'000u) << "once a direction";
}

}  // namespace
}  // namespace unirack
