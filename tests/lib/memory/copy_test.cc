#include "lib/memory/copy.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "lib/base/random.h"

namespace unirack {
namespace {

TEST(Copy, BothKindsCopyExactlyTheBytesAsked) {
  Random random(1);
  std::vector<std::byte> source(10'000);
  random.fill(source);
  for (const CopyKind kind : {CopyKind::cached, CopyKind::streaming}) {
    for (int round = 0; round < 500; ++round) {
      const size_t from = random.below(200);
      const size_t to = random.below(200);
      const size_t bytes = round < 300 ? static_cast<size_t>(round) : random.below(9'000);
      std::vector<std::byte> target(10'000, std::byte{0xA5});
      copy_bytes(target.data() + to, source.data() + from, bytes, kind);
      const auto first = target.begin() + static_cast<ptrdiff_t>(to);
      const auto last = first + static_cast<ptrdiff_t>(bytes);
      const auto is_poison = [](std::byte byte) { return byte == std::byte{0xA5}; };
      ASSERT_TRUE(std::equal(first, last, source.begin() + static_cast<ptrdiff_t>(from)));
      ASSERT_TRUE(std::all_of(target.begin(), first, is_poison));
      ASSERT_TRUE(std::all_of(last, target.end(), is_poison));
    }
  }
}

TEST(Copy, NothingAndItselfAreLegal) {
  copy_bytes(nullptr, nullptr, 0);
  std::vector<std::byte> buffer(streaming_threshold_bytes(), std::byte{3});
  copy_bytes(buffer.data(), buffer.data(), buffer.size());
  EXPECT_EQ(buffer.back(), std::byte{3});
}

TEST(Copy, LargeCopiesStream) {
  EXPECT_EQ(copy_kind(64 << 10), CopyKind::cached);
  EXPECT_EQ(copy_kind(size_t{1} << 30), CopyKind::streaming);
}

}  // namespace
}  // namespace unirack
