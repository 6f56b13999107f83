// The machine's network interfaces and which of them to use. list_interfaces() asks the system;
// score_interfaces() is pure and explains itself, so that a user can see why an interface was
// chosen or not. Any thread may call either. One entry is one address of one interface.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "lib/net/address.h"

namespace unirack {

struct InterfaceInfo {
  std::string name;
  SocketAddress address;  // port 0
  bool up = false;
  bool running = false;
  bool loopback = false;
  bool has_device = false;   // real or passed-through hardware stands behind it
  int speed_mbit_per_s = 0;  // 0 is unknown
};

struct InterfaceScore {
  InterfaceInfo interface;
  bool usable = false;
  int score = 0;       // compared only among the usable
  int tier = 0;        // of its kind: loopback lowest, real devices highest
  std::string reason;  // "device, 100000 Mbit/s", "excluded by ^eth0"
};

Result<std::vector<InterfaceInfo>> list_interfaces();

// Best first, the unusable last. `wanted` is UNIRACK_INTERFACE: names or prefixes in order of
// preference, "^name" excludes; what is wanted by name is used whatever kind it is. Loopback and
// container bridges are used only when nothing better is there.
std::vector<InterfaceScore> score_interfaces(std::span<const InterfaceInfo> interfaces,
                                             std::span<const std::string> wanted);

}  // namespace unirack
