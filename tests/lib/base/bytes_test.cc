#include "lib/base/bytes.h"

#include <gtest/gtest.h>

#include <array>
#include <limits>

namespace unirack {
namespace {

TEST(Bytes, IntegersAreLittleEndian) {
  std::vector<std::byte> buffer;
  Writer writer(buffer);
  writer.put(uint32_t{0x01020304});
  writer.put(int16_t{-2});
  EXPECT_EQ(buffer, (std::vector<std::byte>{std::byte{4}, std::byte{3}, std::byte{2}, std::byte{1},
                                            std::byte{0xfe}, std::byte{0xff}}));
}

TEST(Bytes, ReaderReturnsWhatWriterWrote) {
  std::vector<std::byte> buffer;
  Writer writer(buffer);
  writer.put(std::numeric_limits<int64_t>::min());
  writer.put(uint8_t{7});
  writer.put_bytes(bytes_of("abc"));
  EXPECT_EQ(writer.position(), 12u);

  Reader reader(buffer);
  EXPECT_EQ(reader.take<int64_t>().value(), std::numeric_limits<int64_t>::min());
  EXPECT_EQ(reader.take<uint8_t>().value(), 7);
  EXPECT_EQ(reader.expect_end().code(), Code::corrupted);
  EXPECT_EQ(text_of(reader.take_bytes(3).value()), "abc");
  EXPECT_TRUE(reader.expect_end());
}

TEST(Bytes, ReaderNeverPassesTheEnd) {
  const std::array<std::byte, 3> buffer{};
  Reader reader(buffer);
  EXPECT_EQ(reader.take<uint32_t>().code(), Code::corrupted);
  EXPECT_EQ(reader.take_bytes(4).code(), Code::corrupted);
  EXPECT_EQ(reader.take_bytes(std::numeric_limits<size_t>::max()).code(), Code::corrupted);
  EXPECT_EQ(reader.remaining(), 3u) << "a refused take consumes nothing";
  EXPECT_TRUE(reader.take<uint16_t>());
  EXPECT_TRUE(reader.take_bytes(0));
  std::array<std::byte, 2> target{};
  EXPECT_EQ(reader.take_into(target).code(), Code::corrupted);
}

TEST(Bytes, FixedWriterRemembersOverrun) {
  std::array<std::byte, 6> buffer{};
  Writer writer{Bytes(buffer)};
  writer.put(uint32_t{1});
  EXPECT_TRUE(writer.finish());
  writer.put(uint32_t{2});
  writer.put(uint8_t{3});
  EXPECT_EQ(writer.position(), 4u);
  EXPECT_EQ(writer.finish().code(), Code::resource_exhausted);
  EXPECT_EQ(buffer[4], std::byte{0}) << "nothing is written after an overrun";
}

}  // namespace
}  // namespace unirack
