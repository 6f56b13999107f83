#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "collectives/algorithms/algorithms.h"
#include "collectives/verify.h"

namespace unirack {
namespace {

using ::testing::HasSubstr;

constexpr Place kOutput{BufferId::output, 0, 0};
constexpr Place kInput{BufferId::input, 0, 0};

Schedule make(Result<Schedule> (*generator)(const Topology&, const Request&, int),
              Collective collective, uint32_t ranks, Rank root = 0) {
  Request request;
  request.collective = collective;
  request.root = root;
  return generator(Topology::of_domains({ranks}), request, 1).value();
}

ScheduleHeader broadcast_header(int ranks) {
  ScheduleHeader header;
  header.collective = Collective::broadcast;
  header.rank_count = ranks;
  header.algorithm = "composed";
  return header;
}

// A broadcast from the first of `ranks`.
Embedding hop(int all, std::vector<Rank> ranks, Place from) {
  Embedding at;
  at.header = broadcast_header(all);
  at.inputs.assign(ranks.size(), {from});
  at.outputs.assign(ranks.size(), {kOutput});
  at.ranks = std::move(ranks);
  at.parts = {0};
  return at;
}

TEST(EmbedTest, RenamesRanksAndLeavesOthersIdle) {
  const Schedule small = make(broadcast_direct, Collective::broadcast, 2);
  const auto large = embed(small, hop(4, {3, 1}, kInput));
  ASSERT_TRUE(large);
  EXPECT_TRUE(large->program_view(0).lanes[0].steps.empty());
  const auto& steps = large->program_view(3).lanes[0].steps;
  ASSERT_EQ(steps.size(), small.program_view(0).lanes[0].steps.size());
  EXPECT_EQ(steps[0].peer, 1);
  EXPECT_EQ(steps[1].target, (Slice{1, BufferId::output, 0, 0}));
  EXPECT_EQ(large->program_view(1).lanes[0].steps[0].peer, 3);
}

TEST(EmbedTest, DropsCopiesOntoThemselves) {
  const Schedule small = make(broadcast_direct, Collective::broadcast, 2);
  const auto large = embed(small, hop(2, {0, 1}, kOutput));
  ASSERT_TRUE(large);
  EXPECT_EQ(large->program_view(0).lanes[0].steps.size(),
            small.program_view(0).lanes[0].steps.size() - 1);
}

TEST(EmbedTest, SplitsRunsWhosePartsLieApart) {
  const Schedule small = refine(make(broadcast_direct, Collective::broadcast, 2), 3);
  Embedding at = hop(2, {0, 1}, kInput);
  at.header.chunks = 6;
  at.parts = {0, 1, 4};
  const auto large = embed(small, at);
  ASSERT_TRUE(large);
  const auto& steps = large->program_view(0).lanes[0].steps;
  EXPECT_EQ(steps[1].begin, 0U);
  EXPECT_EQ(steps[1].end, 2U);
  EXPECT_EQ(steps[2].begin, 4U);
  EXPECT_EQ(steps[2].end, 5U);
}

TEST(EmbedTest, ScratchIsAddedAndSharedAndTakesTheFormOfTheInputs) {
  const Schedule small = make(reduce_direct, Collective::reduce, 3);
  Embedding at;
  at.header = make(reduce_direct, Collective::reduce, 4).header();
  at.scratch = {{1, Form::user}, {1, Form::partial}};
  at.scratch_at = 1;
  at.input_form = Form::partial;
  at.ranks = {0, 1, 2};
  at.parts = {0};
  at.inputs.assign(3, {Place{BufferId::scratch, 0, 0}});
  at.outputs.assign(3, {kOutput});
  const auto large = embed(small, at);
  ASSERT_TRUE(large);
  const std::vector<ScratchBlock> joint = {{1, Form::user}, {1, Form::partial}, {1, Form::partial}};
  EXPECT_EQ(large->program_view(3).scratch, joint);
  at.scratch[1].form = Form::user;
  EXPECT_THAT(embed(small, at).error().detail, HasSubstr("shared scratch differs in form"));
  at.scratch_at = 3;
  EXPECT_THAT(embed(small, at).error().detail, HasSubstr("gap in the scratch"));
}

TEST(EmbedTest, RefusesWhatHasNoPlace) {
  const Schedule small = make(broadcast_direct, Collective::broadcast, 2);
  Embedding at = hop(3, {0, 1}, kInput);
  at.parts = {};
  EXPECT_THAT(embed(small, at).error().detail, HasSubstr("not every part has a new name"));
  at = hop(3, {0}, kInput);
  EXPECT_THAT(embed(small, at).error().detail, HasSubstr("not every rank has a new name"));
  at = hop(3, {0, 1}, kInput);
  at.outputs.pop_back();
  EXPECT_THAT(embed(small, at).error().detail, HasSubstr("a block has no place"));
}

TEST(EmbedTest, RefusesToTearScratch) {
  const Schedule small = refine(make(all_reduce_one_shot, Collective::all_reduce, 2), 2);
  Embedding at;
  at.header = small.header();
  at.header.chunks = 4;
  at.ranks = {0, 1};
  at.parts = {0, 2};
  at.inputs.assign(2, {kInput});
  at.outputs.assign(2, {kOutput});
  EXPECT_THAT(embed(small, at).error().detail, HasSubstr("a scratch block is torn apart"));
  at.parts = {2, 3};
  EXPECT_TRUE(embed(small, at));
}

TEST(ThenTest, RecordsBecomeSignalsOfThoseWhoWorkedBefore) {
  const Schedule small = make(broadcast_direct, Collective::broadcast, 2);
  const auto first = embed(small, hop(3, {0, 1}, kInput));
  const auto second = embed(small, hop(3, {1, 2}, kOutput));
  ASSERT_TRUE(first && second);
  const auto chain = then(*first, *second);
  ASSERT_TRUE(chain);
  EXPECT_TRUE(verify(*chain));
  // Rank 2 had no work before: its record still says all.
  const auto& steps = chain->program_view(1).lanes[0].steps;
  EXPECT_EQ(steps[1].op, Op::wait);
  EXPECT_EQ(steps[1].peer, 2);
  EXPECT_EQ(steps[1].value.v, 0U);
  // Rank 0 has: rank 1, who puts into it next, waits for a signal instead.
  const auto third = embed(small, hop(3, {1, 0}, kOutput));
  const auto back = then(*chain, *third);
  ASSERT_TRUE(back);
  EXPECT_TRUE(verify(*back)) << verify(*back).error().detail;
  const auto& again = back->program_view(1).lanes[0].steps;
  EXPECT_EQ(again[steps.size()].op, Op::wait);
  EXPECT_EQ(again[steps.size()].peer, 0);
  EXPECT_GT(again[steps.size()].value.v, 0U);
}

TEST(ThenTest, RefusesSchedulesOfDifferentShape) {
  const Schedule two = make(broadcast_direct, Collective::broadcast, 2);
  const Schedule three = make(broadcast_direct, Collective::broadcast, 3);
  EXPECT_THAT(then(two, three).error().detail, HasSubstr("different shape"));
  EXPECT_THAT(then(two, refine(two, 2)).error().detail, HasSubstr("different shape"));
  const Schedule sum = make(reduce_direct, Collective::reduce, 2);
  EXPECT_THAT(then(sum, two).error().detail, HasSubstr("must keep the scratch"));
}

// Adding one after the other gives what embedding and appending gives.
TEST(ComposerTest, AddsAsThenDoes) {
  const Schedule small = make(broadcast_direct, Collective::broadcast, 2);
  const std::vector<Embedding> hops = {hop(3, {0, 1}, kInput), hop(3, {1, 2}, kOutput),
                                       hop(3, {1, 0}, kOutput), hop(3, {2, 1}, kOutput)};
  Composer composer(broadcast_header(3), {});
  auto chain = embed(small, hops[0]);
  ASSERT_TRUE(composer.add(small, hops[0]));
  for (size_t i = 1; i < hops.size(); ++i) {
    chain = then(*chain, *embed(small, hops[i]));
    ASSERT_TRUE(chain);
    ASSERT_TRUE(composer.add(small, hops[i]));
  }
  EXPECT_EQ(std::move(composer).finish().hash(), chain->hash());
}

TEST(ComposerTest, SharesAndGrowsScratch) {
  const Schedule small = make(reduce_direct, Collective::reduce, 2);
  Composer composer(make(reduce_direct, Collective::reduce, 4).header(), {{1, Form::partial}});
  Embedding at{.scratch_at = 1, .ranks = {0, 1}, .parts = {0}};
  at.inputs.assign(2, {kInput});
  at.outputs.assign(2, {Place{BufferId::scratch, 0, 0}});
  ASSERT_TRUE(composer.add(small, at));
  at.ranks = {2, 3};
  ASSERT_TRUE(composer.add(small, at));
  EXPECT_EQ(composer.scratch_count(), 2U);
  at.ranks = {0, 2};
  at.scratch_at = 2;
  at.input_form = Form::partial;
  at.inputs.assign(2, {Place{BufferId::scratch, 0, 0}});
  at.outputs.assign(2, {kOutput});
  ASSERT_TRUE(composer.add(small, at));
  const Schedule whole = std::move(composer).finish();
  ScheduleHeader header = whole.header();
  header.stages = 2;
  std::vector<Program> programs;
  for (Rank rank = 0; rank < 4; ++rank) programs.push_back(whole.program(rank));
  const auto verdict = verify(Schedule(header, std::move(programs)));
  EXPECT_TRUE(verdict) << verdict.error().detail;
  EXPECT_EQ(whole.program_view(3).scratch.size(), 3U);
}

TEST(StripeTest, EachLaneHasItsShareAndItsScratch) {
  const Schedule one = make(all_reduce_two_shot, Collective::all_reduce, 3);
  const Schedule two = stripe(one, 2);
  EXPECT_EQ(two.header().chunks, 2 * one.header().chunks);
  EXPECT_EQ(two.program_view(0).lanes.size(), 2U);
  EXPECT_EQ(two.program_view(0).scratch.size(), 2 * one.program_view(0).scratch.size());
  EXPECT_TRUE(verify(two));
  EXPECT_EQ(stripe(one, 1).hash(), one.hash());
}

TEST(StripeTest, StaggeredLanesWaitForTheFirstArrivalsOfTheOneBefore) {
  const Schedule one = make(all_reduce_two_shot, Collective::all_reduce, 3);
  const Schedule three = stripe_staggered(one, 3);
  EXPECT_TRUE(verify(three));
  for (Rank rank = 0; rank < 3; ++rank) {
    const auto& lanes = three.program_view(rank).lanes;
    EXPECT_EQ(lanes[0].steps.size(), one.program_view(rank).lanes[0].steps.size());
    for (size_t lane = 1; lane < 3; ++lane) {
      // Two peers' chunks.
      ASSERT_EQ(lanes[lane].steps.size(), lanes[0].steps.size() + 2);
      for (size_t i = 0; i < 2; ++i) {
        EXPECT_EQ(lanes[lane].steps[i].op, Op::wait);
        EXPECT_EQ(lanes[lane].steps[i].peer_lane, lane - 1);
        EXPECT_EQ(lanes[lane].steps[i].value.v, 0U + lanes[lane].steps[i + 6].value.v);
      }
    }
  }
  EXPECT_EQ(stripe_staggered(one, 1).hash(), one.hash());
}

TEST(RefineTest, SamePlanInSmallerPieces) {
  const Schedule one = make(all_reduce_two_shot, Collective::all_reduce, 3);
  const Schedule fine = refine(one, 4);
  EXPECT_EQ(fine.header().chunks, 4 * one.header().chunks);
  EXPECT_EQ(fine.step_count(), one.step_count());
  EXPECT_TRUE(verify(fine));
}

}  // namespace
}  // namespace unirack
