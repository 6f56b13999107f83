#include "lib/base/hash.h"

#include <gtest/gtest.h>

#include <set>

namespace unirack {
namespace {

// Golden values: a change here is a change of the wire and of every cached file.
TEST(Hash64, IsStable) {
  EXPECT_EQ(hash64({}), 0xf52a15e9a9b5e89bull);
  EXPECT_EQ(hash64(bytes_of("unirack")), 0xaee9dd2f96630d17ull);
}

TEST(Hash64, SeparatesFields) {
  EXPECT_NE(Hash64().add("ab").add("c").value(), Hash64().add("a").add("bc").value());
  EXPECT_NE(Hash64().add(uint64_t{1}).add(uint64_t{2}).value(),
            Hash64().add(uint64_t{2}).add(uint64_t{1}).value());
}

TEST(Hash64, SmallIntegersDoNotCollideInTheirUpperHalf) {
  std::set<uint64_t> upper;
  for (uint64_t value = 0; value < 1000; ++value) upper.insert(Hash64().add(value).value() >> 32);
  EXPECT_EQ(upper.size(), 1000u);
}

}  // namespace
}  // namespace unirack
