#include "collectives/memory_directory.h"

#include <algorithm>

#include "lib/base/bytes.h"

namespace unirack {

namespace {

// Beyond this many, the registration that was used longest ago goes. At most K operations of two
// buffers each are in progress, so one in use is never among the oldest.
constexpr size_t kRegionsMax = 1024;

bool covers(Access have, Access want) {
  return (static_cast<unsigned>(want) & ~static_cast<unsigned>(have)) == 0;
}

}  // namespace

Result<RegionRef> MemoryDirectory::find(const std::byte* data, uint64_t bytes, Access access) {
  for (const auto& region : regions_) {
    const bool inside = data >= region->data && data <= region->data + region->bytes &&
                        bytes <= region->bytes - static_cast<uint64_t>(data - region->data);
    if (!inside || !covers(region->access, access)) continue;
    region->last_used = ++uses_;
    return RegionRef{region->id, static_cast<uint64_t>(data - region->data)};
  }
  // Peers only get what `access` grants, so const memory stays as it is.
  Region* region =
      UNIRACK_TRY(enter(const_cast<std::byte*>(data), bytes, access, SharedMemory(), false));
  return RegionRef{region->id, 0};
}

Result<uint32_t> MemoryDirectory::add(std::byte* data, uint64_t bytes) {
  return UNIRACK_TRY(enter(data, bytes, Access::read_write, SharedMemory(), true))->id;
}

Status MemoryDirectory::remove(uint32_t id) {
  const std::lock_guard lock(mutex_);
  const auto gone = std::erase_if(regions_, [&](const auto& region) {
    return region->id == id && region->is_kept && region->symmetric.data() == nullptr;
  });
  if (gone > 0) return ok_status();
  return make_error(Code::invalid_argument,
                    "no such registration: expected a handle from unirackCommRegister");
}

Result<std::byte*> MemoryDirectory::allocate(uint64_t bytes) {
  auto memory = UNIRACK_TRY(SharedMemory::create(std::max<uint64_t>(bytes, 1)));
  std::byte* const data = memory.data();
  const uint64_t size = memory.size();
  UNIRACK_TRY(enter(data, size, Access::read_write, std::move(memory), true));
  return data;
}

Status MemoryDirectory::release(const std::byte* data) {
  const std::lock_guard lock(mutex_);
  const auto gone = std::erase_if(regions_, [&](const auto& region) {
    return region->data == data && region->symmetric.data() != nullptr;
  });
  if (gone > 0) return ok_status();
  return make_error(Code::invalid_argument, "expected a pointer that unirackMemAlloc returned");
}

bool MemoryDirectory::is_symmetric(const std::byte* data, uint64_t bytes) const {
  return std::any_of(regions_.begin(), regions_.end(), [&](const auto& region) {
    return region->symmetric.data() != nullptr && data >= region->data &&
           data <= region->data + region->bytes &&
           bytes <= region->bytes - static_cast<uint64_t>(data - region->data);
  });
}

Result<MemoryDirectory::Region*> MemoryDirectory::enter(std::byte* data, uint64_t bytes,
                                                        Access access, SharedMemory symmetric,
                                                        bool is_kept) {
  if (regions_.size() >= kRegionsMax) evict_one();
  auto region = std::make_unique<Region>();
  region->id = next_id_++;
  region->data = data;
  region->bytes = bytes;
  region->access = access;
  region->is_kept = is_kept;
  region->last_used = ++uses_;
  region->symmetric = std::move(symmetric);
  const Memory memory{data, bytes, region->symmetric.fd(), MemoryKind::host};
  region->registrations.resize(transports_.size());
  for (size_t i = 0; i < transports_.size(); ++i) {
    if (transports_[i] == nullptr) continue;
    region->registrations[i] = UNIRACK_TRY(transports_[i]->register_memory(memory, access));
  }
  const std::lock_guard lock(mutex_);
  if (region->symmetric.data() != nullptr) {
    // Whatever was registered at these addresses before has been unmapped since.
    std::erase_if(regions_, [&](const auto& old) {
      return !old->is_kept && old->data < data + bytes && data < old->data + old->bytes;
    });
  }
  regions_.push_back(std::move(region));
  return regions_.back().get();
}

void MemoryDirectory::evict_one() {
  auto oldest = regions_.end();
  for (auto at = regions_.begin(); at != regions_.end(); ++at) {
    if ((*at)->is_kept) continue;
    if (oldest == regions_.end() || (*at)->last_used < (*oldest)->last_used) oldest = at;
  }
  if (oldest == regions_.end()) return;
  const std::lock_guard lock(mutex_);
  regions_.erase(oldest);
}

std::vector<std::byte> MemoryDirectory::question(uint32_t region, size_t transport) {
  std::vector<std::byte> bytes;
  Writer writer(bytes);
  writer.put<uint32_t>(region);
  writer.put<uint8_t>(static_cast<uint8_t>(transport));
  return bytes;
}

Result<std::vector<std::byte>> MemoryDirectory::answer(std::span<const std::byte> question) const {
  Reader reader(question);
  const auto id = UNIRACK_TRY(reader.take<uint32_t>());
  const auto transport = UNIRACK_TRY(reader.take<uint8_t>());
  UNIRACK_TRY(reader.expect_end());
  const std::lock_guard lock(mutex_);
  for (const auto& region : regions_) {
    if (region->id != id || transport >= region->registrations.size()) continue;
    const auto& registration = region->registrations[transport];
    if (registration == nullptr) break;
    std::vector<std::byte> bytes;
    Writer writer(bytes);
    writer.put<uint64_t>(region->bytes);
    writer.put_bytes(registration->descriptor());
    return bytes;
  }
  return make_error(Code::stale, "region " + std::to_string(id) + " does not exist any more");
}

void MemoryDirectory::clear() {
  const std::lock_guard lock(mutex_);
  for (const auto& region : regions_) {
    for (auto& registration : region->registrations) registration.reset();
  }
}

}  // namespace unirack
