#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/support/topo_tool.h"

namespace unirack {
namespace {

using ::testing::HasSubstr;
using testing::Ran;
using testing::run_topo;

TEST(TopoBound, SaysTheRateAndWhatLimitsIt) {
  const Ran ran = run_topo({"bound", "dgx-a100:boxes=2", "--collective", "all-gather"});
  EXPECT_EQ(ran.code, 0) << ran.err;
  EXPECT_THAT(ran.out, HasSubstr("all-gather         346.667 GB/s"));
  EXPECT_THAT(ran.out, HasSubstr("GPU box0/gpu0 (one of 16 alike) behind 325 GB/s"));
}

TEST(TopoBound, JsonIsExactAndNamesTheCut) {
  const Ran ran =
      run_topo({"bound", "dgx-a100:boxes=2", "--collective", "all-gather", "--k", "1", "--json"});
  const auto json = nlohmann::json::parse(ran.out, nullptr, false);
  ASSERT_TRUE(json.is_object()) << ran.out;
  ASSERT_EQ(json["bounds"].size(), 2u);
  const auto& bound = json["bounds"][0];
  EXPECT_EQ(bound["collective"], "all-gather");
  EXPECT_EQ(bound["algbw_bytes_per_s_exact"], "1040000000000/3");
  EXPECT_EQ(bound["cut"]["members"], 1);
  EXPECT_EQ(bound["cut"]["links"].size(), 2u);
  EXPECT_EQ(json["bounds"][1]["collective"], "all-gather, k=1");
  EXPECT_NEAR(json["bounds"][1]["algbw_gb_per_s"].get<double>(), 342.857, 0.001);
}

TEST(TopoBound, AllCollectivesByDefaultWithTimes) {
  const Ran ran = run_topo({"bound", "nvl72:racks=2", "--time"});
  for (const char* name :
       {"all-gather", "reduce-scatter", "all-reduce", "broadcast", "reduce ", "all-to-all"}) {
    EXPECT_THAT(ran.out, HasSubstr(name));
  }
  EXPECT_THAT(ran.out, HasSubstr(" ms  "));
}

TEST(TopoBound, TheCutIsInThePicture) {
  const Ran ran =
      run_topo({"bound", "dgx-a100:boxes=2", "--collective", "all-gather", "--svg", "-"});
  EXPECT_THAT(ran.out, HasSubstr("class=\"glow\" d="));
  EXPECT_THAT(ran.out, HasSubstr("all-gather at most 346.667 GB/s"));
}

TEST(TopoBound, TheExactAllToAllStandsBesideItsBounds) {
  const Ran ran =
      run_topo({"bound", "torus:4x4", "--collective", "all-to-all", "--exact", "--json"});
  const auto json = nlohmann::json::parse(ran.out);
  ASSERT_EQ(json["bounds"].size(), 2u);
  EXPECT_EQ(json["bounds"][1]["collective"], "all-to-all, exact");
  // On a torus shortest paths are all there is to say.
  EXPECT_EQ(json["bounds"][1]["algbw_bytes_per_s_exact"],
            json["bounds"][0]["algbw_bytes_per_s_exact"]);
}

TEST(TopoBound, NobodyToBoundIsAnError) {
  const Ran ran = run_topo({"bound", "-"}, R"({"unirack_topology": 1, "nodes": [], "links": []})");
  EXPECT_EQ(ran.code, 3);
  EXPECT_THAT(ran.err, HasSubstr("nobody takes part in a collective"));
}

}  // namespace
}  // namespace unirack
