#include "lib/net/interface.h"

#include <fmt/format.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <fstream>
#include <memory>

namespace unirack {
namespace {

// Tiers lie further apart than any speed, so a slow device beats a fast bridge.
constexpr int kTier = 1'000'000;
constexpr int kSpeedMax = 900'000;

constexpr std::array<std::string_view, 14> kVirtualPrefixes = {
    "docker", "virbr", "veth", "br-", "cni",   "flannel", "cali",
    "cilium", "vnet",  "tap",  "tun", "vmnet", "podman",  "lxc"};

std::string sysfs_path(const std::string& name, std::string_view entry) {
  return fmt::format("/sys/class/net/{}/{}", name, entry);
}

int read_speed(const std::string& name) {
  std::ifstream file(sysfs_path(name, "speed"));
  int speed = 0;
  // Virtual interfaces answer with an error or with -1.
  return file >> speed && speed > 0 ? std::min(speed, kSpeedMax) : 0;
}

bool is_virtual(const std::string& name) {
  return std::any_of(kVirtualPrefixes.begin(), kVirtualPrefixes.end(),
                     [&](std::string_view prefix) { return name.starts_with(prefix); });
}

InterfaceScore refuse(const InterfaceInfo& interface, std::string reason) {
  return {interface, false, 0, 0, std::move(reason)};
}

InterfaceScore score_by_kind(const InterfaceInfo& interface) {
  int tier = 3;
  std::string_view kind = "no device behind it";
  if (interface.loopback) {
    tier = 0;
    kind = "loopback, the last resort";
  } else if (interface.address.is_link_local()) {
    tier = 1;
    kind = "link-local address";
  } else if (is_virtual(interface.name)) {
    tier = 2;
    kind = "virtual by its name";
  } else if (interface.has_device) {
    tier = 4;
    kind = "device";
  }
  const std::string speed = interface.speed_mbit_per_s == 0
                                ? "speed unknown"
                                : fmt::format("{} Mbit/s", interface.speed_mbit_per_s);
  // Of two equals, IPv4: it needs no brackets and every old switch has met it.
  const int family = interface.address.family == SocketAddress::Family::ipv4 ? 1 : 0;
  return {interface, true, tier * kTier + std::min(interface.speed_mbit_per_s, kSpeedMax) + family,
          tier, fmt::format("{}, {}", kind, speed)};
}

InterfaceScore score_one(const InterfaceInfo& interface, std::span<const std::string> wanted) {
  int rank_of_wish = 0;
  bool any_wish = false;
  const std::string* wish = nullptr;
  for (size_t i = 0; i < wanted.size(); ++i) {
    const std::string& entry = wanted[i];
    if (entry.starts_with('^')) {
      if (interface.name.starts_with(std::string_view(entry).substr(1))) {
        return refuse(interface, "excluded by " + entry);
      }
      continue;
    }
    any_wish = true;
    if (wish == nullptr && interface.name.starts_with(entry)) {
      wish = &entry;
      rank_of_wish = static_cast<int>(wanted.size() - i);
    }
  }
  if (any_wish && wish == nullptr) return refuse(interface, "not among the wanted interfaces");
  if (!interface.up) return refuse(interface, "down");
  if (!interface.running) return refuse(interface, "no carrier");
  // Peers could not name the link such an address needs.
  if (interface.address.family == SocketAddress::Family::ipv6 &&
      interface.address.is_link_local()) {
    return refuse(interface, "IPv6 link-local address");
  }
  InterfaceScore scored = score_by_kind(interface);
  if (wish != nullptr) {
    scored.score += 10 * kTier * rank_of_wish;
    scored.reason = fmt::format("wanted by '{}', {}", *wish, scored.reason);
  }
  return scored;
}

}  // namespace

Result<std::vector<InterfaceInfo>> list_interfaces() {
  struct Free {
    void operator()(ifaddrs* list) const { ::freeifaddrs(list); }
  };
  ifaddrs* raw = nullptr;
  if (::getifaddrs(&raw) != 0) {
    return make_error(Code::system, "cannot list the network interfaces", kNoRank, errno);
  }
  const std::unique_ptr<ifaddrs, Free> list(raw);
  std::vector<InterfaceInfo> interfaces;
  for (const ifaddrs* at = list.get(); at != nullptr; at = at->ifa_next) {
    Result<SocketAddress> address = SocketAddress::from_sockaddr(at->ifa_addr);
    if (!address) continue;
    InterfaceInfo info;
    info.name = at->ifa_name;
    info.address = *address;
    info.up = (at->ifa_flags & IFF_UP) != 0;
    info.running = (at->ifa_flags & IFF_RUNNING) != 0;
    info.loopback = (at->ifa_flags & IFF_LOOPBACK) != 0;
    info.has_device = ::access(sysfs_path(info.name, "device").c_str(), F_OK) == 0;
    info.speed_mbit_per_s = read_speed(info.name);
    interfaces.push_back(std::move(info));
  }
  return interfaces;
}

std::vector<InterfaceScore> score_interfaces(std::span<const InterfaceInfo> interfaces,
                                             std::span<const std::string> wanted) {
  std::vector<InterfaceScore> scores;
  scores.reserve(interfaces.size());
  for (const InterfaceInfo& interface : interfaces) scores.push_back(score_one(interface, wanted));
  // Equals keep the system's order.
  std::stable_sort(scores.begin(), scores.end(), [](const auto& a, const auto& b) {
    return a.usable != b.usable ? a.usable : a.score > b.score;
  });
  return scores;
}

}  // namespace unirack
