#include "lib/memory/region_table.h"

#include <sched.h>

#include <string>

namespace unirack {
namespace {

constexpr uint64_t kAccessBits = 3;
constexpr uint64_t kLiveBit = 4;

uint64_t make_tag(uint32_t generation, Access access) {
  return uint64_t{generation} << 32 | kLiveBit | static_cast<uint64_t>(access);
}

Error stale(RegionId id) {
  return make_error(Code::stale, "region " + std::to_string(id.index) + " generation " +
                                     std::to_string(id.generation) + " is not registered");
}

// Ok when the tag is that of a live region of this generation.
bool names(uint64_t tag, RegionId id) {
  return (tag & kLiveBit) != 0 && static_cast<uint32_t>(tag >> 32) == id.generation;
}

Status check_range(uint64_t tag, uint64_t size, uint64_t offset, uint64_t bytes, Access access) {
  if (!allows(static_cast<Access>(tag & kAccessBits), access)) {
    return make_error(Code::invalid_argument, access == Access::read ? "region may not be read"
                                                                     : "region may not be written");
  }
  if (offset > size || bytes > size - offset) {
    return make_error(Code::invalid_argument, "access to " + std::to_string(bytes) +
                                                  " bytes at offset " + std::to_string(offset) +
                                                  " of a region of " + std::to_string(size));
  }
  return ok_status();
}

}  // namespace

RegionTable::RegionTable(uint32_t capacity)
    : capacity_(capacity < kCapacityMax ? capacity : kCapacityMax) {}

RegionTable::Slot* RegionTable::slot(uint32_t index) const {
  if (index >= kCapacityMax) return nullptr;
  Slot* const chunk = published_[index / kChunkSlots].load(std::memory_order_acquire);
  return chunk == nullptr ? nullptr : &chunk[index % kChunkSlots];
}

Result<uint32_t> RegionTable::take_index() {
  if (!free_.empty()) {
    const uint32_t index = free_.back();
    free_.pop_back();
    return index;
  }
  if (next_index_ == capacity_) {
    return make_error(Code::resource_exhausted,
                      "more than " + std::to_string(capacity_) + " regions are registered");
  }
  const uint32_t chunk = next_index_ / kChunkSlots;
  if (!chunks_[chunk]) {
    chunks_[chunk] = std::make_unique<Slot[]>(kChunkSlots);
    published_[chunk].store(chunks_[chunk].get(), std::memory_order_release);
  }
  return next_index_++;
}

Result<RegionId> RegionTable::add(std::byte* data, size_t bytes, Access access) {
  const uint32_t index = UNIRACK_TRY(take_index());
  Slot& slot = *this->slot(index);
  slot.generation = slot.generation + 1 == 0 ? 1 : slot.generation + 1;
  slot.data = data;
  slot.bytes = bytes;
  slot.tag.store(make_tag(slot.generation, access), std::memory_order_release);
  ++live_count_;
  return RegionId{index, slot.generation};
}

void RegionTable::retire(RegionId id) {
  Slot* const slot = this->slot(id.index);
  if (slot == nullptr || !names(slot->tag.load(std::memory_order_relaxed), id)) return;
  slot->tag.store(0, std::memory_order_seq_cst);
  while (slot->pins.load(std::memory_order_seq_cst) != 0) ::sched_yield();
  free_.push_back(id.index);
  --live_count_;
}

Result<std::byte*> RegionTable::check(RegionId id, uint64_t offset, uint64_t bytes,
                                      Access access) const {
  const Slot* const slot = this->slot(id.index);
  if (slot == nullptr) return stale(id);
  const uint64_t tag = slot->tag.load(std::memory_order_relaxed);
  if (!names(tag, id)) return stale(id);
  UNIRACK_TRY(check_range(tag, slot->bytes, offset, bytes, access));
  return slot->data + offset;
}

Result<RegionTable::Pin> RegionTable::pin(RegionId id, uint64_t offset, uint64_t bytes,
                                          Access access) {
  Slot* const slot = this->slot(id.index);
  if (slot == nullptr) return stale(id);
  // Announced before the tag is read, while retire() clears the tag before it reads the pins: one
  // of the two sees the other.
  slot->pins.fetch_add(1, std::memory_order_seq_cst);
  Pin pin(nullptr, &slot->pins);
  const uint64_t tag = slot->tag.load(std::memory_order_seq_cst);
  if (!names(tag, id)) return stale(id);
  UNIRACK_TRY(check_range(tag, slot->bytes, offset, bytes, access));
  pin.data_ = slot->data + offset;
  return pin;
}

}  // namespace unirack
