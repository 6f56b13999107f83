// The few primitives that authentication needs, from OpenSSL's libcrypto: HMAC-SHA256, HKDF-SHA256
// and a comparison that takes the same time wherever two values differ. SecretKey wipes itself when
// it goes and has no way to print. Free functions may be called from any thread; an Hmac has one
// owner. Failures of libcrypto (no memory, a crippled provider) are Code::internal.
#pragma once

#include <array>
#include <memory>
#include <span>
#include <string_view>

#include "lib/base/bytes.h"

struct evp_mac_ctx_st;

namespace unirack {

inline constexpr size_t kDigestBytes = 32;
using Digest = std::array<std::byte, kDigestBytes>;

class SecretKey {
 public:
  SecretKey() = default;
  explicit SecretKey(std::span<const std::byte, kDigestBytes> bytes);
  SecretKey(const SecretKey&) = default;
  SecretKey& operator=(const SecretKey&) = default;
  ~SecretKey();

  static Result<SecretKey> random();

  BytesView view() const { return bytes_; }

 private:
  Digest bytes_{};
};

// A keyed HMAC-SHA256 that can be computed again and again without setting up the key each time.
class Hmac {
 public:
  static Result<Hmac> create(const SecretKey& key);

  // Over the concatenation of the parts.
  Result<Digest> digest(std::span<const BytesView> parts);

 private:
  struct Free {
    void operator()(evp_mac_ctx_st* context) const;
  };
  explicit Hmac(evp_mac_ctx_st* context) : context_(context) {}

  std::unique_ptr<evp_mac_ctx_st, Free> context_;
};

Result<Digest> hmac_sha256(const SecretKey& key, std::span<const BytesView> parts);
// RFC 5869, extract and expand to 32 bytes.
Result<SecretKey> hkdf_sha256(const SecretKey& key, BytesView salt, std::string_view info);
Result<Digest> sha256(BytesView bytes);

bool equal_in_constant_time(BytesView a, BytesView b);

}  // namespace unirack
