#include "transports/region_descriptor.h"

#include <string>

namespace unirack {
namespace {

constexpr uint32_t kMagic = 0x4e474552;  // "REGN"
constexpr int kIndexBits = 20;
constexpr uint32_t kIndexMask = (1u << kIndexBits) - 1;

}  // namespace

RegionDescriptor::Wire RegionDescriptor::encode(uint8_t transport) const {
  Wire wire{};
  Writer writer(wire);
  writer.put(kMagic);
  writer.put(transport);
  writer.put(static_cast<uint8_t>(access));
  writer.put(static_cast<uint8_t>(is_symmetric ? 1 : 0));
  writer.put(uint8_t{0});
  writer.put(id.packed());
  writer.put(bytes);
  return wire;
}

Result<RegionDescriptor> RegionDescriptor::decode(BytesView wire, uint8_t transport) {
  Reader reader(wire);
  const auto magic = UNIRACK_TRY(reader.take<uint32_t>());
  const auto kind = UNIRACK_TRY(reader.take<uint8_t>());
  if (magic != kMagic || kind != transport) {
    return make_error(Code::invalid_argument, "not a region descriptor of this transport");
  }
  const auto access = UNIRACK_TRY(reader.take<uint8_t>());
  const auto flags = UNIRACK_TRY(reader.take<uint8_t>());
  const auto zero = UNIRACK_TRY(reader.take<uint8_t>());
  RegionDescriptor region;
  region.id = RegionId::unpack(UNIRACK_TRY(reader.take<uint64_t>()));
  region.bytes = UNIRACK_TRY(reader.take<uint64_t>());
  UNIRACK_TRY(reader.expect_end());
  if (access > 3 || flags > 1 || zero != 0 || region.id.index > kIndexMask ||
      region.id.generation == 0) {
    return make_error(Code::invalid_argument, "region descriptor with fields out of range");
  }
  region.access = static_cast<Access>(access);
  region.is_symmetric = flags == 1;
  return region;
}

uint32_t ImportTable::handle_of(RegionId id) {
  return (id.index & kIndexMask) | id.generation << kIndexBits;
}

Remote ImportTable::add(const RegionDescriptor& region, std::byte* mapped) {
  if (region.id.index >= entries_.size()) entries_.resize(region.id.index + 1);
  entries_[region.id.index] = {region, mapped};
  return {mapped, handle_of(region.id)};
}

const ImportTable::Entry* ImportTable::find(uint32_t handle) const {
  const uint32_t index = handle & kIndexMask;
  if (index >= entries_.size()) return nullptr;
  const Entry& entry = entries_[index];
  if (entry.region.id.generation == 0 || handle_of(entry.region.id) != handle) return nullptr;
  return &entry;
}

const ImportTable::Entry* ImportTable::find(RegionId id) const {
  if (id.generation == 0 || id.index >= entries_.size()) return nullptr;
  const Entry& entry = entries_[id.index];
  return entry.region.id == id ? &entry : nullptr;
}

void ImportTable::forget(RegionId id) {
  if (find(id) != nullptr) entries_[id.index] = {};
}

Result<const ImportTable::Entry*> ImportTable::check(const Remote& remote, uint64_t offset,
                                                     uint64_t bytes, Access access) const {
  const Entry* const entry = find(remote.handle);
  if (entry == nullptr) {
    return make_error(Code::stale, "the region was not imported or is no longer registered");
  }
  if (!allows(entry->region.access, access)) {
    return make_error(Code::invalid_argument, access == Access::read
                                                  ? "the peer's region may not be read"
                                                  : "the peer's region may not be written");
  }
  if (offset > entry->region.bytes || bytes > entry->region.bytes - offset) {
    return make_error(Code::invalid_argument, "access to " + std::to_string(bytes) +
                                                  " bytes at offset " + std::to_string(offset) +
                                                  " of a peer's region of " +
                                                  std::to_string(entry->region.bytes));
  }
  return entry;
}

Result<const ImportTable::Entry*> ImportTable::check(const Signal& signal) const {
  if (signal.offset % sizeof(uint64_t) != 0) {
    return make_error(Code::invalid_argument, "a signal needs an offset that is a multiple of 8");
  }
  return check(signal.remote, signal.offset, sizeof(uint64_t), Access::write);
}

}  // namespace unirack
