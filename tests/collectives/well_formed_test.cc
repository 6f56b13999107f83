#include "collectives/well_formed.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

#include "collectives/algorithms/algorithms.h"

namespace unirack {
namespace {

using ::testing::HasSubstr;

// Two-shot all-reduce of two ranks with something changed in rank 0's program.
std::string complaint(const std::function<void(ScheduleHeader&, std::vector<Program>&)>& change) {
  Request request;
  request.collective = Collective::all_reduce;
  const auto right = all_reduce_two_shot(Topology::of_domains({2}), request, 1);
  ScheduleHeader header = right->header();
  std::vector<Program> programs = {right->program(0), right->program(1)};
  change(header, programs);
  const auto verdict = check_well_formed(Schedule(header, std::move(programs)));
  return verdict ? "" : verdict.error().detail;
}

std::string with_step(size_t index, const std::function<void(Step&)>& change) {
  return complaint([&](ScheduleHeader&, std::vector<Program>& programs) {
    change(programs[0].lanes[0].steps[index]);
  });
}

// Steps of rank 0: put, signal, wait, reduce, put, signal, wait.
constexpr size_t kPut = 0;
constexpr size_t kSignal = 1;
constexpr size_t kWait = 2;
constexpr size_t kReduce = 3;

TEST(WellFormedTest, NamesWhatDoesNotExist) {
  EXPECT_EQ(with_step(kPut, [](Step&) {}), "");
  EXPECT_THAT(with_step(kWait, [](Step& s) { s.peer = 2; }), HasSubstr("waits for a rank or lane"));
  EXPECT_THAT(with_step(kWait, [](Step& s) { s.peer_lane = 1; }), HasSubstr("waits for a rank"));
  EXPECT_THAT(with_step(kSignal, [](Step& s) { s.peer = -1; }), HasSubstr("signals a rank"));
  EXPECT_THAT(with_step(kSignal, [](Step& s) { s.value.v = 0; }), HasSubstr("outside its tile"));
  EXPECT_THAT(with_step(kSignal, [](Step& s) { s.value.v = 3; }), HasSubstr("outside its tile"));
  EXPECT_THAT(with_step(kPut, [](Step& s) { s.target.rank = 7; }), HasSubstr("names a rank"));
  EXPECT_THAT(with_step(kPut, [](Step& s) { s.target.block = 9; }), HasSubstr("names scratch"));
  EXPECT_THAT(with_step(kReduce, [](Step& s) { s.target.block = 1; }), HasSubstr("names a block"));
  EXPECT_THAT(with_step(kPut, [](Step& s) { s.begin = 2, s.end = 3; }),
              HasSubstr("names a part that does not exist"));
  EXPECT_THAT(with_step(kPut, [](Step& s) { s.end = s.begin; }), HasSubstr("moves no parts"));
  EXPECT_THAT(with_step(kPut, [](Step& s) { s.begin = 0; }), HasSubstr("leaves its scratch block"));
  EXPECT_THAT(with_step(kPut, [](Step& s) { s.end = 5; }), HasSubstr("two data blocks"));
}

TEST(WellFormedTest, NamesMovesThatARankMayNotMake) {
  EXPECT_THAT(with_step(kReduce, [](Step& s) { s.target.buffer = BufferId::input; }),
              HasSubstr("writes an input"));
  EXPECT_THAT(with_step(kReduce, [](Step& s) { s.target.rank = 1; }),
              HasSubstr("reduces nothing, or into another rank"));
  EXPECT_THAT(with_step(kReduce, [](Step& s) { s.sources.count = 0; }),
              HasSubstr("reduces nothing, or into another rank"));
  EXPECT_THAT(with_step(kReduce, [](Step& s) { s.op = Op::copy; }),
              HasSubstr("copies from other than one source"));
  EXPECT_THAT(complaint([](ScheduleHeader&, std::vector<Program>& programs) {
                programs[0].sources[programs[0].lanes[0].steps[kReduce].sources.first].rank = 1;
              }),
              HasSubstr("reduces from a private buffer of rank 1"));
  EXPECT_THAT(complaint([](ScheduleHeader&, std::vector<Program>& programs) {
                programs[0].sources[programs[0].lanes[0].steps[kPut].sources.first].rank = 1;
              }),
              HasSubstr("copies between two other ranks"));
}

TEST(WellFormedTest, PartsLieWhereTheirBlockLies) {
  EXPECT_THAT(with_step(kReduce, [](Step& s) { s.target.origin = 1; }),
              HasSubstr("has the wrong origin for a block"));
  EXPECT_THAT(complaint([](ScheduleHeader&, std::vector<Program>& programs) {
                for (Program& program : programs) program.scratch[0].parts = 2;
                programs[0].lanes[0].steps[kPut].target.origin = 0;
              }),
              HasSubstr("uses one scratch block with two origins"));
  Request request;
  request.collective = Collective::all_gather;
  const auto gather = all_gather_direct(Topology::of_domains({2}), request, 1);
  std::vector<Program> programs = {gather->program(0), gather->program(1)};
  programs[0].lanes[0].steps[0].target.block = 1;
  const auto verdict = check_well_formed(Schedule(gather->header(), std::move(programs)));
  ASSERT_FALSE(verdict);
  EXPECT_THAT(verdict.error().detail, HasSubstr("looks for parts in a block of other data"));
}

TEST(WellFormedTest, ProgramsAndHeaderAgree) {
  using Programs = std::vector<Program>;
  EXPECT_THAT(complaint([](ScheduleHeader&, Programs& p) { p[1].values_per_tile = 9; }),
              HasSubstr("programs differ"));
  EXPECT_THAT(complaint([](ScheduleHeader&, Programs& p) { p[1].scratch.pop_back(); }),
              HasSubstr("programs differ"));
  EXPECT_THAT(complaint([](ScheduleHeader& h, Programs&) { h.sum_groups = {{0}}; }),
              HasSubstr("does not name every rank once"));
  EXPECT_THAT(complaint([](ScheduleHeader& h, Programs&) {
                h.sum_groups = {{0, 0}};
              }),
              HasSubstr("does not name every rank once"));
  EXPECT_THAT(complaint([](ScheduleHeader& h, Programs&) {
                h.sum_groups = {{0, 1}, {}};
              }),
              HasSubstr("is empty"));
  EXPECT_THAT(complaint([](ScheduleHeader& h, Programs&) { h.stages = 0; }),
              HasSubstr("at least one rank, chunk and stage"));
  EXPECT_THAT(
      complaint([](ScheduleHeader& h, Programs&) { h.collective = Collective::all_gather; }),
      HasSubstr("rank 0 lane 0 step"));
}

}  // namespace
}  // namespace unirack
