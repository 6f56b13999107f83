// What a rank says so that others of the same machine find it, and whether two such statements may
// share memory: same boot, same network namespace (where the socket's abstract name lives), same
// user, same pool, same UNIRACK_DOMAIN.
//
// A plain value; reading the identity of this process touches /proc once.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "lib/base/bytes.h"
#include "lib/base/result.h"

namespace unirack {

struct ShmAddress {
  static constexpr size_t kBootIdBytes = 36;
  static constexpr size_t kNonceBytes = 16;

  std::array<std::byte, kBootIdBytes> boot_id{};
  uint64_t namespace_device = 0;
  uint64_t namespace_inode = 0;
  uint32_t user = 0;
  uint64_t instance = 0;
  std::array<std::byte, kNonceBytes> nonce{};  // random, names the socket
  std::string domain;

  // Of this process, with a fresh nonce.
  static Result<ShmAddress> create(uint64_t instance, std::string domain);
  static Result<ShmAddress> decode(BytesView wire);
  std::vector<std::byte> encode() const;

  // Symmetric. False for this address itself.
  bool shares_memory_with(const ShmAddress& other) const;
  // Without the leading zero byte of abstract names.
  std::string socket_name() const;
};

}  // namespace unirack
