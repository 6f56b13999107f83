#include "lib/base/log.h"

#include <gtest/gtest.h>

#include <vector>

namespace unirack {
namespace {

using Lines = std::vector<std::string>;

Logger::Sink into(Lines& lines) {
  return [&lines](LogLevel, std::string_view line) { lines.emplace_back(line); };
}

TEST(Log, SaysWhoSpeaks) {
  Lines lines;
  const Logger with_rank(LogLevel::info, 3, into(lines));
  const Logger without(LogLevel::info, kNoRank, into(lines));
  with_rank.info(Subsystem::tcp, "connected to rank {} over {} paths", 1, 2);
  with_rank.warn(Subsystem::ctrl, "slow");
  without.error(Subsystem::boot, "refused {}", std::string("1.2.3.4:5"));
  EXPECT_EQ(lines, (Lines{"[rank 3 tcp] connected to rank 1 over 2 paths",
                          "[rank 3 ctrl] warning: slow", "[boot] error: refused 1.2.3.4:5"}));
}

TEST(Log, LevelDecides) {
  Lines lines;
  const Logger quiet(LogLevel::warn, 0, into(lines));
  quiet.info(Subsystem::exec, "unheard");
  quiet.debug(Subsystem::exec, "unheard");
  quiet.warn(Subsystem::exec, "heard");
  EXPECT_EQ(lines.size(), 1u);
  EXPECT_FALSE(Logger(LogLevel::off).enabled(LogLevel::error));
  EXPECT_FALSE(Logger(LogLevel::off).enabled(LogLevel::off));
}

TEST(Log, ControlCharactersCannotForgeLines) {
  Lines lines;
  Logger(LogLevel::info, 0, into(lines)).info(Subsystem::boot, "name {}", "a\n[rank 1 boot] b\x1b");
  EXPECT_EQ(lines, (Lines{"[rank 0 boot] name a?[rank 1 boot] b?"}));
}

TEST(Log, GoesToStandardError) {
  ::testing::internal::CaptureStderr();
  Logger(LogLevel::warn, 2).warn(Subsystem::shm, "{{}} and {}", 5);
  EXPECT_EQ(::testing::internal::GetCapturedStderr(), "[rank 2 shm] warning: {} and 5\n");
}

TEST(Log, LevelNamesRoundTrip) {
  for (const LogLevel level :
       {LogLevel::off, LogLevel::error, LogLevel::warn, LogLevel::info, LogLevel::debug}) {
    EXPECT_EQ(parse_level(level_name(level)), level);
  }
  EXPECT_FALSE(parse_level("verbose"));
}

TEST(RateLimit, HoldsBackAndCounts) {
  RateLimit limit(2, std::chrono::seconds(1));
  const TimePoint start = TimePoint{} + std::chrono::hours(1);
  EXPECT_TRUE(limit.allow(start));
  EXPECT_TRUE(limit.allow(start));
  EXPECT_FALSE(limit.allow(start + milliseconds(999)));
  EXPECT_TRUE(limit.allow(start + milliseconds(1000)));
  EXPECT_EQ(limit.take_suppressed(), 1u);
  EXPECT_EQ(limit.take_suppressed(), 0u);
}

}  // namespace
}  // namespace unirack
