// How files write PCI addresses and speeds, for the readers of several formats. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace unirack {

struct PciAddress {
  uint32_t domain = 0;
  uint32_t bus = 0;
  uint32_t device = 0;
  uint32_t function = 0;
};

// "0000:0f:00.0", "00000000:0F:00.0" or "0f:00.0".
std::optional<PciAddress> pci_address_from(std::string_view text);
// "0000:0f:00.0"
std::string to_text(const PciAddress& address);
std::string lower_case(std::string_view text);

// GT/s of "16 GT/s", "16.0 GT/s PCIe"; 0 of "" and "Unknown speed", which machines say of what they
// do not know. Empty: it is no speed.
std::optional<double> pci_speed_from(std::string_view text);

// Bridges that hypervisors make up report 2.5 GT/s x1, whatever passes them: such a rate above a
// faster device is not believed.
bool is_virtual_bridge(uint64_t bandwidth, uint64_t fastest_below);

}  // namespace unirack
