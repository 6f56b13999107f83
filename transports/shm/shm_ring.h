// A stream of records from one process to another through shared memory: a header of 64 bytes and
// its payload, contiguous. It moves what can be moved no other way: private memory where CMA is not
// allowed, and signals into private memory.
//
// One writer, one reader, each used by the thread that owns its transport. The reader believes
// nothing: positions and sizes are checked, headers are copied before they are looked at.
#pragma once

#include <cstddef>
#include <cstdint>

#include "lib/base/result.h"
#include "transports/shm/shm_layout.h"

namespace unirack {

struct ShmRecord {
  enum class Kind : uint32_t {
    skip = 0,    // to the end of the ring's memory
    put = 1,     // payload into (region, offset)
    signal = 2,  // value into (region, offset)
    ask = 3,     // please send `value` bytes of (region, offset) under `tag`
    reply = 4,   // payload, the next of what was asked
    end = 5,     // of what was asked; `value` is a Code
  };

  Kind kind = Kind::skip;
  uint32_t payload_bytes = 0;
  uint64_t region = 0;
  uint64_t offset = 0;
  uint64_t value = 0;
  uint64_t tag = 0;
  uint32_t path = 0;
  uint32_t zero[5] = {};
};
static_assert(sizeof(ShmRecord) == 64);

inline constexpr uint32_t kShmRingBytesMin = 4096;
inline constexpr uint32_t kShmRingBytesMax = uint32_t{1} << 24;

class ShmRingWriter {
 public:
  ShmRingWriter() = default;
  // `ring_bytes` is a power of two.
  ShmRingWriter(ShmRingPositions* positions, std::byte* bytes, uint32_t ring_bytes)
      : positions_(positions), bytes_(bytes), ring_bytes_(ring_bytes) {}

  uint32_t payload_bytes_max() const { return ring_bytes_ / 4 - uint32_t{sizeof(ShmRecord)}; }
  // Where the payload goes, or null while there is no room. Nothing is visible before commit().
  std::byte* reserve(uint32_t payload_bytes);
  void commit(const ShmRecord& record);
  // Without payload; false while there is no room.
  bool push(const ShmRecord& record);

  // Counts bytes; a record is used up once read_position() has reached what position() was after
  // its commit.
  uint64_t position() const { return position_; }
  uint64_t read_position();

 private:
  ShmRingPositions* positions_ = nullptr;
  std::byte* bytes_ = nullptr;
  uint32_t ring_bytes_ = 0;
  uint64_t position_ = 0;
  uint64_t read_ = 0;  // as last seen
};

class ShmRingReader {
 public:
  ShmRingReader() = default;
  ShmRingReader(ShmRingPositions* positions, const std::byte* bytes, uint32_t ring_bytes)
      : positions_(positions), bytes_(bytes), ring_bytes_(ring_bytes) {}

  bool is_empty() const { return positions_->written.load(std::memory_order_acquire) == position_; }
  // The next record and its payload, null when there is none. `corrupted` when the writer broke
  // the rules.
  Result<const std::byte*> front(ShmRecord& record);
  // Done with the payload.
  void pop(const ShmRecord& record);

 private:
  ShmRingPositions* positions_ = nullptr;
  const std::byte* bytes_ = nullptr;
  uint32_t ring_bytes_ = 0;
  uint64_t position_ = 0;
};

}  // namespace unirack
