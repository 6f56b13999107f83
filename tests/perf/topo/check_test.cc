#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/support/topo_tool.h"

namespace unirack {
namespace {

using ::testing::HasSubstr;
using testing::Ran;
using testing::run_topo;

TEST(TopoCheck, AHealthyFabricExitsWithZero) {
  const Ran ran = run_topo({"check", "nvl72:racks=2"});
  EXPECT_EQ(ran.code, 0) << ran.out;
  EXPECT_THAT(ran.out, HasSubstr("0 errors, 0 warnings"));
}

TEST(TopoCheck, AFaultIsNamedAndDecidesTheExitCode) {
  const Ran ran = run_topo({"check", "nvl72:racks=2", "--kill", "leaf:0"});
  EXPECT_TRUE(ran.code == 1 || ran.code == 2) << ran.code;
  EXPECT_THAT(ran.out, HasSubstr("leaf-rack0-rail0"));
  const Ran json = run_topo({"check", "nvl72:racks=2", "--kill", "leaf:0", "--json"});
  EXPECT_EQ(json.code, ran.code);
  const auto parsed = nlohmann::json::parse(json.out, nullptr, false);
  ASSERT_TRUE(parsed.is_object());
  EXPECT_FALSE(parsed["findings"].empty());
  EXPECT_EQ(parsed["worst"], ran.code == 2 ? "error" : "warning");
}

TEST(TopoCheck, LooksAtThisMachine) {
  const Ran ran = run_topo({"check", "--all"});
  EXPECT_LE(ran.code, 2) << ran.err;
  EXPECT_THAT(ran.out, HasSubstr("ok "));
}

TEST(TopoCheck, RanksThatOutnumberCpusAreWorthAWarning) {
  const Ran ran = run_topo({"check", "--ranks", "100000"});
  EXPECT_GE(ran.code, 1);
  EXPECT_THAT(ran.out, HasSubstr("100000 ranks"));
}

TEST(TopoCheck, BadInputIsNoFinding) { EXPECT_EQ(run_topo({"check", "/nonexistent/x"}).code, 3); }

}  // namespace
}  // namespace unirack
