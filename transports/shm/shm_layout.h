// What processes see of each other in shared memory. All fields that two processes touch are
// lock-free atomics; nothing here is a pointer that anybody follows. Both ends run the same build:
// the handshake agreed on the protocol version.
//
// ShmControl belongs to one rank, which alone may write it (peers map it read-only). ShmPair
// belongs to a link: two rings and two notes, one for each direction.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>

#include "lib/memory/region_table.h"

namespace unirack {

static_assert(std::atomic<uint64_t>::is_always_lock_free);

inline constexpr uint32_t kShmRegionsMax = 4096;

// The public half of a registration. A reader looks at the tag before and after the rest.
struct ShmRegionSlot {
  std::atomic<uint64_t> tag;  // generation in the upper half, 4 | access below; 0: retired
  std::atomic<uint64_t> base;
  std::atomic<uint64_t> bytes;
};

struct ShmControl {
  alignas(64) std::atomic<uint32_t> is_sleeping;
  alignas(64) uint64_t probe;  // random; whoever can read it in our memory may use CMA
  alignas(64) std::array<ShmRegionSlot, kShmRegionsMax> regions;
};

// Positions count bytes since the start and never wrap.
struct ShmRingPositions {
  alignas(64) std::atomic<uint64_t> written;
  alignas(64) std::atomic<uint64_t> read;
};

struct ShmDirection {
  ShmRingPositions ring;
  // The region (packed id) whose private memory the writer touches right now through CMA. Its owner
  // waits for this to change before a registration ends.
  alignas(64) std::atomic<uint64_t> touching;
  // Set when the writer gives up: what it has left in the ring is not to be used.
  std::atomic<uint32_t> is_revoked;
};

// Followed by the bytes of both rings.
struct ShmPair {
  std::array<ShmDirection, 2> directions;  // 0: written by the lower rank
};

}  // namespace unirack
