#include "lib/base/config.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>

namespace unirack {
namespace {

using Environment = std::map<std::string, std::string>;

Result<Config> parse(const Environment& environment) {
  return Config::from_environment([&](const char* name) -> const char* {
    const auto found = environment.find(name);
    return found == environment.end() ? nullptr : found->second.c_str();
  });
}

std::string refusal(const char* name, const std::string& value) {
  const Result<Config> result = parse({{name, value}});
  if (result) return "accepted";
  EXPECT_EQ(result.code(), Code::invalid_argument);
  return result.error().detail;
}

TEST(Config, UnsetAndEmptyGiveDefaults) {
  for (const Environment& environment : {Environment{}, Environment{{"UNIRACK_RANK", ""}}}) {
    const Config config = parse(environment).value();
    EXPECT_EQ(config.rank, -1);
    EXPECT_EQ(config.peer_timeout, milliseconds(2000));
    EXPECT_EQ(config.scratch_bytes, 2u << 20);
    EXPECT_EQ(config.tcp_connections, 2);
    EXPECT_TRUE(config.cma);
    EXPECT_TRUE(config.transports.empty());
    EXPECT_EQ(config.calibration, "auto");
    EXPECT_EQ(config.cache_folder, "");
  }
}

TEST(Config, TheCacheLiesWhereTheSystemHasCaches) {
  EXPECT_EQ(parse({{"HOME", "/home/me"}}).value().cache_folder, "/home/me/.cache/unirack");
  EXPECT_EQ(parse({{"HOME", "/home/me"}, {"XDG_CACHE_HOME", "/var/me"}}).value().cache_folder,
            "/var/me/unirack");
  EXPECT_EQ(parse({{"HOME", "/home/me"}, {"XDG_CACHE_HOME", "here"}}).value().cache_folder,
            "/home/me/.cache/unirack");
  EXPECT_EQ(parse({{"HOME", "~"}}).value().cache_folder, "");
}

TEST(Config, EveryKindParses) {
  const Config config = parse({{"UNIRACK_RENDEZVOUS", "head:29500"},
                               {"UNIRACK_RANK", "3"},
                               {"UNIRACK_RANK_COUNT", "8"},
                               {"UNIRACK_TRANSPORTS", "shm,tcp"},
                               {"UNIRACK_INTERFACE", "eth,^docker"},
                               {"UNIRACK_PORT_RANGE", "29500-29600"},
                               {"UNIRACK_LOG", "debug"},
                               {"UNIRACK_EXPLAIN", "1"},
                               {"UNIRACK_PEER_TIMEOUT_MS", "100"},
                               {"UNIRACK_SUM_SHAPE", "3+5"},
                               {"UNIRACK_ALGORITHM", "all_reduce:ring,broadcast:tree"},
                               {"UNIRACK_SCRATCH_BYTES", "64k"},
                               {"UNIRACK_TILE_BYTES", "1G"},
                               {"UNIRACK_CMA", "0"},
                               {"UNIRACK_SPIN_US", "-1"},
                               {"UNIRACK_CALIBRATION", "/etc/costs.txt"}})
                            .value();
  EXPECT_EQ(config.rendezvous, "head:29500");
  EXPECT_EQ(config.rank, 3);
  EXPECT_EQ(config.rank_count, 8);
  EXPECT_EQ(config.transports, (std::vector<std::string>{"shm", "tcp"}));
  EXPECT_EQ(config.interfaces, (std::vector<std::string>{"eth", "^docker"}));
  EXPECT_EQ(config.port_range.first, 29500);
  EXPECT_EQ(config.port_range.last, 29600);
  EXPECT_EQ(config.log, LogLevel::debug);
  EXPECT_TRUE(config.explain);
  EXPECT_EQ(config.peer_timeout, milliseconds(100));
  EXPECT_EQ(config.sum_shape, (std::vector<int>{3, 5}));
  ASSERT_EQ(config.algorithms.size(), 2u);
  EXPECT_EQ(config.algorithms[1].collective, "broadcast");
  EXPECT_EQ(config.algorithms[1].algorithm, "tree");
  EXPECT_EQ(config.scratch_bytes, 65'536u);
  EXPECT_EQ(config.tile_bytes, 1u << 30);
  EXPECT_FALSE(config.cma);
  EXPECT_EQ(config.spin_us, -1);
  EXPECT_EQ(config.calibration, "/etc/costs.txt");
}

TEST(Config, RefusalSaysWhatWasExpected) {
  EXPECT_EQ(refusal("UNIRACK_TCP_CONNECTIONS", "99"),
            "UNIRACK_TCP_CONNECTIONS is '99', expected a whole number from 1 to 8");
  EXPECT_EQ(refusal("UNIRACK_SCRATCH_BYTES", "1K"),
            "UNIRACK_SCRATCH_BYTES is '1K', expected a size from 64K to 1G");
  EXPECT_EQ(refusal("UNIRACK_CMA", "yes"), "UNIRACK_CMA is 'yes', expected 0 or 1");
  EXPECT_EQ(refusal("UNIRACK_LOG", "loud"),
            "UNIRACK_LOG is 'loud', expected off, error, warn, info or debug");
}

TEST(Config, HostileValuesAreRefused) {
  for (const char* value : {"1x", " 1", "1 ", "0x1", "+1", "99999999999999999999", "-2"}) {
    EXPECT_NE(refusal("UNIRACK_SPIN_US", value), "accepted") << value;
  }
  for (const char* value : {"K", "-1K", "9223372036854775807G", "2G", "64KB"}) {
    EXPECT_NE(refusal("UNIRACK_SCRATCH_BYTES", value), "accepted") << value;
  }
  for (const char* value : {"1", "5-4", "0-5", "1-2-3", "1-65536", "-", "1-"}) {
    EXPECT_NE(refusal("UNIRACK_PORT_RANGE", value), "accepted") << value;
  }
  for (const char* value : {"+", "3+", "0+1", "65536+1", "3,5"}) {
    EXPECT_NE(refusal("UNIRACK_SUM_SHAPE", value), "accepted") << value;
  }
  for (const char* value : {"ring", ":ring", "all_reduce:", "a:b,"}) {
    EXPECT_NE(refusal("UNIRACK_ALGORITHM", value), "accepted") << value;
  }
  EXPECT_NE(refusal("UNIRACK_TRANSPORTS", "shm,,tcp"), "accepted");
  EXPECT_NE(refusal("UNIRACK_INTERFACE", "^"), "accepted");
  EXPECT_NE(refusal("UNIRACK_DOMAIN", "a\nb"), "accepted");
  EXPECT_NE(refusal("UNIRACK_DOMAIN", std::string(5000, 'a')), "accepted");
}

TEST(Config, RankMustBeBelowRankCount) {
  const Result<Config> result = parse({{"UNIRACK_RANK", "4"}, {"UNIRACK_RANK_COUNT", "4"}});
  EXPECT_EQ(result.code(), Code::invalid_argument);
}

TEST(Config, UnknownVariablesAreNamed) {
  const std::string_view names[] = {"PATH=/bin", "UNIRACK_RANKS=3", "UNIRACK_RANK=3",
                                    "UNIRACK_TEST_DATA=/x", "UNIRACK_ZZZZZZ"};
  EXPECT_EQ(unknown_variables(names),
            (std::vector<std::string>{
                "unknown variable UNIRACK_RANKS is ignored; did you mean UNIRACK_RANK?",
                "unknown variable UNIRACK_ZZZZZZ is ignored"}));
}

TEST(Config, HelpListsEveryVariable) {
  const std::string help = config_help();
  EXPECT_NE(help.find("UNIRACK_SPIN_US"), std::string::npos);
  EXPECT_NE(help.find("(default 2M)"), std::string::npos);
}

// scripts/config_docs.sh sets CONFIG_DOCS_UPDATE to write the page instead of comparing it.
TEST(ConfigDocs, CommittedPageIsTheGeneratedOne) {
  const auto root = std::filesystem::path(__FILE__).parent_path() / ".." / ".." / "..";
  const auto page = root / "docs" / "configuration.md";
  if (std::getenv("CONFIG_DOCS_UPDATE") != nullptr) std::ofstream(page) << config_markdown();
  std::ifstream file(page);
  std::stringstream text;
  text << file.rdbuf();
  EXPECT_EQ(text.str(), config_markdown()) << "run scripts/config_docs.sh";
}

}  // namespace
}  // namespace unirack
