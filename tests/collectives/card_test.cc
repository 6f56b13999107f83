#include "collectives/card.h"

#include <gtest/gtest.h>

namespace unirack {
namespace {

Card sample() {
  Card card;
  card.home = "domain:rack 1";
  card.place = {"box1", "0123", "rack 1", 5};
  card.window_bytes = 1 << 20;
  card.transports.push_back({"tcp", {std::byte{1}, std::byte{2}}, {}, {std::byte{3}}, 2});
  return card;
}

TEST(Card, DecodesWhatWasEncoded) {
  const auto decoded = decode_card(encode_card(sample()));
  ASSERT_TRUE(decoded);
  EXPECT_EQ(decoded->home, "domain:rack 1");
  EXPECT_EQ(decoded->place.machine, "box1");
  EXPECT_EQ(decoded->place.kernel, "0123");
  EXPECT_EQ(decoded->place.domain, "rack 1");
  EXPECT_EQ(decoded->place.numa_nodes, 5u);
  EXPECT_EQ(decoded->window_bytes, uint64_t{1} << 20);
  ASSERT_EQ(decoded->transports.size(), 1U);
  EXPECT_EQ(decoded->transports[0].name, "tcp");
  EXPECT_EQ(decoded->transports[0].address.size(), 2U);
  EXPECT_EQ(decoded->transports[0].scratch, std::vector<std::byte>{std::byte{3}});
  EXPECT_EQ(decoded->transports[0].rail_count, 2U);
}

TEST(Card, EveryTruncationIsRefused) {
  const auto bytes = encode_card(sample());
  for (size_t length = 0; length < bytes.size(); ++length) {
    EXPECT_FALSE(decode_card(std::span(bytes).first(length))) << length;
  }
}

TEST(Card, AnotherVersionIsNamed) {
  auto bytes = encode_card(sample());
  bytes[0] = std::byte{9};
  const auto decoded = decode_card(bytes);
  ASSERT_FALSE(decoded);
  EXPECT_EQ(decoded.code(), Code::version_mismatch);
}

}  // namespace
}  // namespace unirack
