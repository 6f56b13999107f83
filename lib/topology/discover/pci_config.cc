#include "lib/topology/discover/pci_config.h"

#include <array>

namespace unirack {
namespace {

// Offsets and numbers of the PCI Express base specification, chapter 7.
constexpr size_t kStatus = 0x06;
constexpr uint16_t kStatusHasCapabilities = 0x10;
constexpr size_t kFirstCapability = 0x34;
constexpr uint8_t kCapabilityExpress = 0x10;
constexpr size_t kLinkCapabilities = 0x0c;
constexpr size_t kLinkStatus = 0x12;
constexpr size_t kFirstExtended = 0x100;
constexpr uint16_t kExtendedAcs = 0x000d;
constexpr size_t kAcsControl = 0x06;
constexpr int kCapabilitiesMax = 64;  // lists in hostile bytes may be rings

constexpr std::array<double, 7> kGigatransfers = {0, 2.5, 5, 8, 16, 32, 64};

template <class T>
std::optional<T> at(BytesView config, size_t offset) {
  if (offset > config.size() || sizeof(T) > config.size() - offset) return std::nullopt;
  return load_little<T>(config.data() + offset);
}

PcieRate rate_of(uint32_t bits) {
  const uint32_t speed = bits & 0xf;
  return {speed < kGigatransfers.size() ? kGigatransfers[speed] : 0, bits >> 4 & 0x3f};
}

std::optional<size_t> find_capability(BytesView config, uint8_t wanted) {
  const auto status = at<uint16_t>(config, kStatus);
  if (!status || (*status & kStatusHasCapabilities) == 0) return std::nullopt;
  auto offset = at<uint8_t>(config, kFirstCapability);
  for (int i = 0; i < kCapabilitiesMax && offset && *offset >= 0x40; ++i) {
    const size_t here = *offset & 0xfcu;
    const auto id = at<uint8_t>(config, here);
    if (!id) return std::nullopt;
    if (*id == wanted) return here;
    offset = at<uint8_t>(config, here + 1);
  }
  return std::nullopt;
}

}  // namespace

std::optional<PcieLink> pcie_link_in(BytesView config) {
  const auto express = find_capability(config, kCapabilityExpress);
  if (!express) return std::nullopt;
  const auto possible = at<uint32_t>(config, *express + kLinkCapabilities);
  const auto trained = at<uint16_t>(config, *express + kLinkStatus);
  if (!possible || !trained) return std::nullopt;
  return PcieLink{rate_of(*trained), rate_of(*possible)};
}

std::optional<uint16_t> acs_control_in(BytesView config) {
  size_t offset = kFirstExtended;
  for (int i = 0; i < kCapabilitiesMax && offset >= kFirstExtended; ++i) {
    const auto header = at<uint32_t>(config, offset);
    if (!header || *header == 0 || *header == 0xffffffff) return std::nullopt;
    if ((*header & 0xffff) == kExtendedAcs) return at<uint16_t>(config, offset + kAcsControl);
    offset = *header >> 20 & 0xffc;
  }
  return std::nullopt;
}

}  // namespace unirack
