#include "perf/common/check.h"

#include <gtest/gtest.h>

#include <cstring>

namespace unirack::perf {
namespace {

TEST(Check, FindsEveryChangedElementOfLongBlocks) {
  const Oracle oracle(unirackInt32, std::nullopt, 3, 5);
  const size_t count = 2 * kPeriod + 17;
  const Blocks blocks = {{0, count, 0, 1}, {count + 5, 40, 2, 1}};
  std::vector<std::byte> buffer(extent_of(blocks) * 4);
  fill_blocks(oracle, blocks, 4, buffer.data());
  EXPECT_EQ(count_wrong(oracle, blocks, 4, buffer.data()).count, 0u);

  buffer[4 * (kPeriod + 3)] ^= std::byte{1};
  buffer[4 * (count + 5 + 39) + 3] ^= std::byte{0x80};
  buffer[4 * (count + 2)] ^= std::byte{1};  // between the blocks: nobody's
  const Wrong wrong = count_wrong(oracle, blocks, 4, buffer.data());
  EXPECT_EQ(wrong.count, 2u);
  EXPECT_NE(wrong.first.find("element 65524 of"), std::string::npos) << wrong.first;
}

TEST(Check, ComparesReductionsOfFullBlocks) {
  const Oracle oracle(unirackUint8, Op::sum, 2, 5);
  std::vector<std::byte> data = oracle.input(0, 0, 100);
  const std::vector<std::byte> other = oracle.input(1, 0, 100);
  for (size_t i = 0; i < data.size(); ++i) {
    data[i] =
        static_cast<std::byte>(std::to_integer<int>(data[i]) + std::to_integer<int>(other[i]));
  }
  EXPECT_EQ(count_wrong(oracle, {{0, 100, kReduced, 0}}, 1, data.data()).count, 0u);
  EXPECT_GT(count_wrong(oracle, {{0, 100, kReduced, 1}}, 1, data.data()).count, 90u);
}

TEST(Check, NothingIsWrongWithNothing) {
  const Oracle oracle(unirackFloat64, Op::sum, 2, 5);
  EXPECT_EQ(count_wrong(oracle, {{0, 0, kReduced, 0}}, 8, nullptr).count, 0u);
  fill_blocks(oracle, {{0, 0, 1, 0}}, 8, nullptr);
}

}  // namespace
}  // namespace unirack::perf
