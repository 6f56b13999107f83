// The list of what peers may touch: every registered region has an index and a generation, and an
// access is allowed only while that generation lives and only inside its bounds.
//
// Owned by a transport. add(), retire() and check() belong to the thread that owns the transport;
// pin() may be called from any thread. A pin keeps its region registered: retire() waits until the
// last pin is gone, so pins are held for one bounded copy and no longer. Indices are reused,
// generations never repeat before 2^32 registrations of one index.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "lib/base/result.h"

namespace unirack {

enum class Access : uint8_t { none = 0, read = 1, write = 2, read_write = 3 };

constexpr bool allows(Access granted, Access wanted) {
  return (static_cast<uint8_t>(granted) & static_cast<uint8_t>(wanted)) ==
         static_cast<uint8_t>(wanted);
}

// How a region is named on the wire. Generation 0 names nothing.
struct RegionId {
  uint32_t index = 0;
  uint32_t generation = 0;

  constexpr uint64_t packed() const { return uint64_t{generation} << 32 | index; }
  static constexpr RegionId unpack(uint64_t packed) {
    return {static_cast<uint32_t>(packed), static_cast<uint32_t>(packed >> 32)};
  }
  friend constexpr bool operator==(RegionId, RegionId) = default;
};

class RegionTable {
 public:
  static constexpr uint32_t kChunkSlots = 1024;
  static constexpr uint32_t kCapacityMax = 1u << 20;

  explicit RegionTable(uint32_t capacity = kCapacityMax);
  RegionTable(const RegionTable&) = delete;
  RegionTable& operator=(const RegionTable&) = delete;

  Result<RegionId> add(std::byte* data, size_t bytes, Access access);
  // Afterwards no check() or pin() of this id succeeds and none that succeeded is still in use.
  void retire(RegionId id);

  // Where [offset, offset + bytes) lies, or `stale`, or `invalid_argument` for what lies outside
  // the region or is not allowed there.
  Result<std::byte*> check(RegionId id, uint64_t offset, uint64_t bytes, Access access) const;

  // A checked range that stays registered until the pin dies.
  class Pin;
  Result<Pin> pin(RegionId id, uint64_t offset, uint64_t bytes, Access access);

  uint32_t live_count() const { return live_count_; }

 private:
  struct Slot {
    std::atomic<uint64_t> tag{0};  // generation in the upper half, access below; 0: retired
    std::atomic<uint32_t> pins{0};
    uint32_t generation = 0;
    std::byte* data = nullptr;
    size_t bytes = 0;
  };

  Slot* slot(uint32_t index) const;
  Result<uint32_t> take_index();

  uint32_t capacity_;
  uint32_t next_index_ = 0;
  uint32_t live_count_ = 0;
  std::vector<uint32_t> free_;
  // Chunks never move, so that other threads may read while this one grows the table.
  std::array<std::unique_ptr<Slot[]>, kCapacityMax / kChunkSlots> chunks_;
  std::array<std::atomic<Slot*>, kCapacityMax / kChunkSlots> published_{};
};

class RegionTable::Pin {
 public:
  Pin(std::byte* data, std::atomic<uint32_t>* pins) : data_(data), pins_(pins) {}
  Pin(Pin&& other) noexcept : data_(other.data_), pins_(std::exchange(other.pins_, nullptr)) {}
  Pin& operator=(Pin&&) = delete;
  ~Pin() {
    if (pins_ != nullptr) pins_->fetch_sub(1, std::memory_order_release);
  }

  std::byte* data() const { return data_; }

 private:
  friend class RegionTable;
  std::byte* data_;
  std::atomic<uint32_t>* pins_;
};

}  // namespace unirack
