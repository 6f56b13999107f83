#include "lib/topology/render/tree.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "lib/topology/generate/generate.h"
#include "tests/support/sample_graphs.h"

namespace unirack {
namespace {

TEST(RenderTree, ShowsAMachineDownToItsDevices) {
  EXPECT_EQ(render_tree(testing::sample_machine()),
            "1 machine, 4 GPUs, 2 NICs, 2 NUMA nodes, 2 PCIe bridges, 1 NVSwitch, 2 rails; "
            "1 degraded  (a machine)\n"
            "└─ box\n"
            "   ├─ cpu0  SMP 20 GB/s\n"
            "   │  └─ 0000:08:00.0  PCIe 32 GB/s\n"
            "   │     ├─ gpu0,1  (2) Sample 80GB, NVLink 6 x 25 GB/s, PCIe 32 GB/s\n"
            "   │     └─ mlx5_0  rail 0, PCIe 32 GB/s\n"
            "   ├─ cpu1  SMP 20 GB/s\n"
            "   │  └─ 0000:18:00.0  PCIe 32 GB/s\n"
            "   │     ├─ gpu2,3  (2) Sample 80GB, NVLink 6 x 25 GB/s, PCIe 32 GB/s\n"
            "   │     └─ mlx5_1  rail 1, PCIe 16 GB/s of 32 GB/s possible\n"
            "   └─ box/nvswitch  4 GPUs at 6 x 25 GB/s\n");
}

TEST(RenderTree, FoldsWhatIsEqualAndShowsWhatIsNot) {
  EXPECT_EQ(render_tree(testing::sample_pool(3, true), {.ascii = true}),
            "3 racks, 6 machines, 12 GPUs, 11 NICs, 3 NVSwitches, 6 leaves, 2 spines, 2 rails; "
            "2 down  (a pool)\n"
            "|-- rack 0  2 machines, 4 GPUs\n"
            "|   |-- r0-tray0\n"
            "|   |   |-- gpu0,1  (2) NVLink 18 x 50 GB/s\n"
            "|   |   |-- mlx5_0  rail 0, InfiniBand 50 GB/s\n"
            "|   |   `-- mlx5_1  rail 1, InfiniBand 50 GB/s\n"
            "|   |-- r0-tray1\n"
            "|   |   |-- gpu0  NVLink 18 x 50 GB/s\n"
            "|   |   |-- gpu1  NVLink 18 x 50 GB/s, down\n"
            "|   |   |-- mlx5_0  rail 0, InfiniBand 50 GB/s\n"
            "|   |   `-- mlx5_1  rail 1, InfiniBand 50 GB/s\n"
            "|   `-- rack0/nvswitch  4 GPUs at 18 x 50 GB/s\n"
            "|-- rack 1  2 machines, 4 GPUs\n"
            "|   |-- r1-tray0,1  (2)\n"
            "|   |   |-- gpu0,1  (2) NVLink 18 x 50 GB/s\n"
            "|   |   |-- mlx5_0  rail 0, InfiniBand 50 GB/s\n"
            "|   |   `-- mlx5_1  rail 1, InfiniBand 50 GB/s\n"
            "|   `-- rack1/nvswitch  4 GPUs at 18 x 50 GB/s\n"
            "|-- rack 2  2 machines, 4 GPUs\n"
            "|   |-- r2-tray0\n"
            "|   |   |-- gpu0,1  (2) NVLink 18 x 50 GB/s\n"
            "|   |   `-- mlx5_0  rail 0, InfiniBand 50 GB/s\n"
            "|   |-- r2-tray1\n"
            "|   |   |-- gpu0,1  (2) NVLink 18 x 50 GB/s\n"
            "|   |   |-- mlx5_0  rail 0, InfiniBand 50 GB/s\n"
            "|   |   `-- mlx5_1  rail 1, InfiniBand 50 GB/s\n"
            "|   `-- rack2/nvswitch  4 GPUs at 18 x 50 GB/s\n"
            "`-- network\n"
            "    |-- rail 0  3 switches\n"
            "    |   |-- leaf-0,1-0  (2) 2 downlinks (100 GB/s), 4 uplinks (200 GB/s)\n"
            "    |   `-- leaf-2-0  2 downlinks (100 GB/s), 2 uplinks (100 GB/s), 2 failed\n"
            "    |-- rail 1  3 switches\n"
            "    |   |-- leaf-0,1-1  (2) 2 downlinks (100 GB/s), 4 uplinks (200 GB/s)\n"
            "    |   `-- leaf-2-1  1 downlinks (50 GB/s), 4 uplinks (200 GB/s)\n"
            "    `-- spines  2 switches\n"
            "        |-- spine0  12 downlinks (600 GB/s)\n"
            "        `-- spine1  10 downlinks (500 GB/s), 2 failed\n");
}

TEST(RenderTree, ColoursFaultsOnly) {
  const Graph pool = testing::sample_pool(1, true);
  EXPECT_EQ(render_tree(pool).find('\x1b'), std::string::npos);
  EXPECT_NE(render_tree(pool, {.colour = true}).find("\x1b[31;1mgpu1"), std::string::npos);
}

TEST(RenderTree, ALargePoolStaysShort) {
  const auto pool = generate("nvl72:racks=16");
  ASSERT_TRUE(pool) << pool.error().detail;
  const std::string text = render_tree(*pool);
  EXPECT_LT(std::count(text.begin(), text.end(), '\n'), 250);
}

}  // namespace
}  // namespace unirack
