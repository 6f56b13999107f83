#include "collectives/fabric.h"

#include <gmock/gmock.h>

#include <mutex>
#include <set>

#include "lib/topology/reach.h"
#include "tests/support/engine_pool.h"

namespace unirack {
namespace {

using testing::EnginePoolOptions;
using ::testing::HasSubstr;
using testing::run_engines;

TEST(FabricThreaded, EveryRankHasTheGraphOfThePool) {
  EnginePoolOptions options;
  options.rank_count = 4;
  options.domains = {"red", "blue", "red", "blue"};
  std::mutex mutex;
  std::set<uint64_t> hashes;
  std::vector<std::string> texts;
  const Status status = run_engines(options, [&](Rank rank, Engine& engine) -> Status {
    const std::lock_guard lock(mutex);
    const Graph& graph = engine.topology().graph();
    hashes.insert(graph.hash());
    texts.push_back(engine.fabric().describe());
    const auto own = graph.find(machine_name() + "/rank" + std::to_string(rank));
    if (!own) return make_error(Code::internal, "has no node of its own");
    EXPECT_EQ(graph.node(*own).rank, rank);
    EXPECT_EQ(graph.node(*own).domain, options.domains[static_cast<size_t>(rank)]);
    EXPECT_FALSE(graph.links_from(*own).empty());
    EXPECT_FALSE(engine.fabric().machine_view.empty());
    return ok_status();
  });
  ASSERT_TRUE(status) << status.error().to_string();
  EXPECT_EQ(hashes.size(), 1u);
  for (const std::string& text : texts) EXPECT_THAT(text, HasSubstr("fabric: 1 machine: "));
}

}  // namespace
}  // namespace unirack
