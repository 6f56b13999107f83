// Exported plans are run by an interpreter of the format and must give what the collective asks.
#include "collectives/formats/mscclpp_json.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "collectives/algorithms/algorithms.h"
#include "collectives/formats/msccl_schedule.h"
#include "tests/support/msccl_files.h"
#include "tests/support/mscclpp_plan.h"
#include "tests/support/plans.h"

namespace unirack {
namespace {

using ::testing::HasSubstr;
using testing::PlanChunk;
using testing::PlanOutcome;

// What chunk `chunk` of a rank's output has to hold.
PlanChunk wanted(const Schedule& schedule, Rank rank, uint32_t chunk) {
  const uint32_t chunks = schedule.header().chunks;
  const Layout layout = schedule.layout();
  const uint32_t data = layout.data_block(rank, BufferId::output, chunk / chunks);
  PlanChunk whole;
  for (Rank from = 0; from < schedule.header().rank_count; ++from) {
    if (!layout.contributes(from, data)) continue;
    for (uint32_t block = 0; block < layout.blocks(from, BufferId::input); ++block) {
      if (layout.data_block(from, BufferId::input, block) != data) continue;
      whole.push_back({from, static_cast<int>(block * chunks + chunk % chunks)});
    }
  }
  return whole;
}

void expect_right(const Schedule& schedule, const std::string& name) {
  const auto json = schedule_to_mscclpp_json(schedule);
  ASSERT_TRUE(json) << name << ": " << json.error().detail;
  for (uint64_t seed = 1; seed <= 3; ++seed) {
    const PlanOutcome outcome = testing::run_mscclpp_plan(*json, seed);
    ASSERT_EQ(outcome.problem, "") << name << "\n" << to_text(schedule) << *json;
    EXPECT_LE(outcome.operations_max, 64u);
    for (Rank rank = 0; rank < schedule.header().rank_count; ++rank) {
      const auto& output = outcome.outputs[static_cast<size_t>(rank)];
      for (uint32_t chunk = 0; chunk < output.size(); ++chunk) {
        ASSERT_EQ(output[chunk], wanted(schedule, rank, chunk))
            << name << " rank " << rank << " chunk " << chunk << *json;
      }
    }
  }
}

TEST(MscclppJson, EveryAlgorithmRuns) {
  int exported = 0;
  for (const Algorithm& algorithm : algorithms()) {
    if (algorithm.collective != Collective::all_reduce &&
        algorithm.collective != Collective::all_gather &&
        algorithm.collective != Collective::reduce_scatter &&
        algorithm.collective != Collective::all_to_all) {
      continue;
    }
    for (const auto& plan : testing::plans_of(algorithm, {{2}, {4}, {2, 2}}, {1, 2})) {
      expect_right(plan.schedule, plan.name);
      ++exported;
    }
  }
  EXPECT_GT(exported, 30);
}

TEST(MscclppJson, EightRanksFit) {
  const Topology topology = Topology::of_domains({8});
  struct Case {
    std::string name;
    Result<Schedule> (*generate)(const Topology&, const Request&, int);
    Collective collective;
  };
  const Case cases[] = {{"ring", all_reduce_ring, Collective::all_reduce},
                        {"two_shot", all_reduce_two_shot, Collective::all_reduce},
                        {"one_shot", all_reduce_one_shot, Collective::all_reduce},
                        {"gather_ring", all_gather_ring, Collective::all_gather},
                        {"direct", all_gather_direct, Collective::all_gather}};
  for (const auto& [name, generate, collective] : cases) {
    const auto schedule = generate(topology, {.collective = collective}, 1);
    ASSERT_TRUE(schedule);
    const auto json = schedule_to_mscclpp_json(*schedule);
    if (json) {
      expect_right(*schedule, name);
    } else {
      // A ring of eight takes more steps than a thread block may have.
      EXPECT_THAT(json.error().detail, HasSubstr("MSCCL++ takes at most 64 and 16"));
      EXPECT_EQ(name, "ring");
    }
  }
}

TEST(MscclppJson, WhatWasImportedIsExported) {
  for (const std::string& text :
       {testing::msccl_all_pairs_all_reduce(4), testing::msccl_hierarchical_all_reduce(2),
        testing::msccl_ring_all_gather(4, true), testing::msccl_relayed_all_gather(3)}) {
    const auto schedule = schedule_from_msccl_xml(text);
    ASSERT_TRUE(schedule);
    expect_right(*schedule, schedule->header().algorithm);
  }
}

// The interpreter sees what is missing.
TEST(MscclppJson, ABrokenPlanIsFound) {
  const auto schedule =
      all_reduce_two_shot(Topology::of_domains({4}), {.collective = Collective::all_reduce}, 1);
  ASSERT_TRUE(schedule);
  auto json = nlohmann::json::parse(*schedule_to_mscclpp_json(*schedule));
  auto& ops = json["gpus"][0]["threadblocks"][0]["ops"];
  std::vector<size_t> waits;
  for (size_t i = 0; i < ops.size(); ++i) {
    if (ops[i]["name"] == "wait") waits.push_back(i);
  }
  ASSERT_EQ(waits.size(), 3u) << "begin, contributions, results";
  auto deaf = json;
  deaf["gpus"][0]["threadblocks"][0]["ops"][waits[1]] = {{"name", "nop"}};
  bool is_found = false;
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    is_found |= !testing::run_mscclpp_plan(deaf.dump(), seed).problem.empty();
  }
  EXPECT_TRUE(is_found);
  for (auto& op : ops) {
    if (op["name"] == "signal") op = {{"name", "nop"}};
  }
  EXPECT_EQ(testing::run_mscclpp_plan(json.dump(), 1).problem, "everybody waits");
}

TEST(MscclppJson, SaysWhatItIs) {
  const auto schedule =
      all_reduce_two_shot(Topology::of_domains({4}), {.collective = Collective::all_reduce}, 1);
  ASSERT_TRUE(schedule);
  const auto text = schedule_to_mscclpp_json(*schedule);
  ASSERT_TRUE(text);
  const auto json = nlohmann::json::parse(*text);
  EXPECT_EQ(json["name"], "all_reduce_two_shot");
  EXPECT_EQ(json["collective"], "allreduce");
  EXPECT_EQ(json["protocol"], "Simple");
  EXPECT_EQ(json["inplace"], false);
  const auto& gpu = json["gpus"][0];
  EXPECT_EQ(gpu["input_chunks"], 4);
  EXPECT_EQ(gpu["scratch_chunks"], 3);
  EXPECT_EQ(gpu["channels"][0]["channel_type"], "memory");
  EXPECT_EQ(gpu["channels"][0]["connected_to"], nlohmann::json({1, 2, 3}));
  EXPECT_EQ(gpu["remote_buffers"][0]["access_channel_types"], nlohmann::json({"memory"}));
  EXPECT_EQ(gpu["threadblocks"][0]["ops"][0]["name"], "signal");
}

TEST(MscclppJson, WhatItsExecutorDoesNotTakeIsRefused) {
  const auto broadcast =
      broadcast_direct(Topology::of_domains({2}), {.collective = Collective::broadcast}, 1);
  ASSERT_TRUE(broadcast);
  EXPECT_THAT(schedule_to_mscclpp_json(*broadcast).error().detail,
              HasSubstr("broadcast is no collective of MSCCL++"));
  const auto large =
      all_to_all_pairwise(Topology::of_domains({32}), {.collective = Collective::all_to_all}, 1);
  ASSERT_TRUE(large);
  EXPECT_THAT(schedule_to_mscclpp_json(*large).error().detail, HasSubstr("31 channels"));
}

}  // namespace
}  // namespace unirack
