#include "collectives/forest/path_flow.h"

#include <gtest/gtest.h>

namespace unirack {
namespace {

using Names = std::vector<uint32_t>;

TEST(PathFlow, IsTheSmallestCutAndComesApartIntoPaths) {
  // 0 -> 1 -> 3 and 0 -> 2 -> 3, with a bridge that the first search takes the wrong way.
  PathFlow flow(4);
  flow.add(0, 1, 2, 10);
  flow.add(0, 2, 1, 11);
  flow.add(1, 2, 1, 12);
  flow.add(1, 3, 1, 13);
  flow.add(2, 3, 2, 14);
  EXPECT_EQ(flow.raise(0, 3), 3);
  EXPECT_EQ(flow.raise(0, 3), 0);
  int used_bridge = 0;
  for (int i = 0; i < 3; ++i) {
    const Names path = flow.take_path(0, 3);
    ASSERT_GE(path.size(), 2u);
    EXPECT_TRUE(path.front() == 10 || path.front() == 11);
    EXPECT_TRUE(path.back() == 13 || path.back() == 14);
    if (path == Names{10, 12, 14}) ++used_bridge;
  }
  EXPECT_EQ(used_bridge, 1);
  EXPECT_TRUE(flow.take_path(0, 3).empty());
}

TEST(PathFlow, NothingReachesWhatIsNotJoined) {
  PathFlow flow(3);
  flow.add(0, 1, 5, 0);
  EXPECT_EQ(flow.raise(0, 2), 0);
  EXPECT_TRUE(flow.take_path(0, 2).empty());
}

}  // namespace
}  // namespace unirack
