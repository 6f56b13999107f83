// The memory of this rank that peers may touch: what the user's buffers are registered as, and the
// symmetric memory handed out. Registrations are made on first use and kept; ids are never reused.
//
// Owned by the Engine and used by its owner thread, except answer(), which the control thread
// calls.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <vector>

#include "collectives/operation.h"
#include "lib/base/result.h"
#include "lib/memory/shared_memory.h"
#include "transports/transport.h"

namespace unirack {

class MemoryDirectory {
 public:
  // `transports` outlives the directory; null entries are not used by any link.
  explicit MemoryDirectory(std::vector<Transport*> transports)
      : transports_(std::move(transports)) {}

  // The region that covers these bytes with this access; registered now if there is none.
  Result<RegionRef> find(const std::byte* data, uint64_t bytes, Access access);
  // Keeps a registration until remove(), whatever else is registered.
  Result<uint32_t> add(std::byte* data, uint64_t bytes);
  Status remove(uint32_t id);

  Result<std::byte*> allocate(uint64_t bytes);
  Status release(const std::byte* data);
  bool is_symmetric(const std::byte* data, uint64_t bytes) const;

  // A question is (region id, transport index); the answer its size and descriptor.
  static std::vector<std::byte> question(uint32_t region, size_t transport);
  Result<std::vector<std::byte>> answer(std::span<const std::byte> question) const;

  // After a failure: nothing of a peer lands any more.
  void clear();

 private:
  struct Region {
    uint32_t id = 0;
    std::byte* data = nullptr;
    uint64_t bytes = 0;
    Access access = Access::none;
    bool is_kept = false;  // asked for by the user, or symmetric
    uint64_t last_used = 0;
    SharedMemory symmetric;                                    // empty for the user's own memory
    std::vector<std::unique_ptr<Registration>> registrations;  // by transport
  };

  Result<Region*> enter(std::byte* data, uint64_t bytes, Access access, SharedMemory symmetric,
                        bool is_kept);
  void evict_one();

  std::vector<Transport*> transports_;
  std::vector<std::unique_ptr<Region>> regions_;
  mutable std::mutex mutex_;  // regions_, between the owner and the control thread
  uint32_t next_id_ = 1;
  uint64_t uses_ = 0;
};

}  // namespace unirack
