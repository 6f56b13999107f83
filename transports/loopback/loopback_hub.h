// Where the ranks of one process meet. A port is what peers may touch of a transport; a link joins
// two ports for one path.
//
// The hub is the one process-wide object of the library: transports of one pool are opened by
// threads that share nothing but the process, and an address that comes from the wire must not be
// a pointer. It owns ports and links; a link dies when both its ends are detached, a port when it
// is closed and in no link. Any thread may call it; ports and links are shared between the threads
// of their two ends.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <tuple>

#include "lib/base/unique_fd.h"
#include "lib/memory/region_table.h"
#include "transports/transport.h"

namespace unirack {

struct LoopbackPort {
  RegionTable regions;
  UniqueFd event;
  std::atomic<bool> is_sleeping{false};
  int user_count = 0;  // links, and the transport itself; guarded by the hub

  // After something was stored that the owner may be waiting for.
  void wake();
};

struct LoopbackLinkKey {
  uint64_t instance;
  Rank low;
  Rank high;
  int path;
  TrafficClass traffic_class;
  friend bool operator<(const LoopbackLinkKey& a, const LoopbackLinkKey& b) {
    return std::tie(a.instance, a.low, a.high, a.path, a.traffic_class) <
           std::tie(b.instance, b.low, b.high, b.path, b.traffic_class);
  }
};

// Side 0 is the lower rank.
struct LoopbackLink {
  LoopbackLinkKey key;
  std::array<LoopbackPort*, 2> ports{};
  std::atomic<bool> is_ready{false};  // set when both ports are in place
  std::array<std::atomic<bool>, 2> is_gone{};
};

class LoopbackHub {
 public:
  using ProcessId = std::array<std::byte, 16>;

  static LoopbackHub& of_process();
  LoopbackHub(const LoopbackHub&) = delete;
  LoopbackHub& operator=(const LoopbackHub&) = delete;

  // Random, so that no other process has it; a child of fork() differs by its pid.
  const ProcessId& process_id() const { return process_id_; }

  Result<LoopbackPort*> open_port();
  void close_port(LoopbackPort* port);
  // Fails when this end is attached already.
  Result<LoopbackLink*> attach(const LoopbackLinkKey& key, int side, LoopbackPort* port);
  void detach(LoopbackLink* link, int side);

 private:
  LoopbackHub();
  void release(LoopbackPort* port);

  ProcessId process_id_{};
  std::mutex mutex_;
  std::map<LoopbackPort*, std::unique_ptr<LoopbackPort>> ports_;
  std::map<LoopbackLink*, std::unique_ptr<LoopbackLink>> links_;
  std::map<LoopbackLinkKey, LoopbackLink*> open_;  // links neither of whose ends has left
};

}  // namespace unirack
