// Where a rank listens for data connections: one or more rails (network interfaces), each with the
// addresses of that interface. Also which interfaces to use, and in what order a peer's addresses
// are tried for a path. Plain values; choosing rails asks the system for its interfaces.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "lib/net/interface.h"

namespace unirack {

inline constexpr size_t kTcpRailsMax = 16;

struct TcpRail {
  std::vector<SocketAddress> addresses;  // at most one of each family
};

struct TcpAddress {
  uint64_t instance = 0;
  std::vector<TcpRail> rails;

  std::vector<std::byte> encode() const;
  static Result<TcpAddress> decode(BytesView wire);
};

// All interfaces that are wanted by name; else all of the best kind there is (real devices, then
// others), but for those of less than half the speed of the fastest. Port 0.
Result<std::vector<TcpRail>> choose_rails(const std::vector<InterfaceScore>& scores,
                                          bool is_wanted_by_name);

struct TcpRoute {
  SocketAddress target;
  std::optional<SocketAddress> source;  // binds the connection to our rail
};

// Best first. Path p goes from our rail p mod ours to the peer's rail p mod theirs; the rest is for
// networks where that does not work.
std::vector<TcpRoute> routes_of_path(const std::vector<TcpRail>& ours,
                                     const std::vector<TcpRail>& theirs, int path);

// For a path whose connection from our rail `lost_rail` broke: the other rails in turn, that one
// last.
std::vector<TcpRoute> routes_around(const std::vector<TcpRail>& ours,
                                    const std::vector<TcpRail>& theirs, size_t lost_rail);

}  // namespace unirack
