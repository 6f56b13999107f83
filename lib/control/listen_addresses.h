// Where a rank or a rendezvous listens: the addresses of the best kind of interface that
// UNIRACK_INTERFACE allows, at most four, best first. Asks the system; callable from any thread.
#pragma once

#include <vector>

#include "lib/base/config.h"
#include "lib/net/address.h"

namespace unirack {

// Port 0. Never empty.
Result<std::vector<SocketAddress>> listen_addresses(const Config& config);

}  // namespace unirack
