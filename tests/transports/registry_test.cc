#include "transports/registry.h"

#include <gtest/gtest.h>

#include <array>

namespace unirack {
namespace {

constexpr std::array<std::byte, 32> kKey{};

TEST(Registry, OpensWhatTheConfigurationNames) {
  Config config;
  config.transports = {"loopback"};
  const auto transports = open_transports({0, 2, 1, kKey, &config});
  ASSERT_TRUE(transports) << transports.error().to_string();
  ASSERT_EQ(transports->opened.size(), 1u);
  EXPECT_EQ(transports->opened[0]->name(), "loopback");
}

TEST(Registry, WithoutANameOpensAllInTheOrderOfTheTable) {
  Config config;
  config.interfaces = {"lo"};
  const auto transports = open_transports({0, 2, 1, kKey, &config});
  ASSERT_TRUE(transports) << transports.error().to_string();
  EXPECT_EQ(transports->opened.size() + transports->unavailable.size(), transport_table().size());
  EXPECT_EQ(transports->opened[0]->name(), transport_table()[0].name);
}

TEST(Registry, AnUnknownNameIsAnErrorThatNamesTheKnownOnes) {
  Config config;
  config.transports = {"loopback", "infiniband"};
  const auto transports = open_transports({0, 2, 1, kKey, &config});
  ASSERT_FALSE(transports);
  EXPECT_EQ(transports.error().code, Code::invalid_argument);
  EXPECT_NE(transports.error().detail.find("infiniband"), std::string::npos);
  EXPECT_NE(transports.error().detail.find("loopback"), std::string::npos);
}

}  // namespace
}  // namespace unirack
