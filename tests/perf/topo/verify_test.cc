#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "collectives/algorithms/algorithms.h"
#include "tests/support/topo_tool.h"

namespace unirack {
namespace {

using ::testing::HasSubstr;
using testing::Ran;
using testing::run_topo;

std::string ring_text(uint32_t ranks) {
  const auto schedule =
      all_reduce_ring(Topology::of_domains({ranks}), {.collective = Collective::all_reduce}, 1);
  return schedule ? to_text(*schedule) : schedule.error().detail;
}

TEST(TopoVerify, ARightScheduleIsRight) {
  const Ran ran = run_topo({"verify", "-"}, ring_text(4));
  EXPECT_EQ(ran.code, 0) << ran.err;
  EXPECT_EQ(ran.out,
            "all_reduce ring of 4 ranks is right, in place too; it sums floats in an order of its "
            "own\n");
}

TEST(TopoVerify, AWrongOneIsSaidWhere) {
  std::string text = ring_text(4);
  const size_t at = text.find("wait 3 lane 0 value 1\n");
  ASSERT_NE(at, std::string::npos) << text;
  text.erase(at, std::string("wait 3 lane 0 value 1\n").size());
  const Ran ran = run_topo({"verify", "-", "--json"}, text);
  EXPECT_EQ(ran.code, 2);
  const auto json = nlohmann::json::parse(ran.out);
  EXPECT_EQ(json["right"], false);
  EXPECT_EQ(json["ranks"], 4);
  EXPECT_THAT(json["why"].get<std::string>(), HasSubstr("rank 0"));
  EXPECT_THAT(run_topo({"verify", "-"}, text).out, HasSubstr("is wrong: schedule ring, 1 tiles"));
}

TEST(TopoVerify, BadInputIsSaid) {
  const Ran other = run_topo({"verify", "-"}, "nonsense");
  EXPECT_EQ(other.code, 3);
  EXPECT_THAT(other.err, HasSubstr("standard input: is no schedule: expected one of schedule"));
  std::string text = ring_text(2);
  text.replace(text.find("ranks 2"), 7, "ranks x");
  EXPECT_THAT(run_topo({"verify", "-"}, text).err,
              HasSubstr("standard input: line 3: expected \"ranks\" and a number"));
  EXPECT_EQ(run_topo({"verify", "/nonexistent/file"}).err,
            "unirack-topo: cannot open /nonexistent/file: No such file or directory\n");
  EXPECT_THAT(run_topo({"verify", "-", "--from", "frob"}, text).err,
              HasSubstr("'frob' cannot be read"));
}

}  // namespace
}  // namespace unirack
