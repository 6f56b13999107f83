#include "lib/control/unique_id.h"

#include <algorithm>

#include "lib/base/bytes.h"
#include "lib/base/crc32c.h"
#include "lib/base/secret_file.h"

namespace unirack {
namespace {

constexpr uint8_t kVersion = 1;
constexpr uint8_t kOpenedByRank0 = 1;
constexpr size_t kCrcOffset = 4;

uint32_t checksum(std::span<const std::byte, UniqueId::kBytes> bytes) {
  std::array<std::byte, UniqueId::kBytes> copy;
  std::copy(bytes.begin(), bytes.end(), copy.begin());
  std::fill_n(copy.begin() + kCrcOffset, sizeof(uint32_t), std::byte{0});
  return crc32c(copy);
}

Error malformed(const char* what) {
  return make_error(Code::invalid_argument,
                    std::string("not a unique id of this version: ") + what);
}

}  // namespace

Result<UniqueId> UniqueId::make(std::span<const SocketAddress> addresses) {
  UniqueId id;
  id.key_ = UNIRACK_TRY(SecretKey::random());
  return id.with_addresses(addresses);
}

UniqueId UniqueId::with_addresses(std::span<const SocketAddress> addresses) const {
  UniqueId id = *this;
  const auto kept = addresses.first(std::min(addresses.size(), kAddressesMax));
  id.addresses_.assign(kept.begin(), kept.end());
  return id;
}

Result<UniqueId> UniqueId::from_environment(const Config& config, Deadline deadline) {
  if (config.rendezvous.empty() || config.secret_file.empty()) {
    return make_error(Code::invalid_argument,
                      "expected UNIRACK_RENDEZVOUS=host:port and UNIRACK_SECRET_FILE together");
  }
  UniqueId id;
  id.key_ = UNIRACK_TRY(read_secret_file(config.secret_file));
  id.addresses_ = UNIRACK_TRY(SocketAddress::resolve(config.rendezvous, deadline));
  if (id.addresses_.size() > kAddressesMax) id.addresses_.resize(kAddressesMax);
  id.opened_by_rank_0_ = true;
  return id;
}

Result<UniqueId> UniqueId::parse(BytesView bytes) {
  if (bytes.size() != kBytes) return malformed("expected 128 bytes");
  Reader reader(bytes);
  const auto version = UNIRACK_TRY(reader.take<uint8_t>());
  const auto flags = UNIRACK_TRY(reader.take<uint8_t>());
  const auto count = UNIRACK_TRY(reader.take<uint8_t>());
  UNIRACK_TRY(reader.take<uint8_t>());
  const auto crc = UNIRACK_TRY(reader.take<uint32_t>());
  UNIRACK_TRY(reader.take<uint64_t>());
  if (crc != checksum(bytes.first<kBytes>())) return malformed("its checksum is wrong");
  if (version != kVersion) return malformed("its version is another");
  if (count > kAddressesMax || flags > kOpenedByRank0) return malformed("its fields are wrong");
  UniqueId id;
  id.opened_by_rank_0_ = flags == kOpenedByRank0;
  id.key_ = SecretKey(UNIRACK_TRY(reader.take_bytes(kDigestBytes)).first<kDigestBytes>());
  for (size_t i = 0; i < count; ++i) {
    id.addresses_.push_back(UNIRACK_TRY(SocketAddress::decode(reader)));
  }
  return id;
}

std::array<std::byte, UniqueId::kBytes> UniqueId::serialise() const {
  std::array<std::byte, kBytes> bytes{};
  Writer writer{Bytes(bytes)};
  writer.put(kVersion);
  writer.put(static_cast<uint8_t>(opened_by_rank_0_ ? kOpenedByRank0 : 0));
  writer.put(static_cast<uint8_t>(addresses_.size()));
  writer.put(uint8_t{0});
  writer.put(uint32_t{0});
  writer.put(uint64_t{0});
  writer.put_bytes(key_.view());
  for (const SocketAddress& address : addresses_) address.encode(writer);
  store_little(bytes.data() + kCrcOffset, checksum(bytes));
  return bytes;
}

}  // namespace unirack
