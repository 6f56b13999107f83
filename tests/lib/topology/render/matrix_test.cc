#include "lib/topology/render/matrix.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/sample_graphs.h"

namespace unirack {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;

TEST(RenderMatrix, IsThatOfNvidiaSmiWithMore) {
  EXPECT_THAT(render_matrix(testing::sample_machine()),
              StartsWith("box\n"
                         "        gpu0  gpu1  gpu2  gpu3  mlx5_0  mlx5_1  NUMA  rail\n"
                         "gpu0    X     NV6   NV6   NV6   PIX     SYS     0     -\n"
                         "gpu1    NV6   X     NV6   NV6   PIX     SYS     0     -\n"
                         "gpu2    NV6   NV6   X     NV6   SYS     PIX     1     -\n"
                         "gpu3    NV6   NV6   NV6   X     SYS     PIX     1     -\n"
                         "mlx5_0  PIX   PIX   SYS   SYS   X       SYS     0     0\n"
                         "mlx5_1  SYS   SYS   PIX   PIX   SYS     X       1     1\n"));
}

TEST(RenderMatrix, MachinesThatAreAlikeAreOne) {
  const auto all = matrices_of(testing::sample_pool(2, true));
  ASSERT_EQ(all.size(), 2u);
  EXPECT_THAT(all[0].hosts, ElementsAre("r0-tray0", "r0-tray1", "r1-tray1"));
  EXPECT_THAT(all[1].hosts, ElementsAre("r1-tray0"));
  EXPECT_THAT(all[0].domains, ElementsAre("rack0,1", "rack0,1", "", ""));
  EXPECT_THAT(render_matrix(testing::sample_pool(2, true)),
              HasSubstr("r0-tray0 and 2 more  (3 machines)\n"));
}

TEST(RenderMatrix, SaysWhatEachBridgeMeans) {
  GraphBuilder builder;
  const auto add = [&](NodeKind kind, const char* name) {
    Node node;
    node.kind = kind;
    node.name = name;
    node.host = "h";
    return builder.add(node).value();
  };
  const auto join = [&](NodeIndex a, NodeIndex b) {
    Link link;
    link.from = a;
    link.to = b;
    builder.join(link);
  };
  const NodeIndex cpu = add(NodeKind::cpu, "h/cpu0");
  const NodeIndex top = add(NodeKind::pcie, "h/pci/0");
  join(cpu, top);
  for (const char* name : {"h/pci/1", "h/pci/2"}) {
    const NodeIndex bridge = add(NodeKind::pcie, name);
    join(top, bridge);
    join(bridge, add(NodeKind::gpu, (std::string("h/gpu") + name[6]).c_str()));
  }
  const NodeIndex other = add(NodeKind::pcie, "h/pci/3");
  join(cpu, other);
  join(other, add(NodeKind::nic, "h/nic/mlx5_0"));
  const auto all = matrices_of(*std::move(builder).build("test"));
  ASSERT_EQ(all.size(), 1u);
  EXPECT_THAT(all[0].cells[0], ElementsAre("X", "PXB", "PHB"));
}

TEST(RenderMatrix, NothingToShowIsSaid) {
  EXPECT_EQ(render_matrix(*GraphBuilder().build("empty")), "no GPU and no NIC\n");
}

}  // namespace
}  // namespace unirack
