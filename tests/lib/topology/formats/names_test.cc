#include "lib/topology/formats/names.h"

#include <gtest/gtest.h>

namespace unirack {
namespace {

TEST(TopologyNames, NumbersAreCompared) {
  EXPECT_TRUE(natural_less("node2", "node10"));
  EXPECT_FALSE(natural_less("node10", "node2"));
  EXPECT_TRUE(natural_less("a05-c18", "a06-c01"));
  EXPECT_TRUE(natural_less("mlx5_4", "mlx5_10"));
  EXPECT_TRUE(natural_less("node", "node1"));
  EXPECT_FALSE(natural_less("node", "node"));
  EXPECT_TRUE(natural_less("node01", "node1")) << "a total order";
  EXPECT_FALSE(natural_less("node1", "node01"));
  EXPECT_TRUE(natural_less("n99999999999999999999998", "n99999999999999999999999"));
}

TEST(TopologyNames, Shapes) {
  EXPECT_EQ(name_shape("a05-p1-dgx-01-c12"), "a#-p#-dgx-#-c#");
  EXPECT_EQ(name_shape(""), "");
  EXPECT_EQ(name_stem("a05-p1-dgx-01-c12"), "a05-p1-dgx-01-c");
  EXPECT_EQ(name_stem("r2n03-ib"), "r2n");
  EXPECT_EQ(name_stem("17"), "");
  EXPECT_EQ(name_stem("login"), "login");
}

TEST(TopologyNames, WarningsAreBounded) {
  Node node;
  add_warning(node, "line 1: odd");
  add_warning(node, "line 2: odder");
  EXPECT_EQ(node.attribute("warning"), "line 1: odd; line 2: odder");
  for (int i = 0; i < 1000; ++i) add_warning(node, "line 3: on and on");
  EXPECT_LT(node.attribute("warning").size(), 1020u);
  EXPECT_TRUE(node.attribute("warning").ends_with("; and more"));
}

}  // namespace
}  // namespace unirack
