#include "transports/tcp/tcp_frame.h"

#include <gtest/gtest.h>

#include "lib/base/random.h"

namespace unirack {
namespace {

TcpHeader sample() {
  TcpHeader header;
  header.kind = TcpHeader::Kind::put;
  header.region = 0x0102030405060708;
  header.offset = uint64_t{5} << 32;
  header.bytes = kTcpSegmentBytes;
  header.signal_region = 0x1112131415161718;
  header.signal_offset = 64;
  header.signal_value = 77;
  header.tag = 9;
  return header;
}

TEST(TcpFrame, ComesBackAsItWasSent) {
  const auto decoded = TcpHeader::decode(sample().encode());
  ASSERT_TRUE(decoded) << decoded.error().to_string();
  EXPECT_EQ(decoded->encode(), sample().encode());
  EXPECT_EQ(decoded->offset, uint64_t{5} << 32);
  EXPECT_EQ(decoded->tag, 9u);
}

TEST(TcpFrame, KeepsItsBytes) {
  const TcpHeader::Wire wire = sample().encode();
  EXPECT_EQ(load_little<uint32_t>(wire.data()), 0x31505455u);
  EXPECT_EQ(wire[4], std::byte{2});
  EXPECT_EQ(wire[8], std::byte{8});
  EXPECT_EQ(load_little<uint64_t>(wire.data() + 24), kTcpSegmentBytes);
  EXPECT_EQ(load_little<uint32_t>(wire.data() + 56), 9u);
  EXPECT_EQ(load_little<uint32_t>(wire.data() + 60), 0x95f0618bu);
}

TEST(TcpFrame, EveryFlippedBitIsFound) {
  const TcpHeader::Wire good = sample().encode();
  for (size_t bit = 0; bit < good.size() * 8; ++bit) {
    TcpHeader::Wire bad = good;
    bad[bit / 8] ^= static_cast<std::byte>(1u << (bit % 8));
    EXPECT_EQ(TcpHeader::decode(bad).code(), Code::corrupted) << bit;
  }
  EXPECT_FALSE(TcpHeader::decode(BytesView(good).first(63)));
}

TEST(TcpFrame, RefusesFieldsOutOfRange) {
  TcpHeader header = sample();
  header.bytes = kTcpSegmentBytes + 1;
  EXPECT_FALSE(TcpHeader::decode(header.encode()));
  header.kind = TcpHeader::Kind::ask;  // carries no payload
  EXPECT_TRUE(TcpHeader::decode(header.encode()));
  header.kind = static_cast<TcpHeader::Kind>(99);
  EXPECT_FALSE(TcpHeader::decode(header.encode()));
  header.kind = static_cast<TcpHeader::Kind>(0);
  EXPECT_FALSE(TcpHeader::decode(header.encode()));
}

}  // namespace
}  // namespace unirack
