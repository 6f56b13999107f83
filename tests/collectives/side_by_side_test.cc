#include "collectives/side_by_side.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "collectives/algorithms/algorithms.h"

namespace unirack {
namespace {

using ::testing::HasSubstr;

Schedule two_shot() {
  Request request;
  request.collective = Collective::all_reduce;
  return all_reduce_two_shot(Topology::of_domains({2}), request, 1).value();
}

// As ranks of a pool of six know it.
std::vector<Program> programs_at(const std::vector<Rank>& ranks, const Schedule& small) {
  Embedding at{.ranks = ranks, .parts = {0, 1}};
  at.header = small.header();
  at.header.rank_count = 6;
  at.header.chunks = 2;
  at.inputs.assign(2, {Place{BufferId::input, 0, 0}});
  at.outputs.assign(2, {Place{BufferId::output, 0, 0}});
  const Schedule large = embed(small, at).value();
  std::vector<Program> programs;
  for (const Rank rank : ranks) programs.push_back(large.program(rank));
  return programs;
}

// Ranks 5 and 3 do one, ranks 3 and 4 the other: rank 3 sends both its chunks before it waits.
TEST(SideBySideTest, WhatNeedsNoMessageComesFirst) {
  const Schedule small = two_shot();
  SideBySide both(6);
  ASSERT_TRUE(both.add({5, 3}, programs_at({5, 3}, small)));
  ASSERT_TRUE(both.add({3, 4}, programs_at({3, 4}, small)));
  const auto joint = std::move(both).finish();
  ASSERT_EQ(joint.size(), 3U);
  EXPECT_EQ(joint[0].first, 3);
  EXPECT_EQ(joint[1].first, 4);
  EXPECT_EQ(joint[2].first, 5);
  std::string ops;
  std::vector<uint32_t> values;
  for (const Step& step : joint[0].second.lanes[0].steps) {
    ops += "crsw"[static_cast<size_t>(step.op)];
    if (step.op == Op::signal) values.push_back(step.value.v);
  }
  EXPECT_EQ(ops,
            "cscs"
            "wrcs"
            "wrcs"
            "w"
            "w");
  EXPECT_EQ(values, (std::vector<uint32_t>{1, 2, 3, 4}));
  // Rank 4 hears of rank 3's second and fourth message.
  std::vector<uint32_t> awaited;
  for (const Step& step : joint[1].second.lanes[0].steps) {
    if (step.op != Op::wait) continue;
    EXPECT_EQ(step.peer, 3);
    awaited.push_back(step.value.v);
  }
  EXPECT_EQ(awaited, (std::vector<uint32_t>{2, 4}));
}

TEST(SideBySideTest, RefusesWhatItCannotRun) {
  const Schedule small = two_shot();
  SideBySide lanes(2);
  std::vector<Program> two_lanes(2);
  for (Program& program : two_lanes) program.lanes.resize(2);
  EXPECT_THAT(lanes.add({0, 1}, std::move(two_lanes)).error().detail,
              HasSubstr("only schedules of one lane"));
  auto stuck = programs_at({0, 1}, small);
  auto& steps = stuck[0].lanes[0].steps;
  std::erase_if(steps, [](const Step& step) { return step.op == Op::signal; });
  SideBySide silent(2);
  EXPECT_THAT(silent.add({0, 1}, std::move(stuck)).error().detail, HasSubstr("waits for ever"));
}

}  // namespace
}  // namespace unirack
