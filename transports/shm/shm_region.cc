#include "transports/shm/shm_region.h"

#include <sys/uio.h>

#include <cerrno>
#include <string>

namespace unirack {
namespace {

constexpr uint64_t kLiveBit = 4;

bool names(uint64_t tag, RegionId id) {
  return (tag & kLiveBit) != 0 && static_cast<uint32_t>(tag >> 32) == id.generation;
}

Error stale(RegionId id) {
  return make_error(Code::stale,
                    "the peer's region " + std::to_string(id.index) + " is no longer registered");
}

}  // namespace

void publish_region(ShmControl& control, RegionId id, const std::byte* base, uint64_t bytes,
                    Access access) {
  ShmRegionSlot& slot = control.regions[id.index];
  slot.base.store(reinterpret_cast<uintptr_t>(base), std::memory_order_relaxed);
  slot.bytes.store(bytes, std::memory_order_relaxed);
  slot.tag.store(uint64_t{id.generation} << 32 | kLiveBit | static_cast<uint64_t>(access),
                 std::memory_order_release);
}

void retire_region(ShmControl& control, RegionId id) {
  control.regions[id.index].tag.store(0, std::memory_order_seq_cst);
}

bool is_region_live(const ShmControl& control, RegionId id) {
  if (id.index >= kShmRegionsMax) return false;
  return names(control.regions[id.index].tag.load(std::memory_order_acquire), id);
}

Result<uint64_t> find_region(const ShmControl& control, RegionId id, uint64_t offset,
                             uint64_t bytes, Access access) {
  if (id.index >= kShmRegionsMax) return stale(id);
  const ShmRegionSlot& slot = control.regions[id.index];
  const uint64_t tag = slot.tag.load(std::memory_order_seq_cst);
  const uint64_t base = slot.base.load(std::memory_order_acquire);
  const uint64_t size = slot.bytes.load(std::memory_order_acquire);
  if (!names(tag, id) || slot.tag.load(std::memory_order_relaxed) != tag) return stale(id);
  if (!allows(static_cast<Access>(tag & 3), access)) {
    return make_error(Code::invalid_argument, access == Access::read
                                                  ? "the peer's region may not be read"
                                                  : "the peer's region may not be written");
  }
  if (offset > size || bytes > size - offset) {
    return make_error(Code::invalid_argument, "access beyond the end of the peer's region");
  }
  return base + offset;
}

Result<size_t> cma_copy(pid_t pid, CmaDirection direction, std::byte* local, uint64_t remote,
                        size_t bytes) {
  const iovec here{local, bytes};
  const iovec there{reinterpret_cast<void*>(static_cast<uintptr_t>(remote)), bytes};
  const ssize_t moved = direction == CmaDirection::read
                            ? ::process_vm_readv(pid, &here, 1, &there, 1, 0)
                            : ::process_vm_writev(pid, &here, 1, &there, 1, 0);
  if (moved > 0) return static_cast<size_t>(moved);
  const int error = errno;
  switch (error) {
    case EPERM:
    case ENOSYS:
      return make_error(Code::unavailable, "copies between processes are not allowed", kNoRank,
                        error);
    case ESRCH:
      return make_error(Code::peer_failed, "the peer's process is gone", kNoRank, error);
    default:
      return make_error(Code::system, "the peer's registered memory cannot be accessed", kNoRank,
                        error);
  }
}

}  // namespace unirack
