// A network of its own for one test: rails rail0, rail1, ... as pairs of virtual interfaces in a
// new network namespace that the calling thread, and threads and processes it starts, are in until
// this object dies. Both ends of every connection are local, so a rail is lost by taking its
// address away: packets to it then get no answer, as from a cable that was pulled.
#pragma once

#include <memory>
#include <string>
#include <utility>

#include "lib/base/unique_fd.h"

namespace unirack::testing {

class NetNamespace {
 public:
  // Nothing where the system does not permit it; `why_not` then says why.
  static std::unique_ptr<NetNamespace> open(int rail_count, std::string& why_not);
  explicit NetNamespace(UniqueFd before) : before_(std::move(before)) {}
  NetNamespace(const NetNamespace&) = delete;
  NetNamespace& operator=(const NetNamespace&) = delete;
  ~NetNamespace();

  static bool lose_rail(int rail);
  static bool restore_rail(int rail);

 private:
  UniqueFd before_;  // where the thread was
};

}  // namespace unirack::testing
