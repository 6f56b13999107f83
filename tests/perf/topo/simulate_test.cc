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

std::string text_of(Result<Schedule> (*generate)(const Topology&, const Request&, int),
                    Collective collective, uint32_t ranks) {
  const auto schedule = generate(Topology::of_domains({ranks}), {.collective = collective}, 1);
  return schedule ? to_text(*schedule) : schedule.error().detail;
}

std::string ring() { return text_of(all_gather_ring, Collective::all_gather, 8); }

TEST(TopoSimulate, SaysTimeBoundAndRatio) {
  const Ran ran = run_topo({"simulate", "-", "--size", "8M"}, ring());
  EXPECT_EQ(ran.code, 0) << ran.err;
  EXPECT_THAT(ran.out, HasSubstr("all_gather ring of 8 ranks, 8 MiB of float, 1 tile, on "));
  EXPECT_THAT(ran.out, HasSubstr("bound  16.311 us   at most 514.286 GB/s: "));
  EXPECT_THAT(ran.out, HasSubstr("1 of 8 ranks simulated"));
  EXPECT_THAT(ran.out, HasSubstr("(one of 16 alike)"));
}

TEST(TopoSimulate, JsonIsExact) {
  const Ran ran =
      run_topo({"simulate", "-", "--size", "8M", "--topology", "dgx-h100", "--json"}, ring());
  ASSERT_EQ(ran.code, 0) << ran.err;
  const auto json = nlohmann::json::parse(ran.out);
  EXPECT_EQ(json["bytes"], 8 << 20);
  const auto time_ps = json["time_ps"].get<uint64_t>();
  const auto bound_ps = json["bound"]["time_ps"].get<uint64_t>();
  EXPECT_GT(time_ps, bound_ps);
  EXPECT_NEAR(json["ratio"].get<double>(),
              static_cast<double>(bound_ps) / static_cast<double>(time_ps), 1e-6);
  EXPECT_NEAR(json["algbw_gb_per_s"].get<double>() * 7 / 8, json["busbw_gb_per_s"].get<double>(),
              1e-9);
  uint64_t bytes = 0;
  for (const auto& link : json["links"]) bytes += link["bytes"].get<uint64_t>();
  EXPECT_EQ(bytes, 2u * 8 * 7 << 20) << "7 MiB out of and into each GPU";
}

TEST(TopoSimulate, WhatIfs) {
  const auto time_of = [](const std::vector<std::string>& more) {
    std::vector<std::string> arguments = {"simulate", "-", "--size", "8M", "--json"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    const Ran ran = run_topo(arguments, ring());
    EXPECT_EQ(ran.code, 0) << ran.err;
    const auto json = nlohmann::json::parse(ran.out, nullptr, false);
    return json.is_object() ? json["time_ps"].get<uint64_t>() : 0;
  };
  const uint64_t whole = time_of({});
  EXPECT_EQ(time_of({"--late-rank", "3=20us"}), whole + 20'000'000);
  EXPECT_GT(time_of({"--slow", "gpu3 >=50%"}), whole);
  EXPECT_GT(time_of({"--slow-rank", "3=10%"}), whole);
  EXPECT_NE(time_of({"--tile", "256K"}), whole);
}

TEST(TopoSimulate, TheDeadAreNamed) {
  const Ran rank = run_topo({"simulate", "-", "--kill-rank", "3"}, ring());
  EXPECT_EQ(rank.code, 2);
  EXPECT_THAT(rank.err, HasSubstr("rank 3"));
  EXPECT_THAT(rank.err, HasSubstr("is dead"));
  const Ran link = run_topo({"simulate", "-", "--slow", "gpu3 >=0"}, ring());
  EXPECT_EQ(link.code, 2);
  EXPECT_THAT(link.err, HasSubstr("gpu3"));
}

TEST(TopoSimulate, WritesATraceAndTheCriticalPath) {
  const std::string path = testing::temporary_file("trace.json", "");
  const Ran ran = run_topo({"simulate", "-", "--trace", path, "--critical-path"}, ring());
  ASSERT_EQ(ran.code, 0) << ran.err;
  EXPECT_THAT(ran.out, HasSubstr("CRITICAL PATH"));
  EXPECT_THAT(ran.out, HasSubstr("bytes of put 1 part to 1 over"));
  const auto trace = nlohmann::json::parse(testing::content_of(path), nullptr, false);
  ASSERT_TRUE(trace.is_object());
  EXPECT_GT(trace["traceEvents"].size(), 8u);
}

TEST(TopoSimulate, BadUsageIsSaid) {
  const auto said = [](std::vector<std::string> more) {
    more.insert(more.begin(), {"simulate", "-"});
    const Ran ran = run_topo(more, ring());
    EXPECT_EQ(ran.code, 3);
    return ran.err;
  };
  EXPECT_THAT(said({"--topology", "nvl72"}),
              HasSubstr("has 72 GPUs or ranks, the schedule is for 8"));
  EXPECT_THAT(said({"--type", "frob"}), HasSubstr("'frob' is no type: expected one of int8"));
  EXPECT_THAT(said({"--op", "frob"}), HasSubstr("'frob' is no operation"));
  EXPECT_THAT(said({"--slow", "frob=50%"}), HasSubstr("expected the name of a link"));
  EXPECT_THAT(said({"--slow", "gpu0"}), HasSubstr("expected LINK=PERCENT"));
  EXPECT_THAT(said({"--late-rank", "3=20"}), HasSubstr("expected RANK=TIME"));
  EXPECT_THAT(said({"--kill-rank", "8"}), HasSubstr("expected a rank below 8"));
}

}  // namespace
}  // namespace unirack
