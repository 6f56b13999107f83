// The cache in a folder of its own: what it keeps, for how long, and that nothing is a failure.
#include "collectives/calibrate/cache.h"

#include <gmock/gmock.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace unirack {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class CostsCaches : public ::testing::Test {
 protected:
  CostsCaches() {
    std::string made = (fs::temp_directory_path() / "unirack-cache-XXXXXX").string();
    folder_ = mkdtemp(made.data());
  }
  ~CostsCaches() override { fs::remove_all(folder_); }

  CostsCache cache(uint64_t key = 7) {
    return cache_in((folder_ / "deep" / "unirack").string(), key);
  }
  CostsCache cache_in(const std::string& folder, uint64_t key) {
    return CostsCache(folder, key,
                      Logger(LogLevel::info, 0, [this](LogLevel, std::string_view line) {
                        lines_.emplace_back(line);
                      }));
  }
  static Costs sample() {
    Costs costs = assumed_costs();
    costs.of(LinkKind::ethernet) = {1, 2, 3, true, true};
    return costs;
  }

  fs::path folder_;
  std::vector<std::string> lines_;
};

TEST_F(CostsCaches, WhatIsKeptIsFoundAgain) {
  EXPECT_EQ(cache().load(), std::nullopt);
  cache().store(assumed_costs());
  cache().store(sample());
  EXPECT_EQ(cache().load(), sample());
  EXPECT_EQ(cache(8).load(), std::nullopt);
  EXPECT_EQ(fs::path(cache(8).path()).filename(), "costs-0000000000000008.txt");
  EXPECT_THAT(lines_, IsEmpty());
}

TEST_F(CostsCaches, WhatIsOldIsForgotten) {
  cache().store(sample());
  const auto stamp = fs::last_write_time(cache().path());
  fs::last_write_time(cache().path(), stamp - kCostsAgeMax + std::chrono::hours(1));
  EXPECT_EQ(cache().load(), sample());
  EXPECT_THAT(lines_, IsEmpty());
  fs::last_write_time(cache().path(), stamp - kCostsAgeMax - std::chrono::seconds(1));
  EXPECT_EQ(cache().load(), std::nullopt);
  ASSERT_EQ(lines_.size(), 1u);
  EXPECT_THAT(lines_[0], HasSubstr(cache().path() + " are too old"));
  // The clock was set back since.
  fs::last_write_time(cache().path(), stamp + std::chrono::hours(1));
  EXPECT_EQ(cache().load(), std::nullopt);
  // Kept again, it is new.
  cache().store(sample());
  EXPECT_EQ(cache().load(), sample());
}

TEST_F(CostsCaches, WhatIsDamagedIsSaidAndReplaced) {
  cache().store(sample());
  std::ofstream(cache().path()) << "unirack costs 1\ncopy bandwidth=fast\n";
  EXPECT_EQ(cache().load(), std::nullopt);
  ASSERT_EQ(lines_.size(), 1u);
  EXPECT_THAT(lines_[0], HasSubstr("kept costs are not used"));
  EXPECT_THAT(lines_[0], HasSubstr("line 2, bandwidth"));
  cache().store(sample());
  EXPECT_EQ(cache().load(), sample());
}

TEST_F(CostsCaches, AFolderThatCannotBeIsNoFailure) {
  std::ofstream(folder_ / "file") << "x";
  for (const char* place : {"file", "file/below"}) {
    lines_.clear();
    const CostsCache none = cache_in((folder_ / place).string(), 7);
    none.store(sample());
    EXPECT_EQ(none.load(), std::nullopt);
    ASSERT_EQ(lines_.size(), 1u) << place;
    EXPECT_THAT(lines_[0], HasSubstr("costs are not kept"));
  }
}

TEST_F(CostsCaches, NoFolderRemembersNothing) {
  const CostsCache none = cache_in("", 7);
  none.store(sample());
  EXPECT_EQ(none.path(), "");
  EXPECT_EQ(none.load(), std::nullopt);
  EXPECT_THAT(lines_, IsEmpty());
}

TEST_F(CostsCaches, TheKeyTellsPoolsApart) {
  EXPECT_EQ(costs_key(Topology::of_domains({2, 2})), costs_key(Topology::of_domains({2, 2})));
  EXPECT_NE(costs_key(Topology::of_domains({2, 2})), costs_key(Topology::of_domains({4})));
  const auto with_machine = [](const char* name) {
    TopologySpec spec;
    spec.homes = {"a"};
    spec.transports = {""};
    spec.load_store = {1};
    GraphBuilder builder;
    Node node;
    node.kind = NodeKind::cpu;
    node.name = "cpu";
    node.host = name;
    EXPECT_TRUE(builder.add(node));
    auto graph = std::move(builder).build("test");
    EXPECT_TRUE(graph);
    spec.graph = std::move(graph).value();
    return costs_key(Topology::make(std::move(spec)).value());
  };
  EXPECT_EQ(with_machine("one"), with_machine("one"));
  EXPECT_NE(with_machine("one"), with_machine("other"));
}

}  // namespace
}  // namespace unirack
