// Copying between buffers at memory speed: below a threshold memcpy, above it stores that bypass
// the cache, which save the read of the target's lines and leave the cache to others.
//
// Pure functions for any thread. A copy may be cut into steps: the caller decides once, from the
// size of the whole, and passes the decision to every step. After a streaming step all its stores
// are ordered before any later store, so a signal may follow at once.
#pragma once

#include <cstddef>
#include <cstdint>

namespace unirack {

enum class CopyKind : uint8_t { cached, streaming };

// From the size of the last level cache, read once.
size_t streaming_threshold_bytes();

inline CopyKind copy_kind(size_t total_bytes) {
  return total_bytes >= streaming_threshold_bytes() ? CopyKind::streaming : CopyKind::cached;
}

// The buffers do not overlap, except that they may be the same.
void copy_bytes(std::byte* target, const std::byte* source, size_t bytes, CopyKind kind);

inline void copy_bytes(std::byte* target, const std::byte* source, size_t bytes) {
  copy_bytes(target, source, bytes, copy_kind(bytes));
}

}  // namespace unirack
