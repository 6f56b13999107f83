#include "lib/net/frame.h"

#include <gtest/gtest.h>

#include "lib/base/crc32c.h"
#include "lib/base/random.h"

namespace unirack {
namespace {

SecretKey test_key(uint8_t seed) {
  Digest bytes{};
  bytes.fill(static_cast<std::byte>(seed));
  return SecretKey(bytes);
}

MacState mac_state(uint8_t seed = 1) { return std::move(MacState::create(test_key(seed))).value(); }

std::vector<std::byte> random_bytes(Random& random, size_t length) {
  std::vector<std::byte> bytes(length);
  random.fill(bytes);
  return bytes;
}

// The first frame of a stream that must hold one.
Frame first_frame(FrameReader& reader, BytesView stream) {
  auto frame = reader.feed(stream);
  EXPECT_TRUE(frame && *frame);
  return frame && *frame ? **frame : Frame{};
}

TEST(Frame, GoldenHeader) {
  FrameHeader header;
  header.type = 0x0102;
  header.flags = 0x03040506;
  header.payload_bytes = 0x0708;
  header.payload_crc = 0x090a0b0c;
  header.sequence = 0x1112131415161718;
  for (size_t i = 0; i < header.mac.size(); ++i) header.mac[i] = static_cast<std::byte>(0x20 + i);
  const std::array<uint8_t, 60> expected = {
      'U',  'N',  'R',  'K',  0x01, 0x00, 0x02, 0x01, 0x06, 0x05, 0x04, 0x03, 0x08, 0x07, 0x00,
      0x00, 0x0c, 0x0b, 0x0a, 0x09, 0x18, 0x17, 0x16, 0x15, 0x14, 0x13, 0x12, 0x11, 0x20, 0x21,
      0x22, 0x23, 0x24, 0x25, 0x26, 0x27, 0x28, 0x29, 0x2a, 0x2b, 0x2c, 0x2d, 0x2e, 0x2f};
  const FrameHeaderBytes bytes = encode_header(header);
  EXPECT_EQ(std::memcmp(bytes.data() + 4, expected.data(), expected.size()), 0);
  EXPECT_EQ(load_little<uint32_t>(bytes.data()), crc32c(BytesView(bytes).subspan(4)));

  const FrameHeader back = decode_header(bytes).value();
  EXPECT_EQ(back.type, header.type);
  EXPECT_EQ(back.flags, header.flags);
  EXPECT_EQ(back.payload_bytes, header.payload_bytes);
  EXPECT_EQ(back.sequence, header.sequence);
  EXPECT_EQ(back.mac, header.mac);
}

TEST(Frame, EveryFlippedBitOfTheHeaderIsFound) {
  FrameHeader header;
  header.type = 3;
  const FrameHeaderBytes good = encode_header(header);
  for (size_t bit = 0; bit < good.size() * 8; ++bit) {
    FrameHeaderBytes bad = good;
    bad[bit / 8] ^= static_cast<std::byte>(1u << (bit % 8));
    EXPECT_EQ(decode_header(bad).code(), Code::corrupted) << "bit " << bit;
  }
}

TEST(Frame, OtherVersionsAndStraysAreNamed) {
  FrameHeaderBytes bytes = encode_header({});
  bytes[8] = std::byte{2};
  store_little(bytes.data(), crc32c(BytesView(bytes).subspan(4)));
  EXPECT_EQ(decode_header(bytes).code(), Code::version_mismatch);
  bytes = encode_header({});
  bytes[63] = std::byte{1};
  store_little(bytes.data(), crc32c(BytesView(bytes).subspan(4)));
  EXPECT_EQ(decode_header(bytes).code(), Code::corrupted) << "reserved bytes are checked";
}

TEST(Frame, ReaderCutsAnyFragmentation) {
  Random random(11);
  for (int round = 0; round < 50; ++round) {
    MacState sender = mac_state();
    MacState receiver = mac_state();
    std::vector<std::byte> stream;
    std::vector<std::vector<std::byte>> payloads;
    for (int i = 0; i < 5; ++i) {
      payloads.push_back(random_bytes(random, i == 0 ? 0 : random.below(300)));
      ASSERT_TRUE(append_frame(stream, sender, static_cast<uint16_t>(i), 9, payloads.back()));
    }
    FrameReader reader;
    size_t seen = 0;
    BytesView rest = stream;
    while (!rest.empty()) {
      BytesView piece = rest.first(std::min<size_t>(1 + random.below(90), rest.size()));
      rest = rest.subspan(piece.size());
      while (!piece.empty()) {
        const auto frame = reader.feed(piece);
        ASSERT_TRUE(frame) << frame.error().to_string();
        if (!*frame) continue;
        EXPECT_TRUE(receiver.verify(**frame));
        EXPECT_EQ((*frame)->header.type, seen);
        EXPECT_TRUE(std::ranges::equal((*frame)->payload, payloads[seen]));
        ++seen;
      }
    }
    EXPECT_EQ(seen, payloads.size());
  }
}

TEST(Frame, PayloadIsBoundedBeforeItArrives) {
  FrameHeader header;
  header.payload_bytes = kFramePayloadBytesMax + 1;
  const FrameHeaderBytes bytes = encode_header(header);
  FrameReader reader;
  BytesView input = bytes;
  EXPECT_EQ(reader.feed(input).code(), Code::corrupted);

  MacState mac = mac_state();
  std::vector<std::byte> stream;
  const std::vector<std::byte> largest(kFramePayloadBytesMax, std::byte{5});
  ASSERT_TRUE(append_frame(stream, mac, 1, 0, largest));
  FrameReader second;
  EXPECT_EQ(first_frame(second, stream).payload.size(), largest.size());
  const std::vector<std::byte> too_large(kFramePayloadBytesMax + 1);
  EXPECT_EQ(append_frame(stream, mac, 1, 0, too_large).code(), Code::internal);
}

TEST(Frame, AlteredPayloadIsFoundAndTheReaderStaysFailed) {
  MacState mac = mac_state();
  std::vector<std::byte> stream;
  ASSERT_TRUE(append_frame(stream, mac, 1, 0, bytes_of("payload")));
  stream.back() ^= std::byte{1};
  FrameReader reader;
  BytesView input = stream;
  EXPECT_EQ(reader.feed(input).code(), Code::corrupted);
  input = {};
  EXPECT_EQ(reader.feed(input).code(), Code::corrupted);
}

TEST(MacState, ForgeryReplayAndLossAreRefused) {
  MacState sender = mac_state();
  std::vector<std::byte> first;
  std::vector<std::byte> second;
  std::vector<std::byte> forged;
  ASSERT_TRUE(append_frame(first, sender, 1, 0, bytes_of("one")));
  ASSERT_TRUE(append_frame(second, sender, 1, 0, bytes_of("two")));
  MacState stranger = mac_state(2);
  ASSERT_TRUE(append_frame(forged, stranger, 1, 0, bytes_of("one")));

  FrameReader reader;
  MacState receiver = mac_state();
  EXPECT_EQ(receiver.verify(first_frame(reader, forged)).code(), Code::unauthenticated);
  EXPECT_EQ(receiver.verify(first_frame(reader, second)).code(), Code::unauthenticated) << "loss";
  EXPECT_TRUE(receiver.verify(first_frame(reader, first)));
  EXPECT_EQ(receiver.verify(first_frame(reader, first)).code(), Code::unauthenticated) << "replay";
  EXPECT_TRUE(receiver.verify(first_frame(reader, second)));
}

TEST(MacState, CoversEveryField) {
  MacState sender = mac_state();
  std::vector<std::byte> stream;
  ASSERT_TRUE(append_frame(stream, sender, 4, 5, bytes_of("payload")));
  FrameReader reader;
  const Frame good = first_frame(reader, stream);
  const auto refused = [](const Frame& frame) {
    MacState receiver = mac_state();
    return receiver.verify(frame).code() == Code::unauthenticated;
  };
  EXPECT_FALSE(refused(good));
  Frame frame = good;
  frame.header.type ^= 1;
  EXPECT_TRUE(refused(frame));
  frame = good;
  frame.header.flags ^= 1;
  EXPECT_TRUE(refused(frame));
  frame = good;
  frame.header.sequence ^= 1;
  EXPECT_TRUE(refused(frame));
  frame = good;
  frame.header.mac[15] ^= std::byte{1};
  EXPECT_TRUE(refused(frame));
  frame = good;
  frame.payload = bytes_of("Payload");
  EXPECT_TRUE(refused(frame));
}

}  // namespace
}  // namespace unirack
