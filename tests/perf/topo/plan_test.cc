#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <iterator>
#include <nlohmann/json.hpp>
#include <sstream>

#include "tests/support/topo_tool.h"

namespace unirack {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using testing::Ran;
using testing::run_topo;
using ::testing::StartsWith;

nlohmann::json planned(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), "plan");
  arguments.emplace_back("--json");
  const Ran ran = run_topo(arguments);
  EXPECT_EQ(ran.code, 0) << ran.err;
  return nlohmann::json::parse(ran.out, nullptr, false);
}

TEST(TopoPlan, ListsEveryCandidateWithItsPriceAndWhyItLost) {
  const Ran ran = run_topo({"plan", "--size", "1M", "--topology", "dgx-h100"});
  EXPECT_EQ(ran.code, 0) << ran.err;
  EXPECT_THAT(ran.out, StartsWith("all_reduce of 1 MiB of float on generated dgx-h100\n"
                                  "bound 4.078 us: at most 257.143 GB/s: GPU box0/gpu0"));
  for (const char* part :
       {"ratio", "limited by", "why", "two_shot", "chosen", "% slower", "binomial", "ring",
        "changes the bits of float sums", "there is only one domain"}) {
    EXPECT_THAT(ran.out, HasSubstr(part));
  }
}

// The worked example of docs/planning.md, by hand: the call, the copy of a rank's own block, seven
// rounds, and the wait for the last.
TEST(TopoPlan, TheWorkedExampleIsRight) {
  constexpr uint64_t kCall = 1'000'000, kStep = 20'000, kGap = 100'000, kLatency = 600'000;
  constexpr uint64_t kBlock = 1 << 20;
  constexpr uint64_t kCopy = kBlock * 1'000'000 / 800'000;  // at 800 GB/s
  constexpr double kWire = kBlock * 1e6 / 450'000;          // at 450 GB/s
  const auto json = planned({"--collective", "all_gather", "--size", "8M", "--algorithm", "ring"});
  ASSERT_EQ(json["candidates"].size(), 1u);
  const auto& ring = json["candidates"][0];
  const double by_hand = static_cast<double>(kCall + kStep + kCopy) +
                         7 * (static_cast<double>(kStep + kStep + kGap + kLatency) + kWire) +
                         static_cast<double>(kStep);
  EXPECT_NEAR(ring["time_ps"].get<double>(), by_hand, 8);
  EXPECT_EQ(ring["time_ps"].get<uint64_t>() / 1000, 23'841u);
  // All seven blocks at the port's full rate.
  EXPECT_EQ(json["bound"]["time_ps"].get<uint64_t>(), 7 * kBlock * 1'000'000 / 450'000);
  EXPECT_EQ(ring["limit"], "nvswitch > gpu0");
  EXPECT_EQ(ring["limit_percent"], 68);
  // Sent all at once, the blocks need not wait for each other.
  const auto direct =
      planned({"--collective", "all-gather", "--size", "8M", "--algorithm", "direct"});
  const double all_at_once = static_cast<double>(kCall + kStep + kCopy + kStep + kStep + kGap) +
                             7 * kWire + static_cast<double>(kLatency + kStep);
  EXPECT_NEAR(direct["candidates"][0]["time_ps"].get<double>(), all_at_once, 8);
}

// Whatever docs/planning.md shows behind "$ unirack-topo" is what the command prints.
TEST(TopoPlan, TheDocumentShowsWhatIsPrinted) {
  const auto root = std::filesystem::path(__FILE__).parent_path() / ".." / ".." / "..";
  const std::string page = testing::content_of((root / "docs" / "planning.md").string());
  const std::string prompt = "```\n$ unirack-topo ";
  int blocks = 0;
  for (size_t at = page.find(prompt); at != std::string::npos; at = page.find(prompt, at)) {
    at += prompt.size();
    const size_t line = page.find('\n', at);
    std::istringstream words(page.substr(at, line - at));
    const std::vector<std::string> arguments(std::istream_iterator<std::string>(words), {});
    const std::string shown = page.substr(line + 1, page.find("```\n", line) - line - 1);
    EXPECT_EQ(run_topo(arguments).out, shown);
    ++blocks;
  }
  EXPECT_GE(blocks, 1);
}

TEST(TopoPlan, SizesHaveBreakPoints) {
  const auto json = planned({"--sizes", "1K-1G"});
  const auto& ranges = json["ranges"];
  ASSERT_GE(ranges.size(), 2u);
  EXPECT_EQ(ranges.front()["bytes_begin"], 1024);
  EXPECT_EQ(ranges.front()["algorithm"], "one_shot");
  EXPECT_EQ(ranges.back()["algorithm"], "two_shot");
  for (size_t i = 1; i < ranges.size(); ++i) {
    EXPECT_EQ(ranges[i]["bytes_begin"], ranges[i - 1]["bytes_end"]);
  }
  EXPECT_THAT(run_topo({"plan", "--sizes", "1K-64K"}).out, HasSubstr("1 KiB to"));
}

TEST(TopoPlan, WhatIfsAndPoliciesChangeThePlan) {
  const auto chosen = [](const nlohmann::json& json) {
    for (const auto& each : json["candidates"]) {
      if (each["chosen"].get<bool>()) return each["algorithm"].get<std::string>();
    }
    return std::string();
  };
  EXPECT_EQ(chosen(planned({"--size", "1M"})), "two_shot");
  EXPECT_EQ(chosen(planned({"--size", "1M", "--algorithm", "binomial"})), "binomial");
  EXPECT_EQ(chosen(planned({"--size", "1M", "--reassociate", "--algorithm", "ring"})), "ring");
  const auto whole = planned({"--topology", "dgx-h100:boxes=2", "--size", "4M"});
  const auto broken =
      planned({"--topology", "dgx-h100:boxes=2", "--size", "4M", "--kill", "nic:0"});
  EXPECT_LT(whole["candidates"][0]["time_ps"].get<uint64_t>(),
            broken["candidates"][0]["time_ps"].get<uint64_t>());
}

TEST(TopoPlan, TheChosenScheduleCanBeKeptAndProved) {
  const Ran schedule = run_topo({"plan", "--collective", "all_gather", "--output", "-"});
  ASSERT_EQ(schedule.code, 0) << schedule.err;
  EXPECT_THAT(schedule.out, StartsWith("unirack schedule 1\ncollective all_gather\nranks 8\n"));
  EXPECT_EQ(run_topo({"verify", "-"}, schedule.out).code, 0);
}

TEST(TopoPlan, DrawsThePlanOverTimeAndOverTheFabric) {
  const std::string page = testing::temporary_file("plan.html", "");
  const std::string time = testing::temporary_file("plan.svg", "");
  const std::string fabric = testing::temporary_file("fabric.svg", "");
  const Ran ran = run_topo({"plan", "--size", "1M", "--topology", "dgx-h100", "--sizes", "1K-1M",
                            "--html", page, "--svg", time, "--fabric-svg", fabric});
  ASSERT_EQ(ran.code, 0) << ran.err;
  const std::string html = testing::content_of(page);
  EXPECT_THAT(html, StartsWith("<!DOCTYPE html>"));
  EXPECT_THAT(html, HasSubstr("default-src 'none'"));
  EXPECT_THAT(html, Not(HasSubstr("<script")));
  EXPECT_THAT(html, HasSubstr("class=\"timeline\""));
  EXPECT_THAT(html, HasSubstr("class=\"picture\""));
  EXPECT_THAT(html, HasSubstr("A call of 1 MiB, in 1 tile."));
  const std::string timeline = testing::content_of(time);
  for (const char* part : {"t-reduce", "t-flow", "t-critical", "box0/gpu7", "limited by"}) {
    EXPECT_THAT(timeline, HasSubstr(part));
  }
  // Half of the time each port is busy: the middle of the scale.
  EXPECT_THAT(testing::content_of(fabric), HasSubstr("stroke:#e2b13c"));
}

TEST(TopoPlan, BadUsageIsSaid) {
  const auto said = [](std::vector<std::string> more) {
    more.insert(more.begin(), "plan");
    const Ran ran = run_topo(more);
    EXPECT_EQ(ran.code, 3);
    return ran.err;
  };
  EXPECT_THAT(said({"--collective", "frob"}), HasSubstr("'frob' is no collective"));
  EXPECT_THAT(said({"--sizes", "1M"}), HasSubstr("expected FROM-TO, such as 1K-1G"));
  EXPECT_THAT(said({"--root", "8", "--collective", "broadcast"}), HasSubstr("a rank below 8"));
  EXPECT_THAT(said({"--algorithm", "frob"}), HasSubstr("frob"));
  EXPECT_THAT(said({"--costs", "/nonexistent"}), HasSubstr("/nonexistent"));
  EXPECT_THAT(said({"--topology", "-"}), HasSubstr("is of no known format"));
}

}  // namespace
}  // namespace unirack
