// A stable 64-bit hash for fingerprints: the same bytes give the same value on every machine and in
// every version, so it may travel on the wire and be written to files. FNV-1a over the bytes with a
// final mix (the finisher of SplitMix64), since FNV alone leaves its upper bits weak for short
// input. Not for secrets and not against attackers: see crypto.h. A plain value; no thread promises
// needed.
#pragma once

#include <cstdint>
#include <string_view>

#include "lib/base/bytes.h"

namespace unirack {

class Hash64 {
 public:
  Hash64& add_bytes(BytesView bytes) {
    for (const std::byte byte : bytes) {
      state_ = (state_ ^ static_cast<uint64_t>(byte)) * 0x100000001b3ull;
    }
    return *this;
  }

  // Integers of every width are hashed as eight bytes, so widening a field keeps its fingerprint.
  Hash64& add(uint64_t value) {
    std::byte raw[sizeof(value)];
    store_little(raw, value);
    return add_bytes(raw);
  }

  // Length first, so that ("ab", "c") and ("a", "bc") differ.
  Hash64& add(std::string_view text) {
    add(uint64_t{text.size()});
    return add_bytes(bytes_of(text));
  }

  uint64_t value() const {
    uint64_t mixed = state_;
    mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9ull;
    mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111ebull;
    return mixed ^ (mixed >> 31);
  }

 private:
  uint64_t state_ = 0xcbf29ce484222325ull;
};

inline uint64_t hash64(BytesView bytes) { return Hash64().add_bytes(bytes).value(); }

}  // namespace unirack
