#include "transports/shm/shm_ring.h"

#include <cstring>

namespace unirack {
namespace {

uint64_t stride(uint32_t payload_bytes) {
  return (sizeof(ShmRecord) + uint64_t{payload_bytes} + 63) / 64 * 64;
}

Error corrupted() { return make_error(Code::corrupted, "the peer's ring makes no sense"); }

}  // namespace

uint64_t ShmRingWriter::read_position() {
  read_ = positions_->read.load(std::memory_order_acquire);
  return read_;
}

std::byte* ShmRingWriter::reserve(uint32_t payload_bytes) {
  const uint64_t wanted = stride(payload_bytes);
  uint64_t at = position_ % ring_bytes_;
  const uint64_t skipped = at + wanted > ring_bytes_ ? ring_bytes_ - at : 0;
  if (position_ + skipped + wanted - read_ > ring_bytes_ &&
      position_ + skipped + wanted - read_position() > ring_bytes_) {
    return nullptr;
  }
  if (skipped > 0) {
    const ShmRecord skip;
    std::memcpy(bytes_ + at, &skip, sizeof(skip));
    position_ += skipped;
    at = 0;
  }
  return bytes_ + at + sizeof(ShmRecord);
}

void ShmRingWriter::commit(const ShmRecord& record) {
  std::memcpy(bytes_ + position_ % ring_bytes_, &record, sizeof(record));
  position_ += stride(record.payload_bytes);
  positions_->written.store(position_, std::memory_order_release);
}

bool ShmRingWriter::push(const ShmRecord& record) {
  if (reserve(0) == nullptr) return false;
  commit(record);
  return true;
}

Result<const std::byte*> ShmRingReader::front(ShmRecord& record) {
  while (true) {
    const uint64_t available = positions_->written.load(std::memory_order_acquire) - position_;
    if (available == 0) return nullptr;
    const uint64_t at = position_ % ring_bytes_;
    if (available > ring_bytes_ || available < sizeof(record)) return corrupted();
    std::memcpy(&record, bytes_ + at, sizeof(record));
    if (record.kind == ShmRecord::Kind::skip) {
      if (ring_bytes_ - at > available) return corrupted();
      position_ += ring_bytes_ - at;
      continue;
    }
    const uint64_t taken = stride(record.payload_bytes);
    if (taken > available || taken > ring_bytes_ - at) return corrupted();
    return bytes_ + at + sizeof(record);
  }
}

void ShmRingReader::pop(const ShmRecord& record) {
  position_ += stride(record.payload_bytes);
  positions_->read.store(position_, std::memory_order_release);
}

}  // namespace unirack
