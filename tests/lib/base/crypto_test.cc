#include "lib/base/crypto.h"

#include <gtest/gtest.h>

namespace unirack {
namespace {

std::string hex(BytesView bytes) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  for (const std::byte byte : bytes) {
    text += kDigits[static_cast<size_t>(byte) >> 4];
    text += kDigits[static_cast<size_t>(byte) & 15];
  }
  return text;
}

SecretKey counting_key() {
  Digest bytes{};
  for (size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::byte>(i);
  return SecretKey(bytes);
}

TEST(Crypto, HmacKnownAnswer) {
  // RFC 4231, case 1: HMAC pads its 20-byte key with zeros, so 32 bytes of it are the same key.
  Digest key_bytes{};
  for (size_t i = 0; i < 20; ++i) key_bytes[i] = std::byte{0x0b};
  const BytesView parts[] = {bytes_of("Hi "), {}, bytes_of("There")};
  EXPECT_EQ(hex(hmac_sha256(SecretKey(key_bytes), parts).value()),
            "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
}

TEST(Crypto, HmacObjectStartsOverEachTime) {
  const SecretKey key = counting_key();
  Hmac hmac = std::move(Hmac::create(key)).value();
  const BytesView one[] = {bytes_of("first")};
  const BytesView two[] = {bytes_of("second")};
  EXPECT_EQ(hmac.digest(one).value(), hmac_sha256(key, one).value());
  EXPECT_EQ(hmac.digest(two).value(), hmac_sha256(key, two).value());
  EXPECT_EQ(hmac.digest(one).value(), hmac_sha256(key, one).value());
}

TEST(Crypto, HkdfKnownAnswers) {  // computed with Python's hmac module from RFC 5869
  std::vector<std::byte> salt(64);
  for (size_t i = 0; i < salt.size(); ++i) salt[i] = static_cast<std::byte>(i);
  EXPECT_EQ(hex(hkdf_sha256(counting_key(), salt, "unirack test").value().view()),
            "22787d662fe194b69f6b064e11e6a0987359f7f6fab0b6205bd329429b05db19");
  EXPECT_EQ(hex(hkdf_sha256(counting_key(), {}, "x").value().view()),
            "2965d0b8feb239f8e888bae7da728027fe58afcb5c5ba7100ad0fb9dd65c39dc");
}

TEST(Crypto, Sha256KnownAnswer) {
  EXPECT_EQ(hex(sha256(bytes_of("abc")).value()),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST(Crypto, ConstantTimeEquality) {
  EXPECT_TRUE(equal_in_constant_time(bytes_of("same"), bytes_of("same")));
  EXPECT_FALSE(equal_in_constant_time(bytes_of("same"), bytes_of("sane")));
  EXPECT_FALSE(equal_in_constant_time(bytes_of("same"), bytes_of("same!")));
  EXPECT_TRUE(equal_in_constant_time({}, {}));
}

TEST(Crypto, RandomKeysDiffer) {
  const SecretKey a = SecretKey::random().value();
  const SecretKey b = SecretKey::random().value();
  EXPECT_FALSE(equal_in_constant_time(a.view(), b.view()));
}

}  // namespace
}  // namespace unirack
