#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "collectives/schedule.h"
#include "collectives/verify.h"
#include "tests/support/plans.h"

namespace unirack {
namespace {

using ::testing::HasSubstr;

constexpr std::string_view kBroadcast =
    R"(unirack schedule 1
collective broadcast
ranks 2
root 0
algorithm direct
flags in_place
sum
chunks 1
stages 1
granule_bytes 64
tile_bytes 0
values 1
lanes 1
scratch_blocks 0
rank 0 lane 0
wait 1 record
copy 0..1 1.output.0@0 <- 0.input.0@0
signal 1 1
copy 0..1 0.output.0@0 <- 0.input.0@0
rank 1 lane 0
wait 0 lane 0 value 1
)";

TEST(ScheduleTextTest, PrintsOneLineAStep) {
  Request request;
  request.collective = Collective::broadcast;
  const auto schedule = broadcast_direct(Topology::of_domains({2}), request, 1);
  ASSERT_TRUE(schedule);
  EXPECT_EQ(to_text(*schedule), kBroadcast);
}

TEST(ScheduleTextTest, WhatIsPrintedParsesToTheSame) {
  for (const Algorithm& algorithm : algorithms()) {
    for (const auto& plan : testing::plans_of(algorithm, {{1}, {3}, {4}, {3, 2}}, {1, 2})) {
      const std::string text = to_text(plan.schedule);
      const auto parsed = schedule_from_text(text);
      ASSERT_TRUE(parsed) << plan.name << ": " << parsed.error().detail;
      EXPECT_EQ(parsed->header(), plan.schedule.header()) << plan.name;
      EXPECT_EQ(parsed->hash(), plan.schedule.hash()) << plan.name;
      EXPECT_EQ(to_text(*parsed), text) << plan.name;
    }
  }
}

TEST(ScheduleTextTest, PoolsOfThousandsAreWrittenAndRead) {
  Request request;
  request.collective = Collective::broadcast;
  const auto schedule = broadcast_knomial(Topology::of_domains({2048}), request, 1, 8);
  ASSERT_TRUE(schedule);
  const auto parsed = schedule_from_text(to_text(*schedule));
  ASSERT_TRUE(parsed) << parsed.error().detail;
  EXPECT_EQ(parsed->hash(), schedule->hash());
  // What every rank has is counted for all of them.
  std::string text(kBroadcast);
  text.replace(text.find("ranks 2"), 7, "ranks 2048");
  text.replace(text.find("scratch_blocks 0"), 16, "scratch_blocks 8193");
  const auto bounded = schedule_from_text(text);
  ASSERT_FALSE(bounded);
  EXPECT_THAT(bounded.error().detail, HasSubstr("and a number from 0 to 8192"));
}

TEST(ScheduleTextTest, CommentsAndEmptyLinesAreSkipped) {
  const auto parsed = schedule_from_text("# by hand\n\n" + std::string(kBroadcast) + "\n# end");
  ASSERT_TRUE(parsed);
  EXPECT_TRUE(verify(*parsed));
}

std::string replaced(std::string_view from, std::string_view to) {
  std::string text(kBroadcast);
  const size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return text.replace(at, from.size(), to);
}

TEST(ScheduleTextTest, ErrorsSayWhereAndWhatWasExpected) {
  struct Case {
    std::string_view from;
    std::string_view to;
    std::string_view error;
  };
  const Case cases[] = {
      {"unirack schedule 1", "unirack schedule 2", "line 1: expected \"unirack schedule 1\""},
      {"collective broadcast", "collective dance", "line 2: expected a collective"},
      {"ranks 2", "ranks 2049", "line 3: expected \"ranks\" and a number from 1 to 2048"},
      {"ranks 2", "ranks -1", "line 3: expected \"ranks\""},
      {"root 0", "root 2", "line 4: expected \"root\" and a number from 0 to 1"},
      {"algorithm direct", "algorithm Direct!", "line 5: expected a name of a-z"},
      {"flags in_place", "flags in_place fast", "line 6: expected flags"},
      {"sum\n", "sum 0,2\n", "line 7: expected groups of ranks"},
      {"chunks 1", "chunks 0", "line 8: expected \"chunks\""},
      {"chunks 1", "chunks 99999999999999999999999", "line 8: expected \"chunks\""},
      {"stages 1", "stages 1 1", "line 9: expected \"stages\""},
      {"values 1\n", "values 16777216\n", "line 12: expected \"values\""},
      {"lanes 1", "lanes 65", "line 13: expected \"lanes\" and a number from 1 to 64"},
      {"scratch_blocks 0", "scratch_blocks 1", "line 15: expected \"scratch\""},
      {"scratch_blocks 0", "scratch_blocks 65537", "and a number from 0 to 65536"},
      {"rank 0 lane 0", "rank 0 lane 1", "line 15: expected \"rank\", a rank"},
      {"rank 1 lane 0", "rank 0 lane 0", "line 20: expected a later rank and lane"},
      {"wait 1 record", "wait 2 record", "line 16: expected a rank below 2"},
      {"wait 1 record", "wait 1 soon", "line 16: expected \"record\", or \"lane\""},
      {"value 1\n", "value 2\n", "line 21: expected \"record\", or \"lane\""},
      {"value 1\n", "value 1 back 0\n", "line 21: expected a number of tiles"},
      {"value 1\n", "value 1 back 1 x\n", "line 21: expected the end of the line"},
      {"signal 1 1", "signal 1 0", "line 18: expected a value from 1 to 1"},
      {"copy 0..1 1", "copy 1..1 1", "line 17: expected parts"},
      {"copy 0..1 1", "copy 0..2 1", "line 17: expected parts"},
      {"<- 0.input.0@0", "", "line 17: expected \"<-\" and sources"},
      {"1.output.0@0", "1.output.1@0", "line 17: expected blocks below 1"},
      {"1.output.0@0", "1.input.0@0", "line 17: expected blocks below 0"},
      {"1.output.0@0", "1.scratch.0@0", "line 17: expected blocks below 0"},
      {"1.output.0@0", "1.output.0", "line 17: expected slices"},
      {"1.output.0@0", "1.kitchen.0@0", "line 17: expected slices"},
      {"signal 1 1", "shout 1 1", "line 18: expected copy, reduce, signal, wait or rank"},
      {"rank 0 lane 0\n", "", "line 15: expected \"rank\", a rank"},
  };
  for (const Case& each : cases) {
    const auto parsed = schedule_from_text(replaced(each.from, each.to));
    ASSERT_FALSE(parsed) << each.to;
    EXPECT_EQ(parsed.code(), Code::invalid_argument);
    EXPECT_THAT(parsed.error().detail, HasSubstr(each.error)) << each.to;
  }
}

TEST(ScheduleTextTest, EveryShorterTextIsAnErrorOrASchedule) {
  for (size_t length = 0; length < kBroadcast.size(); ++length) {
    const auto parsed = schedule_from_text(kBroadcast.substr(0, length));
    if (!parsed) {
      EXPECT_THAT(parsed.error().detail, HasSubstr("expected")) << length;
    }
  }
}

TEST(ScheduleTextTest, LinesAreBounded) {
  std::string text(kBroadcast);
  text += "# " + std::string(70'000, 'x');
  const auto parsed = schedule_from_text(text);
  ASSERT_FALSE(parsed);
  EXPECT_THAT(parsed.error().detail, HasSubstr("line 22: expected at most 65536 characters"));
}

}  // namespace
}  // namespace unirack
