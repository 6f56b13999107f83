// What one rank tells another about a registered region, and the table in which the other keeps
// what it was told. A descriptor holds a name and a size, no address. The table checks accesses on
// the side that makes them, so that a mistake is reported at once; the owner of the region checks
// again.
//
// Values and a plain table; the table belongs to the thread that owns the transport.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "lib/memory/region_table.h"
#include "transports/transport.h"

namespace unirack {

struct RegionDescriptor {
  RegionId id;
  uint64_t bytes = 0;
  Access access = Access::none;
  bool is_symmetric = false;  // backed by a memfd that peers may map

  static constexpr size_t kWireBytes = 24;
  using Wire = std::array<std::byte, kWireBytes>;
  // `transport` is a number that differs between transports, so that their descriptors cannot be
  // mixed up.
  Wire encode(uint8_t transport) const;
  static Result<RegionDescriptor> decode(BytesView wire, uint8_t transport);
};

class ImportTable {
 public:
  struct Entry {
    RegionDescriptor region;
    std::byte* mapped = nullptr;
  };

  // Replaces what was known about this index. Earlier handles of it are then stale.
  Remote add(const RegionDescriptor& region, std::byte* mapped);
  // Null when it was never imported or a later generation has taken its place.
  const Entry* find(uint32_t handle) const;
  const Entry* find(RegionId id) const;
  // The owner said that this region is gone.
  void forget(RegionId id);

  Result<const Entry*> check(const Remote& remote, uint64_t offset, uint64_t bytes,
                             Access access) const;
  // The same for the word a signal sets, which must be aligned.
  Result<const Entry*> check(const Signal& signal) const;

  static uint32_t handle_of(RegionId id);

 private:
  std::vector<Entry> entries_;  // by region index
};

}  // namespace unirack
