#include "lib/control/listen_addresses.h"

#include "lib/control/unique_id.h"
#include "lib/net/interface.h"

namespace unirack {

Result<std::vector<SocketAddress>> listen_addresses(const Config& config) {
  const auto interfaces = UNIRACK_TRY(list_interfaces());
  std::vector<SocketAddress> addresses;
  std::string refused;
  bool only_loopback = false;
  for (const InterfaceScore& score : score_interfaces(interfaces, config.interfaces)) {
    if (!score.usable) {
      refused += "; " + score.interface.name + ": " + score.reason;
      continue;
    }
    if (addresses.empty()) only_loopback = score.interface.loopback;
    // Nobody elsewhere reaches a loopback address; somebody else may answer there.
    if (score.interface.loopback != only_loopback) continue;
    if (addresses.size() < UniqueId::kAddressesMax) addresses.push_back(score.interface.address);
  }
  if (addresses.empty()) {
    return make_error(Code::unavailable, "no network interface can be used" + refused);
  }
  return addresses;
}

}  // namespace unirack
