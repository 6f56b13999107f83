#include "lib/control/unique_id.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>

namespace unirack {
namespace {

SocketAddress address(const char* text) { return *SocketAddress::parse(text); }

bool same_key(const UniqueId& a, const UniqueId& b) {
  return equal_in_constant_time(a.key().view(), b.key().view());
}

TEST(UniqueId, SurvivesItsBytes) {
  const std::vector<SocketAddress> addresses = {address("1.2.3.4:5"), address("[::1]:6"),
                                                address("[2001:db8::7]:8"), address("9.9.9.9:9")};
  const auto id = UniqueId::make(addresses);
  ASSERT_TRUE(id);
  const auto parsed = UniqueId::parse(id->serialise());
  ASSERT_TRUE(parsed) << parsed.error().to_string();
  EXPECT_TRUE(same_key(*id, *parsed));
  EXPECT_TRUE(std::equal(addresses.begin(), addresses.end(), parsed->addresses().begin(),
                         parsed->addresses().end()));
  EXPECT_FALSE(parsed->opened_by_rank_0());
}

TEST(UniqueId, KeysDifferAndAtMostFourAddressesAreKept) {
  const std::vector<SocketAddress> many(9, address("1.2.3.4:5"));
  const auto a = UniqueId::make(many);
  const auto b = UniqueId::make(many);
  ASSERT_TRUE(a && b);
  EXPECT_FALSE(same_key(*a, *b));
  EXPECT_EQ(a->addresses().size(), UniqueId::kAddressesMax);
}

TEST(UniqueId, EveryFlippedBitIsFound) {
  const auto id = UniqueId::make(std::vector{address("1.2.3.4:5")});
  ASSERT_TRUE(id);
  for (size_t bit = 0; bit < 8 * UniqueId::kBytes; ++bit) {
    auto bytes = id->serialise();
    bytes[bit / 8] ^= std::byte{1} << (bit % 8);
    EXPECT_FALSE(UniqueId::parse(bytes)) << "bit " << bit;
  }
  EXPECT_FALSE(UniqueId::parse(BytesView(id->serialise()).first(127)));
  EXPECT_FALSE(UniqueId::parse(std::array<std::byte, UniqueId::kBytes>{}));
}

TEST(UniqueId, EnvironmentGivesAllRanksTheSame) {
  Config config;
  config.rendezvous = "127.0.0.1:4711";
  EXPECT_EQ(UniqueId::from_environment(config, deadline_in(milliseconds(1000))).code(),
            Code::invalid_argument);
  config.secret_file = ::testing::TempDir() + "unirack_secret_" + std::to_string(::getpid());
  std::ofstream(config.secret_file) << "a secret of enough bytes";
  ::chmod(config.secret_file.c_str(), 0600);
  const auto a = UniqueId::from_environment(config, deadline_in(milliseconds(1000)));
  const auto b = UniqueId::from_environment(config, deadline_in(milliseconds(1000)));
  ASSERT_TRUE(a) << a.error().to_string();
  ASSERT_TRUE(b);
  EXPECT_EQ(a->serialise(), b->serialise());
  EXPECT_TRUE(a->opened_by_rank_0());
  EXPECT_TRUE(UniqueId::parse(a->serialise())->opened_by_rank_0());
  ::chmod(config.secret_file.c_str(), 0644);
  EXPECT_FALSE(UniqueId::from_environment(config, deadline_in(milliseconds(1000))));
  ::unlink(config.secret_file.c_str());
}

}  // namespace
}  // namespace unirack
