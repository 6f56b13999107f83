// Each way to be wrong is named. Plans are written by hand, as right ones with one fault.
#include "collectives/verify.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/interleaver.h"

namespace unirack {
namespace {

using ::testing::HasSubstr;
using testing::Interleaving;

ScheduleHeader header_of(Collective collective, int ranks) {
  ScheduleHeader header;
  header.collective = collective;
  header.rank_count = ranks;
  header.algorithm = "by_hand";
  if (is_reduction(collective)) {
    auto& group = header.sum_groups.emplace_back();
    for (Rank rank = 0; rank < ranks; ++rank) group.push_back(rank);
  }
  return header;
}

Slice input(Rank rank) { return {rank, BufferId::input, 0, 0}; }
Slice output(Rank rank) { return {rank, BufferId::output, 0, 0}; }
Slice scratch(Rank rank, uint32_t block = 0) { return {rank, BufferId::scratch, block, 0}; }

constexpr Parts kAll{0, 1};

std::string complaint(Builder builder) {
  const auto verdict = verify(std::move(builder).build());
  return verdict ? "" : verdict.error().detail;
}

// One-shot all-reduce of two ranks, up to the final reduce.
struct OneShot {
  explicit OneShot(uint32_t stages = 2) : builder(with_stages(stages)) {
    builder.scratch(1, Form::user);
  }
  static ScheduleHeader with_stages(uint32_t stages) {
    ScheduleHeader header = header_of(Collective::all_reduce, 2);
    header.stages = stages;
    return header;
  }
  Mark send(Rank rank) {
    builder.copy(rank, 0, kAll, scratch(1 - rank), input(rank));
    return builder.signal(rank, 0, 1 - rank);
  }
  void reduce(Rank rank) {
    const Slice sources[] = {input(rank), scratch(rank)};
    builder.reduce(rank, 0, kAll, output(rank), sources);
  }
  Builder builder;
};

TEST(VerifyTest, AcceptsARightPlan) {
  OneShot plan;
  const Mark marks[] = {plan.send(0), plan.send(1)};
  for (const Rank rank : {0, 1}) {
    plan.builder.wait(rank, 0, marks[1 - rank]);
    plan.reduce(rank);
  }
  EXPECT_EQ(complaint(plan.builder), "");
}

TEST(VerifyTest, ReadBeforeAnythingWasWritten) {
  OneShot plan;
  const Slice sources[] = {input(0), scratch(0)};
  plan.builder.reduce(0, 0, kAll, output(0), sources);
  EXPECT_THAT(complaint(plan.builder), HasSubstr("that nobody has written"));
}

TEST(VerifyTest, RaceOfAPutWithTheReader) {
  OneShot plan;
  const Mark marks[] = {plan.send(0), plan.send(1)};
  plan.builder.wait(0, 0, marks[1]);
  plan.reduce(0);
  plan.reduce(1);  // waits for nothing
  EXPECT_THAT(complaint(plan.builder), HasSubstr("ranks 0 and 1 race for block 0 of rank 1"));
}

TEST(VerifyTest, RaceForAStageWithTheTileBefore) {
  OneShot plan(1);  // one stage, but nothing says that the reader is done with it
  const Mark marks[] = {plan.send(0), plan.send(1)};
  for (const Rank rank : {0, 1}) {
    plan.builder.wait(rank, 0, marks[1 - rank]);
    plan.reduce(rank);
  }
  EXPECT_THAT(complaint(plan.builder), HasSubstr("2 tiles: ranks"));
  EXPECT_THAT(complaint(plan.builder), HasSubstr("race for block 0"));
}

TEST(VerifyTest, WaitForASignalThatNobodySends) {
  OneShot plan;
  const Mark mark = plan.send(0);
  plan.builder.wait(1, 0, mark);
  plan.builder.wait(1, 0, {0, 0, mark.v + 1});
  EXPECT_THAT(complaint(plan.builder), HasSubstr("rank 1 lane 0 step 1 (tile 0) waits for ever"));
}

TEST(VerifyTest, RanksThatWaitForEachOther) {
  OneShot plan;
  for (const Rank rank : {0, 1}) plan.builder.wait(rank, 0, {1 - rank, 0, 1});
  plan.send(0);
  plan.send(1);
  EXPECT_THAT(complaint(plan.builder), HasSubstr("waits for ever"));
}

TEST(VerifyTest, PutIntoAnOutputWithoutTheRecord) {
  Builder builder(header_of(Collective::broadcast, 2));
  builder.copy(0, 0, kAll, output(1), input(0));
  builder.wait(1, 0, builder.signal(0, 0, 1));
  builder.copy(0, 0, kAll, output(0), input(0));
  EXPECT_THAT(complaint(builder), HasSubstr("before that rank is known to have entered"));
}

TEST(VerifyTest, GetWithoutAnExit) {
  Builder builder(header_of(Collective::broadcast, 2));
  builder.wait_record(1, 0, 0);
  builder.copy(1, 0, kAll, output(1), input(0));
  builder.copy(0, 0, kAll, output(0), input(0));
  EXPECT_THAT(complaint(builder),
              HasSubstr("rank 1 may still touch memory of rank 0 after that rank's program"));
}

TEST(VerifyTest, PutThatNobodyWaitsFor) {
  Builder builder(header_of(Collective::broadcast, 2));
  builder.wait_record(0, 0, 1);
  builder.copy(0, 0, kAll, output(1), input(0));
  builder.copy(0, 0, kAll, output(0), input(0));
  EXPECT_THAT(complaint(builder), HasSubstr("rank 0 may still touch memory of rank 1"));
}

TEST(VerifyTest, SumInAnotherOrder) {
  ScheduleHeader header = header_of(Collective::reduce, 3);
  header.stages = 2;
  Builder builder(header);
  builder.scratch(1, Form::user);
  builder.scratch(1, Form::user);
  const uint32_t sum = builder.scratch(1, Form::partial);
  for (const Rank rank : {1, 2}) {
    builder.copy(rank, 0, kAll, scratch(0, static_cast<uint32_t>(rank - 1)), input(rank));
    builder.wait(0, 0, builder.signal(rank, 0, 0));
  }
  const Slice last[] = {scratch(0, 0), scratch(0, 1)};
  builder.reduce(0, 0, kAll, scratch(0, sum), last);  // S adds 0 and 1 first
  const Slice all[] = {input(0), scratch(0, sum)};
  builder.reduce(0, 0, kAll, output(0), all);
  for (const Rank rank : {1, 2}) builder.wait(rank, 0, builder.signal(0, 0, rank), 1);
  EXPECT_THAT(complaint(builder), HasSubstr("in another order than the sum shape's"));
}

TEST(VerifyTest, ContributionCountedTwice) {
  OneShot plan;
  const Mark marks[] = {plan.send(0), plan.send(1)};
  for (const Rank rank : {0, 1}) {
    plan.builder.wait(rank, 0, marks[1 - rank]);
    const Slice sources[] = {input(rank), scratch(rank), scratch(rank)};
    plan.builder.reduce(rank, 0, kAll, output(rank), sources);
  }
  EXPECT_THAT(complaint(plan.builder), HasSubstr("does not hold every contribution exactly once"));
}

TEST(VerifyTest, OutputThatIsNeverWritten) {
  Builder builder(header_of(Collective::broadcast, 2));
  builder.copy(0, 0, kAll, output(0), input(0));
  EXPECT_THAT(complaint(builder), HasSubstr("output block 0 part 0 of rank 1 is never written"));
}

TEST(VerifyTest, OutputOfOtherData) {
  Builder builder(header_of(Collective::broadcast, 1));
  builder.copy(0, 0, kAll, output(0), output(0));
  EXPECT_THAT(complaint(builder), HasSubstr("that nobody has written"));
}

TEST(VerifyTest, FinishedSumReducedAgain) {
  Builder builder(header_of(Collective::all_reduce, 1));
  const Slice once[] = {input(0)};
  const Slice twice[] = {output(0)};
  builder.reduce(0, 0, kAll, output(0), once);
  builder.reduce(0, 0, kAll, output(0), twice);
  EXPECT_THAT(complaint(builder), HasSubstr("reduces a sum that is finished already"));
}

TEST(VerifyTest, RightOnlyOutOfPlace) {
  ScheduleHeader header = header_of(Collective::all_to_all, 2);
  header.in_place = false;
  const auto build = [&] {
    Builder builder(header);
    const auto at = [](Rank rank, BufferId buffer, uint32_t block, uint32_t data) {
      return Slice{rank, buffer, block, data};
    };
    for (const Rank rank : {0, 1}) {
      const auto self = static_cast<uint32_t>(rank);
      const uint32_t peer = 1 - self;
      const uint32_t own = self * 2 + self;
      const uint32_t sent = self * 2 + peer;
      builder.copy(rank, 0, {own, own + 1}, at(rank, BufferId::output, self, own),
                   at(rank, BufferId::input, self, own));
      builder.wait_record(rank, 0, 1 - rank);
      builder.copy(rank, 0, {sent, sent + 1}, at(1 - rank, BufferId::output, self, sent),
                   at(rank, BufferId::input, peer, sent));
    }
    const Mark marks[] = {builder.signal(0, 0, 1), builder.signal(1, 0, 0)};
    for (const Rank rank : {0, 1}) builder.wait(rank, 0, marks[1 - rank]);
    return builder;
  };
  EXPECT_EQ(complaint(build()), "");
  header.in_place = true;
  EXPECT_THAT(complaint(build()), HasSubstr("in place: "));
}

TEST(VerifyTest, ValuesOfALaneRise) {
  Builder builder(header_of(Collective::broadcast, 2));
  builder.wait_record(0, 0, 1);
  builder.copy(0, 0, kAll, output(1), input(0));
  builder.signal(0, 0, 1);
  builder.wait(1, 0, builder.signal(0, 0, 1));
  builder.copy(0, 0, kAll, output(0), input(0));
  const Schedule right = std::move(builder).build();
  EXPECT_TRUE(verify(right));
  std::vector<Program> programs = {right.program(0), right.program(1)};
  std::swap(programs[0].lanes[0].steps[2], programs[0].lanes[0].steps[3]);
  const auto verdict = verify(Schedule(right.header(), std::move(programs)));
  ASSERT_FALSE(verdict);
  EXPECT_THAT(verdict.error().detail, HasSubstr("signals a value that does not rise"));
}

// The interleaver must be able to fail, or it would prove nothing: it finds the fault of a plan
// that the verifier refuses.
TEST(InterleaverTest, FindsAMissingWait) {
  OneShot plan;
  const Mark marks[] = {plan.send(0), plan.send(1)};
  plan.builder.wait(0, 0, marks[1]);
  plan.reduce(0);
  plan.reduce(1);
  const Schedule schedule = std::move(plan.builder).build();
  int wrong = 0;
  for (uint64_t seed = 0; seed < 20; ++seed) {
    Interleaving how;
    how.seed = seed;
    if (!testing::interleave(testing::with_tile_count(schedule, 2, how), how).empty()) ++wrong;
  }
  EXPECT_GT(wrong, 10);
}

}  // namespace
}  // namespace unirack
