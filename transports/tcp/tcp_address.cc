#include "transports/tcp/tcp_address.h"

#include <algorithm>
#include <utility>

namespace unirack {
namespace {

constexpr uint32_t kMagic = 0x41505455;  // "UTPA"
constexpr size_t kAddressesPerRailMax = 2;

// A slow rail beside a fast one would be given as much to carry.
bool is_as_good(const InterfaceScore& score, const InterfaceScore& best) {
  return score.tier == best.tier &&
         2 * score.interface.speed_mbit_per_s >= best.interface.speed_mbit_per_s;
}

const SocketAddress* of_family(const TcpRail& rail, SocketAddress::Family family) {
  const auto found = std::ranges::find(rail.addresses, family, &SocketAddress::family);
  return found == rail.addresses.end() ? nullptr : &*found;
}

}  // namespace

std::vector<std::byte> TcpAddress::encode() const {
  std::vector<std::byte> wire;
  Writer writer(wire);
  writer.put(kMagic);
  writer.put(instance);
  writer.put(static_cast<uint8_t>(rails.size()));
  for (const TcpRail& rail : rails) {
    writer.put(static_cast<uint8_t>(rail.addresses.size()));
    for (const SocketAddress& address : rail.addresses) address.encode(writer);
  }
  return wire;
}

Result<TcpAddress> TcpAddress::decode(BytesView wire) {
  Reader reader(wire);
  if (UNIRACK_TRY(reader.take<uint32_t>()) != kMagic) {
    return make_error(Code::invalid_argument, "not an address of the tcp transport");
  }
  TcpAddress address;
  address.instance = UNIRACK_TRY(reader.take<uint64_t>());
  const auto rail_count = UNIRACK_TRY(reader.take<uint8_t>());
  if (rail_count == 0 || rail_count > kTcpRailsMax) {
    return make_error(Code::invalid_argument, "a tcp address with no or too many rails");
  }
  for (int i = 0; i < rail_count; ++i) {
    TcpRail rail;
    const auto count = UNIRACK_TRY(reader.take<uint8_t>());
    if (count == 0 || count > kAddressesPerRailMax) {
      return make_error(Code::invalid_argument, "a rail with no or too many addresses");
    }
    for (int k = 0; k < count; ++k) {
      rail.addresses.push_back(UNIRACK_TRY(SocketAddress::decode(reader)));
    }
    address.rails.push_back(std::move(rail));
  }
  UNIRACK_TRY(reader.expect_end());
  return address;
}

Result<std::vector<TcpRail>> choose_rails(const std::vector<InterfaceScore>& scores,
                                          bool is_wanted_by_name) {
  std::vector<TcpRail> rails;
  std::vector<std::string> names;
  const InterfaceScore* best = nullptr;  // scores are in order
  for (const InterfaceScore& score : scores) {
    const InterfaceInfo& interface = score.interface;
    if (!score.usable) continue;
    if (best == nullptr) best = &score;
    auto name = std::ranges::find(names, interface.name);
    const bool is_new = name == names.end();
    if (is_new) {
      const bool is_taken = is_wanted_by_name || is_as_good(score, *best);
      if (!is_taken || rails.size() == kTcpRailsMax) continue;
      name = names.insert(names.end(), interface.name);
      rails.emplace_back();
    }
    TcpRail& rail = rails[static_cast<size_t>(name - names.begin())];
    // A link-local address means nothing without its link, which does not travel.
    if (interface.address.is_link_local() && !rail.addresses.empty()) continue;
    if (of_family(rail, interface.address.family) == nullptr) {
      rail.addresses.push_back(interface.address.with_port(0));
    }
  }
  if (rails.empty()) return make_error(Code::unavailable, "no network interface can be used");
  return rails;
}

std::vector<TcpRoute> routes_of_path(const std::vector<TcpRail>& ours,
                                     const std::vector<TcpRail>& theirs, int path) {
  std::vector<TcpRoute> routes;
  const TcpRail& mine = ours[static_cast<size_t>(path) % ours.size()];
  const size_t first = static_cast<size_t>(path) % theirs.size();
  for (const SocketAddress& target : theirs[first].addresses) {
    const SocketAddress* const source = of_family(mine, target.family);
    if (source == nullptr || source->is_loopback() != target.is_loopback()) continue;
    routes.push_back({target, source->with_port(0)});
  }
  for (size_t i = 0; i < theirs.size(); ++i) {
    for (const SocketAddress& target : theirs[(first + i) % theirs.size()].addresses) {
      routes.push_back({target, std::nullopt});
    }
  }
  return routes;
}

std::vector<TcpRoute> routes_around(const std::vector<TcpRail>& ours,
                                    const std::vector<TcpRail>& theirs, size_t lost_rail) {
  std::vector<TcpRoute> routes;
  const size_t rails = std::max(ours.size(), theirs.size());
  for (size_t i = 1; i <= rails; ++i) {
    for (const TcpRoute& route :
         routes_of_path(ours, theirs, static_cast<int>((lost_rail + i) % rails))) {
      if (route.source) routes.push_back(route);
    }
  }
  return routes;
}

}  // namespace unirack
