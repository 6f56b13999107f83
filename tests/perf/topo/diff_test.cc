#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/support/topo_tool.h"

namespace unirack {
namespace {

using ::testing::HasSubstr;
using testing::Ran;
using testing::run_topo;

TEST(TopoDiff, EqualsCostNothing) {
  const Ran ran = run_topo({"diff", "nvl72", "nvl72"});
  EXPECT_EQ(ran.code, 0) << ran.err;
  EXPECT_THAT(ran.out, HasSubstr("no difference"));
  EXPECT_THAT(ran.out, HasSubstr("unchanged"));
}

TEST(TopoDiff, SaysWhatChangedAndWhatItCosts) {
  const Ran broken = run_topo({"generate", "nvl72:racks=2", "--kill", "nic:0"});
  const Ran ran = run_topo({"diff", "nvl72:racks=2", "-"}, broken.out);
  EXPECT_EQ(ran.code, 1) << ran.err;
  EXPECT_THAT(ran.out, HasSubstr("all-gather     956.643 GB/s ->   906.294 GB/s  -5.26 %"));
  const Ran json = run_topo({"diff", "nvl72:racks=2", "-", "--json"}, broken.out);
  const auto parsed = nlohmann::json::parse(json.out, nullptr, false);
  ASSERT_TRUE(parsed.is_object());
  EXPECT_EQ(parsed["equal"], false);
  EXPECT_FALSE(parsed["nodes"].empty());
  EXPECT_EQ(parsed["bounds"][0]["collective"], "all-gather");
}

TEST(TopoDiff, StandardInputIsOnlyOneOfThem) {
  EXPECT_EQ(run_topo({"diff", "-", "-"}).code, 3);
  EXPECT_EQ(run_topo({"diff", "nvl72"}).code, 3);
}

}  // namespace
}  // namespace unirack
