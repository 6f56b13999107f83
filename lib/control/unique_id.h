// What a rank needs to join a pool: the job key and where the rendezvous is, in 128 bytes. Whoever
// has it holds the key: hand it on over a trusted channel only. A plain value that wipes its key
// when it goes; callable from any thread.
//
// Bytes, little-endian: version u8 | flags u8 | address count u8 | zero u8 | crc32c u32 | zero 8 |
// key 32 | four addresses of 20.
#pragma once

#include <array>
#include <span>
#include <vector>

#include "lib/base/config.h"
#include "lib/base/crypto.h"
#include "lib/net/address.h"

namespace unirack {

class UniqueId {
 public:
  static constexpr size_t kBytes = 128;
  static constexpr size_t kAddressesMax = 4;

  // An id with a zero key and no address, to be assigned to.
  UniqueId() = default;
  // A fresh random key. Without addresses it serves a pool of one rank.
  static Result<UniqueId> make(std::span<const SocketAddress> addresses);
  // UNIRACK_RENDEZVOUS and UNIRACK_SECRET_FILE: the same on every rank. Rank 0 opens the rendezvous
  // when it joins. A name is resolved, which may take until the deadline.
  static Result<UniqueId> from_environment(const Config& config, Deadline deadline);
  static Result<UniqueId> parse(BytesView bytes);

  // The same key, met elsewhere; at most kAddressesMax are kept.
  UniqueId with_addresses(std::span<const SocketAddress> addresses) const;
  std::array<std::byte, kBytes> serialise() const;
  const SecretKey& key() const { return key_; }
  std::span<const SocketAddress> addresses() const { return addresses_; }
  // The rendezvous opens when rank 0 joins; else it was open before this id existed.
  bool opened_by_rank_0() const { return opened_by_rank_0_; }

 private:
  SecretKey key_;
  std::vector<SocketAddress> addresses_;
  bool opened_by_rank_0_ = false;
};

}  // namespace unirack
