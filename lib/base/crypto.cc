#include "lib/base/crypto.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/params.h>

#include <algorithm>

#include "lib/base/random.h"

namespace unirack {
namespace {

const unsigned char* raw(BytesView bytes) {
  return reinterpret_cast<const unsigned char*>(bytes.data());
}
unsigned char* raw(Bytes bytes) { return reinterpret_cast<unsigned char*>(bytes.data()); }

// OSSL_PARAM wants mutable pointers for what it only reads, and none of them null.
OSSL_PARAM octets(const char* name, BytesView bytes) {
  static const std::byte nothing{};
  if (bytes.empty()) bytes = BytesView(&nothing, 0);
  return OSSL_PARAM_construct_octet_string(name, const_cast<std::byte*>(bytes.data()),
                                           bytes.size());
}

OSSL_PARAM sha256_param(const char* name) {
  static char digest_name[] = "SHA256";
  return OSSL_PARAM_construct_utf8_string(name, digest_name, 0);
}

Error libcrypto_error(const char* what) {
  return make_error(Code::internal, std::string("libcrypto cannot compute ") + what);
}

}  // namespace

SecretKey::SecretKey(std::span<const std::byte, kDigestBytes> bytes) {
  std::copy(bytes.begin(), bytes.end(), bytes_.begin());
}

SecretKey::~SecretKey() { OPENSSL_cleanse(bytes_.data(), bytes_.size()); }

Result<SecretKey> SecretKey::random() {
  SecretKey key;
  UNIRACK_TRY(fill_random(key.bytes_));
  return key;
}

void Hmac::Free::operator()(evp_mac_ctx_st* context) const { EVP_MAC_CTX_free(context); }

Result<Hmac> Hmac::create(const SecretKey& key) {
  EVP_MAC* algorithm = EVP_MAC_fetch(nullptr, "HMAC", nullptr);
  if (algorithm == nullptr) return libcrypto_error("HMAC");
  Hmac hmac(EVP_MAC_CTX_new(algorithm));
  EVP_MAC_free(algorithm);  // the context keeps its own reference
  const OSSL_PARAM params[] = {sha256_param(OSSL_MAC_PARAM_DIGEST), OSSL_PARAM_END};
  if (hmac.context_ == nullptr ||
      EVP_MAC_init(hmac.context_.get(), raw(key.view()), key.view().size(), params) != 1) {
    return libcrypto_error("HMAC-SHA256");
  }
  return hmac;
}

Result<Digest> Hmac::digest(std::span<const BytesView> parts) {
  // Without a key, init starts over with the one that was set.
  bool good = EVP_MAC_init(context_.get(), nullptr, 0, nullptr) == 1;
  for (const BytesView part : parts) {
    good = good && EVP_MAC_update(context_.get(), raw(part), part.size()) == 1;
  }
  Digest digest{};
  size_t written = 0;
  good = good && EVP_MAC_final(context_.get(), raw(Bytes(digest)), &written, digest.size()) == 1;
  if (!good || written != digest.size()) return libcrypto_error("HMAC-SHA256");
  return digest;
}

Result<Digest> hmac_sha256(const SecretKey& key, std::span<const BytesView> parts) {
  Hmac hmac = UNIRACK_TRY(Hmac::create(key));
  return hmac.digest(parts);
}

Result<SecretKey> hkdf_sha256(const SecretKey& key, BytesView salt, std::string_view info) {
  struct FreeContext {
    void operator()(EVP_KDF_CTX* context) const { EVP_KDF_CTX_free(context); }
  };
  EVP_KDF* algorithm = EVP_KDF_fetch(nullptr, "HKDF", nullptr);
  if (algorithm == nullptr) return libcrypto_error("HKDF");
  const std::unique_ptr<EVP_KDF_CTX, FreeContext> context(EVP_KDF_CTX_new(algorithm));
  EVP_KDF_free(algorithm);  // the context keeps its own reference
  const OSSL_PARAM params[] = {sha256_param(OSSL_KDF_PARAM_DIGEST),
                               octets(OSSL_KDF_PARAM_KEY, key.view()),
                               octets(OSSL_KDF_PARAM_SALT, salt),
                               octets(OSSL_KDF_PARAM_INFO, bytes_of(info)), OSSL_PARAM_END};
  Digest derived{};
  if (context == nullptr ||
      EVP_KDF_derive(context.get(), raw(Bytes(derived)), derived.size(), params) != 1) {
    return libcrypto_error("HKDF-SHA256");
  }
  SecretKey result{std::span<const std::byte, kDigestBytes>(derived)};
  OPENSSL_cleanse(derived.data(), derived.size());
  return result;
}

Result<Digest> sha256(BytesView bytes) {
  Digest digest{};
  size_t written = 0;
  if (EVP_Q_digest(nullptr, "SHA256", nullptr, bytes.data(), bytes.size(), raw(Bytes(digest)),
                   &written) != 1) {
    return libcrypto_error("SHA-256");
  }
  return digest;
}

bool equal_in_constant_time(BytesView a, BytesView b) {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

}  // namespace unirack
