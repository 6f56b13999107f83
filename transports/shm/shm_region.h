// Registrations as peers see them through ShmControl, and the copies between processes that need
// them: CMA (process_vm_readv and process_vm_writev), where the kernel copies between two address
// spaces and the peer need not run.
//
// publish and retire belong to the owner of the control segment; the rest to its readers. Addresses
// read here are the peer's own and are used only to name the peer's memory to the kernel, which
// checks them.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>

#include "lib/base/result.h"
#include "lib/memory/region_table.h"
#include "transports/shm/shm_layout.h"

namespace unirack {

void publish_region(ShmControl& control, RegionId id, const std::byte* base, uint64_t bytes,
                    Access access);
void retire_region(ShmControl& control, RegionId id);

// Whether the peer still has this registration.
bool is_region_live(const ShmControl& control, RegionId id);
// The peer's address of a range, checked against what the peer published.
Result<uint64_t> find_region(const ShmControl& control, RegionId id, uint64_t offset,
                             uint64_t bytes, Access access);

enum class CmaDirection : uint8_t { read, write };

// How many bytes were moved, more than 0. `unavailable`: this system does not allow it;
// `peer_failed`: the process is gone; `system`: its memory is.
Result<size_t> cma_copy(pid_t pid, CmaDirection direction, std::byte* local, uint64_t remote,
                        size_t bytes);

}  // namespace unirack
