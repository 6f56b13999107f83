#include "collectives/formats/msccl_schedule.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "collectives/formats/schedule_formats.h"
#include "collectives/verify.h"
#include "tests/support/msccl_files.h"

namespace unirack {
namespace {

using ::testing::HasSubstr;

std::string verdict(const Schedule& schedule) {
  const auto proven = verify(schedule);
  return proven ? "right" : proven.error().detail;
}

// Reads, proves, and is the same after a round through our text.
Schedule imported(const std::string& text) {
  auto schedule = schedule_from_msccl_xml(text);
  EXPECT_TRUE(schedule) << schedule.error().detail;
  if (!schedule) return Schedule({}, {Program{}});
  EXPECT_EQ(verdict(*schedule), "right") << to_text(*schedule);
  const auto again = schedule_from_text(to_text(*schedule));
  EXPECT_TRUE(again && again->hash() == schedule->hash());
  return std::move(schedule).value();
}

std::string complaint(const std::string& text) {
  const auto schedule = schedule_from_msccl_xml(text);
  return schedule ? "" : schedule.error().detail;
}

std::string changed(std::string text, const std::string& from, const std::string& to) {
  const size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return at == std::string::npos ? text : text.replace(at, from.size(), to);
}

TEST(MscclSchedule, RingsAreProved) {
  for (const int gpus : {2, 3, 4, 8}) {
    const Schedule ring = imported(testing::msccl_ring_all_reduce(gpus));
    EXPECT_EQ(ring.header().rank_count, gpus);
    EXPECT_EQ(ring.header().chunks, static_cast<uint32_t>(gpus));
    EXPECT_EQ(ring.header().collective, Collective::all_reduce);
    EXPECT_TRUE(ring.header().in_place);
    EXPECT_EQ(ring.header().reassociates, gpus > 2);
    EXPECT_EQ(ring.header().algorithm, "test_allreduce");
  }
}

TEST(MscclSchedule, ChannelsAreLanes) {
  const Schedule ring = imported(testing::msccl_ring_all_reduce(4, 3));
  EXPECT_EQ(ring.program_view(0).lanes.size(), 3u);
  EXPECT_TRUE(ring.header().in_place);
}

TEST(MscclSchedule, AllPairsAreProved) {
  for (const int gpus : {2, 3, 4, 8}) {
    const Schedule pairs = imported(testing::msccl_all_pairs_all_reduce(gpus));
    EXPECT_TRUE(pairs.header().in_place);
    // Everything is added at once: own input and what came from each other.
    const Program& program = pairs.program_view(0);
    uint32_t widest = 0;
    for (const Step& step : program.lanes[0].steps) {
      if (step.op == Op::reduce) widest = std::max(widest, step.sources.count);
    }
    EXPECT_EQ(widest, static_cast<uint32_t>(gpus));
  }
}

TEST(MscclSchedule, HierarchiesAreProved) {
  for (const int locals : {2, 4}) {
    const Schedule schedule = imported(testing::msccl_hierarchical_all_reduce(locals));
    EXPECT_EQ(schedule.header().rank_count, 2 * locals);
    EXPECT_TRUE(schedule.header().in_place);
  }
}

TEST(MscclSchedule, GathersAndExchangesAreProved) {
  for (const int gpus : {2, 3, 5}) {
    EXPECT_TRUE(imported(testing::msccl_ring_all_gather(gpus, true)).header().in_place);
    EXPECT_FALSE(imported(testing::msccl_ring_all_gather(gpus, false)).header().in_place);
    EXPECT_FALSE(imported(testing::msccl_all_to_all(gpus)).header().in_place);
  }
}

// What lies in scratch while it is sent on may be written again only when it is known to have left.
TEST(MscclSchedule, RelaysThroughScratchAreSafe) {
  EXPECT_EQ(imported(testing::msccl_relayed_all_gather(2)).header().stages, 2u);
  for (const int gpus : {3, 4}) {
    EXPECT_EQ(imported(testing::msccl_relayed_all_gather(gpus)).header().stages, 3u);
  }
}

TEST(MscclSchedule, MissingDependencesAreRaces) {
  // The first block adds what the second has received without waiting for it.
  const std::string text = changed(testing::msccl_all_pairs_all_reduce(3), "depid=\"1\" deps=\"1\"",
                                   "depid=\"-1\" deps=\"-1\"");
  EXPECT_THAT(complaint(text),
              HasSubstr("expected a dependence between it and tb 1 step 1, which touches s 2 too: "
                        "they race"));
  EXPECT_THAT(complaint(text), HasSubstr("line 8, gpu 0, tb 0, step 4: "));
}

TEST(MscclSchedule, WhoWaitsForEverIsNamed) {
  const std::string ring = testing::msccl_ring_all_reduce(3);
  EXPECT_THAT(complaint(changed(ring, "type=\"s\"", "type=\"nop\"")),
              HasSubstr("waits for ever: gpu 0 sends too little over channel 0"));
  const std::string pairs = testing::msccl_all_pairs_all_reduce(3);
  EXPECT_THAT(complaint(changed(pairs, "depid=\"0\" deps=\"4\"", "depid=\"0\" deps=\"5\"")),
              HasSubstr("waits for ever: tb 0 never announces step 5 or a later one"));
  EXPECT_THAT(complaint(changed(ring, "type=\"r\"", "type=\"nop\"")),
              HasSubstr("gpu 2 sends more to gpu 0 over channel 0 than is received"));
}

TEST(MscclSchedule, WrongSumsAreRefusedOrNotProved) {
  const std::string ring = testing::msccl_ring_all_reduce(3);
  // The wrong share: what arrives is another part of the vector.
  EXPECT_THAT(complaint(changed(ring, "type=\"rrs\" srcbuf=\"i\" srcoff=\"2\"",
                                "type=\"rrs\" srcbuf=\"i\" srcoff=\"1\"")),
              HasSubstr("expected two chunks of one place in the vector, found 2 and 1"));
  // Nothing is added: the outputs lack a contribution.
  const std::string lacking = changed(ring, "type=\"rrs\"", "type=\"rcs\"");
  const auto schedule = schedule_from_msccl_xml(lacking);
  if (schedule) {
    EXPECT_THAT(verdict(*schedule), ::testing::Not("right"));
  } else {
    EXPECT_THAT(schedule.error().detail, HasSubstr("line "));
  }
}

TEST(MscclSchedule, BadFilesAreAnsweredWithLineAndElement) {
  const std::string ring = testing::msccl_ring_all_reduce(2);
  const auto said = [&](const std::string& from, const std::string& to) {
    return complaint(changed(ring, from, to));
  };
  EXPECT_THAT(said("coll=\"allreduce\"", "coll=\"frob\""),
              HasSubstr("line 1, <algo>: expected allreduce, allgather, reduce_scatter or alltoall "
                        "in 'coll', found 'frob'"));
  EXPECT_THAT(said("ngpus=\"2\"", "ngpus=\"3\""), HasSubstr("expected a <gpu> of id 2"));
  EXPECT_THAT(said("ngpus=\"2\"", ""), HasSubstr("in 'ngpus', found none"));
  EXPECT_THAT(said("nchunksperloop=\"2\"", "nchunksperloop=\"1\""),
              HasSubstr("line 2, <gpu>: expected a number from 0 to 1 in 'i_chunks', found '2'"));
  EXPECT_THAT(said("type=\"rrcs\"", "type=\"rrx\""),
              HasSubstr("line 5, <step>: expected s, r, rcs"));
  EXPECT_THAT(said("send=\"1\"", "send=\"0\""), HasSubstr("expected another GPU in 'send'"));
  EXPECT_THAT(said("send=\"1\"", "send=\"-1\""),
              HasSubstr("expected a peer in 'send' of its <tb>"));
  EXPECT_THAT(said("<step s=\"1\"", "<step s=\"7\""),
              HasSubstr("expected a number from 1 to 1 in 's'"));
  EXPECT_THAT(said("srcoff=\"0\"", "srcoff=\"2\""),
              HasSubstr("from 0 to 1 in 'srcoff', found '2'"));
  EXPECT_THAT(said("srcbuf=\"i\"", "srcbuf=\"x\""), HasSubstr("expected i, o or s in 'srcbuf'"));
  EXPECT_THAT(said("depid=\"-1\" deps=\"-1\"", "depid=\"0\" deps=\"0\""),
              HasSubstr("expected 'depid' and 'deps' of a step of another <tb>"));
  EXPECT_THAT(said("<tb id=\"0\"", "<tb id=\"1\""), HasSubstr("expected a <tb> of id 0"));
  EXPECT_THAT(said("chan=\"0\"", "chan=\"1\""), HasSubstr("from 0 to 0 in 'chan', found '1'"));
  EXPECT_THAT(complaint("<system/>"), HasSubstr("line 1, <system>: expected an <algo> of MSCCL"));
  EXPECT_THAT(complaint("<algo"), HasSubstr("expected XML"));
}

TEST(MscclSchedule, IsRecognised) {
  const ScheduleFormat* format = recognise_schedule(testing::msccl_ring_all_reduce(2));
  ASSERT_NE(format, nullptr);
  EXPECT_EQ(format->name, "msccl-xml");
  EXPECT_EQ(recognise_schedule("<system version=\"1\">"), nullptr);
}

}  // namespace
}  // namespace unirack
