#include "lib/net/handshake_message.h"

#include <gtest/gtest.h>

namespace unirack {
namespace {

Hello sample_hello() {
  Hello hello;
  hello.protocols = {1, 3};
  hello.role = Role::data;
  hello.path = 0x0102;
  for (size_t i = 0; i < hello.job_id.size(); ++i)
    hello.job_id[i] = static_cast<std::byte>(0xa0 + i);
  hello.rank = 5;
  hello.rank_count = 8;
  hello.instance = 0x1112131415161718;
  for (size_t i = 0; i < hello.nonce.size(); ++i) hello.nonce[i] = static_cast<std::byte>(0x40 + i);
  return hello;
}

// A change here is a change of the wire: old and new builds would no longer meet.
TEST(HandshakeMessage, GoldenHello) {
  const std::array<uint8_t, kHandshakeBytes> expected = {
      'U',  'N',  'R',  'H',  0x01, 0x00, 0x01, 0x00,                          // prefix
      0x01, 0x00, 0x03, 0x00, 0x03, 0x00, 0x02, 0x01,                          // range, role, path
      0xa0, 0xa1, 0xa2, 0xa3, 0xa4, 0xa5, 0xa6, 0xa7,                          // job id
      0xa8, 0xa9, 0xaa, 0xab, 0xac, 0xad, 0xae, 0xaf,                          //
      0x05, 0x00, 0x00, 0x00, 0x08, 0x00, 0x00, 0x00,                          // rank of count
      0x18, 0x17, 0x16, 0x15, 0x14, 0x13, 0x12, 0x11,                          // instance
      0x40, 0x41, 0x42, 0x43, 0x44, 0x45, 0x46, 0x47, 0x48, 0x49, 0x4a, 0x4b,  // nonce
      0x4c, 0x4d, 0x4e, 0x4f, 0x50, 0x51, 0x52, 0x53, 0x54, 0x55, 0x56, 0x57,
      0x58, 0x59, 0x5a, 0x5b, 0x5c, 0x5d, 0x5e, 0x5f};
  const HandshakeMessage message = encode(sample_hello());
  EXPECT_EQ(std::memcmp(message.data(), expected.data(), message.size()), 0);
}

TEST(HandshakeMessage, HelloRoundTrips) {
  const Hello hello = sample_hello();
  const Hello back = decode_hello(encode(hello)).value();
  EXPECT_EQ(back.protocols, hello.protocols);
  EXPECT_EQ(back.role, hello.role);
  EXPECT_EQ(back.path, hello.path);
  EXPECT_EQ(back.job_id, hello.job_id);
  EXPECT_EQ(back.rank, hello.rank);
  EXPECT_EQ(back.rank_count, hello.rank_count);
  EXPECT_EQ(back.instance, hello.instance);
  EXPECT_EQ(back.nonce, hello.nonce);
}

TEST(HandshakeMessage, OthersRoundTrip) {
  Answer answer;
  answer.protocol = 2;
  answer.protocols = {2, 9};
  answer.rank = kNoRank;
  answer.nonce.fill(std::byte{7});
  const Answer back = decode_answer(HandshakeView(encode(answer))).value();
  EXPECT_EQ(back.protocol, 2);
  EXPECT_EQ(back.protocols, answer.protocols);
  EXPECT_EQ(back.rank, kNoRank);
  EXPECT_EQ(back.nonce, answer.nonce);
  EXPECT_TRUE(decode_proof(encode_proof()));
  const Outcome outcome = decode_outcome(encode(Outcome{Code::ok, true, {1, 4}})).value();
  EXPECT_EQ(outcome.code, Code::ok);
  EXPECT_TRUE(outcome.has_mac);
  EXPECT_EQ(outcome.protocols.max, 4);
}

TEST(HandshakeMessage, ValuesOutsideTheirLimitsAreRefused) {
  const auto refused = [](auto&& change) {
    Hello hello = sample_hello();
    change(hello);
    return decode_hello(encode(hello)).code() == Code::corrupted;
  };
  EXPECT_FALSE(refused([](Hello&) {}));
  EXPECT_TRUE(refused([](Hello& h) { h.rank = -1; }));
  EXPECT_TRUE(refused([](Hello& h) { h.rank = kRankCountMax; }));
  EXPECT_TRUE(refused([](Hello& h) { h.rank_count = 0; }));
  EXPECT_TRUE(refused([](Hello& h) { h.rank_count = kRankCountMax + 1; }));
  EXPECT_TRUE(refused([](Hello& h) { h.protocols = {0, 1}; }));
  EXPECT_TRUE(refused([](Hello& h) { h.protocols = {3, 2}; }));
  EXPECT_TRUE(refused([](Hello& h) { h.role = static_cast<Role>(4); }));
  EXPECT_TRUE(refused([](Hello& h) { h.role = static_cast<Role>(0); }));
  Outcome outcome{Code::internal, true, {1, 1}};
  EXPECT_EQ(decode_outcome(encode(outcome)).code(), Code::corrupted);
}

TEST(HandshakeMessage, WhatMustBeZeroIsChecked) {
  for (size_t at = 80; at < kHandshakeBytes; ++at) {
    HandshakeMessage message = encode(sample_hello());
    message[at] = std::byte{1};
    EXPECT_EQ(decode_hello(message).code(), Code::corrupted) << at;
  }
}

TEST(HandshakeMessage, KindsAreNotInterchangeable) {
  EXPECT_EQ(decode_hello(encode_proof()).code(), Code::corrupted);
  EXPECT_EQ(decode_proof(encode(sample_hello())).code(), Code::corrupted);
  HandshakeMessage message = encode(sample_hello());
  message[6] = std::byte{5};
  EXPECT_EQ(decode_hello(message).code(), Code::corrupted);
  message[4] = std::byte{2};
  EXPECT_EQ(decode_hello(message).code(), Code::version_mismatch) << "another format";
  message[0] = std::byte{'G'};
  EXPECT_EQ(decode_hello(message).code(), Code::corrupted) << "not ours";
}

}  // namespace
}  // namespace unirack
