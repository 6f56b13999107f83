// What a simulation charges for: messages by the kind of link they take, local copies and
// reductions, and the executor's own work. assumed_costs() is what is published; calibration
// measures better ones. A plain value, compared and hashed; whoever plans holds it.
#pragma once

#include <array>
#include <cstdint>

#include "lib/base/types.h"
#include "lib/topology/graph.h"

namespace unirack {

// Of a message whose path is of one class: that of its farthest link.
struct LinkCosts {
  uint64_t latency_ps = 0;  // from the last byte's departure to its arrival
  uint64_t gap_ps = 0;      // the sending lane is busy for so long with each message
  uint64_t bandwidth = 0;   // bytes/s of one link in one direction; 0: limits nothing
  bool holds_lane = false;  // the lane moves the bytes itself, and goes on when they have left
  // The bandwidth was measured: it lowers what a graph states. Else it only stands in for what a
  // graph does not state.
  bool is_measured = false;

  friend bool operator==(const LinkCosts&, const LinkCosts&) = default;
};

struct Costs {
  std::array<LinkCosts, kLinkKindCount> links;  // by LinkKind
  uint64_t copy_bandwidth = 0;                  // bytes/s of local copies; 0: they take no time
  // Bytes/s of sources folded, by element type; 0: it takes no time.
  std::array<uint64_t, kDataTypeCount> reduce_bandwidth = {};
  uint64_t step_ps = 0;  // every step takes a lane so long, whatever else it does
  uint64_t call_ps = 0;  // from the call to the first step

  const LinkCosts& of(LinkKind kind) const { return links[static_cast<size_t>(kind)]; }
  LinkCosts& of(LinkKind kind) { return links[static_cast<size_t>(kind)]; }
  uint64_t hash() const;

  friend bool operator==(const Costs&, const Costs&) = default;
};

// NCCL's constants for NVLink, PCIe and NICs, and ours for host memory; sources in costs.cc.
Costs assumed_costs();

// The same where ranks are processes whose cores copy and add.
Costs assumed_host_costs();

// Picoseconds that `bytes` take at `bandwidth` bytes/s, rounded up; none at bandwidth 0.
uint64_t transfer_ps(uint64_t bytes, uint64_t bandwidth);

}  // namespace unirack
