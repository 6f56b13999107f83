#include "tests/support/net_namespace.h"

#include <fcntl.h>
#include <sched.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <utility>

namespace unirack::testing {
namespace {

std::string address_of(int rail) { return "10.9." + std::to_string(rail) + ".1/24"; }
std::string device_of(int rail) { return "rail" + std::to_string(rail); }

bool ip(const std::string& arguments) {
  return std::system(("ip " + arguments + " 2>/dev/null").c_str()) == 0;
}

bool add_rail(int rail) {
  const std::string device = device_of(rail);
  const std::string other = "far" + std::to_string(rail);
  return ip("link add " + device + " type veth peer name " + other) &&
         ip("link set " + other + " up") && ip("link set " + device + " up") &&
         NetNamespace::restore_rail(rail);
}

}  // namespace

std::unique_ptr<NetNamespace> NetNamespace::open(int rail_count, std::string& why_not) {
  UniqueFd before(::open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC));
  if (!before || ::unshare(CLONE_NEWNET) != 0) {
    why_not = std::string("no network namespace: ") + std::strerror(errno);
    return nullptr;
  }
  auto made = std::make_unique<NetNamespace>(std::move(before));
  bool is_complete = ip("link set lo up");
  for (int rail = 0; rail < rail_count; ++rail) is_complete = is_complete && add_rail(rail);
  if (is_complete) return made;
  why_not = "virtual interfaces cannot be made here";
  return nullptr;
}

NetNamespace::~NetNamespace() {
  if (::setns(before_.get(), CLONE_NEWNET) != 0) std::abort();
}

bool NetNamespace::lose_rail(int rail) {
  return ip("addr del " + address_of(rail) + " dev " + device_of(rail));
}

bool NetNamespace::restore_rail(int rail) {
  return ip("addr add " + address_of(rail) + " dev " + device_of(rail));
}

}  // namespace unirack::testing
