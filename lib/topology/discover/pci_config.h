// Two facts from the configuration space of a PCI device, as /sys/bus/pci/devices/*/config shows
// it: the PCI Express link, and whether access control (ACS) redirects peer-to-peer traffic. What
// may be read of the space depends on privilege (64, 256 or 4096 bytes); what is not there is not
// known. Pure functions of hostile bytes.
#pragma once

#include <cstdint>
#include <optional>

#include "lib/base/bytes.h"

namespace unirack {

inline constexpr size_t kPciConfigBytesMax = 4096;

// 0: not known.
struct PcieRate {
  double gigatransfers = 0;
  uint32_t lanes = 0;

  bool known() const { return gigatransfers > 0 && lanes > 0; }
  bool operator==(const PcieRate&) const = default;
};

struct PcieLink {
  PcieRate trained;
  PcieRate possible;
};

// Nothing: not PCI Express, or not enough bytes.
std::optional<PcieLink> pcie_link_in(BytesView config);

// The ACS control register; nothing: the device has none, or not enough bytes.
std::optional<uint16_t> acs_control_in(BytesView config);
// Any of source validation's redirecting companions: request redirect, completion redirect,
// upstream forwarding. Peer-to-peer traffic then goes through the root complex.
inline constexpr uint16_t kAcsRedirects = 0x0004 | 0x0008 | 0x0010;

}  // namespace unirack
