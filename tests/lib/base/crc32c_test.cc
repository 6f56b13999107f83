#include "lib/base/crc32c.h"

#include <gtest/gtest.h>

#include "lib/base/random.h"

namespace unirack {
namespace {

TEST(Crc32c, KnownVectors) {  // RFC 3720 B.4 and the usual check value
  EXPECT_EQ(crc32c({}), 0u);
  EXPECT_EQ(crc32c(bytes_of("123456789")), 0xe3069283u);
  std::vector<std::byte> bytes(32, std::byte{0});
  EXPECT_EQ(crc32c(bytes), 0x8a9136aau);
  std::fill(bytes.begin(), bytes.end(), std::byte{0xff});
  EXPECT_EQ(crc32c(bytes), 0x62a8ab43u);
  for (size_t i = 0; i < 32; ++i) bytes[i] = static_cast<std::byte>(i);
  EXPECT_EQ(crc32c(bytes), 0x46dd794eu);
}

TEST(Crc32c, InstructionAndTableAgree) {
  Random random(7);
  std::vector<std::byte> bytes(4096 + 16);
  random.fill(bytes);
  for (int round = 0; round < 2000; ++round) {
    const size_t offset = random.below(16);
    const size_t length = random.below(round % 10 == 0 ? 4096 : 80);
    const auto seed = static_cast<uint32_t>(random.next());
    const BytesView view = BytesView(bytes).subspan(offset, length);
    ASSERT_EQ(crc32c(view, seed), crc32c_table(view, seed)) << "length " << length;
  }
}

TEST(Crc32c, ContinuesOverPieces) {
  const BytesView all = bytes_of("the quick brown fox jumps over the lazy dog");
  for (size_t cut = 0; cut <= all.size(); ++cut) {
    EXPECT_EQ(crc32c(all.subspan(cut), crc32c(all.first(cut))), crc32c(all));
    EXPECT_EQ(crc32c_table(all.subspan(cut), crc32c_table(all.first(cut))), crc32c(all));
  }
}

}  // namespace
}  // namespace unirack
