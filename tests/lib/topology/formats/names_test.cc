#include "lib/topology/formats/names.h"

#include <gtest/gtest.h>

namespace unirack {
namespace {

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
