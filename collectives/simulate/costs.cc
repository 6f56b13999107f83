#include "collectives/simulate/costs.h"

#include "lib/base/hash.h"

namespace unirack {

namespace {

constexpr uint64_t kNanosecond = 1'000;
constexpr uint64_t kMicrosecond = 1'000'000;
constexpr uint64_t kGigabyte = 1'000'000'000;

}  // namespace

// Latencies of NVLink, PCIe and networks: hardware latencies of NCCL's LL rings, 0.6, 1.0 and 2.7
// us (NCCL 2.30.7 src/graph/tuning.cc, hwLatencies), which have no flag to wait for beyond the
// data. The gap of a network message is NCCL's post overhead of 1 us (the same file). Rates are
// NCCL's for one link (src/graph/topo.h): 20.6 GB/s an NVLink of SM90, 12 GB/s PCIe 3 x16 and a
// network port nobody describes, 10 GB/s between sockets. xGMI: 48 GB/s (RCCL's topo.h for gfx9).
// What NCCL does not model is ours: 0.1 us for a store to a peer, shared memory between two cores
// of a host (a line crosses in 60 to 210 ns, one core copies 10 GB/s), TCP by 20 us round trips.
// Reductions and copies on GPUs: a third of 2.4 TB/s, since a thread block is no whole GPU.
Costs assumed_costs() {
  Costs costs;
  costs.of(LinkKind::nvlink) = {600 * kNanosecond, 100 * kNanosecond, 20'600'000'000};
  costs.of(LinkKind::xgmi) = {600 * kNanosecond, 100 * kNanosecond, 48 * kGigabyte};
  costs.of(LinkKind::c2c) = {600 * kNanosecond, 100 * kNanosecond, 450 * kGigabyte};
  costs.of(LinkKind::pcie) = {kMicrosecond, 100 * kNanosecond, 12 * kGigabyte};
  costs.of(LinkKind::smp) = {kMicrosecond, 100 * kNanosecond, 10 * kGigabyte};
  costs.of(LinkKind::infiniband) = {2'700 * kNanosecond, kMicrosecond, 12 * kGigabyte};
  costs.of(LinkKind::ethernet) = {10 * kMicrosecond, 2 * kMicrosecond, 12 * kGigabyte};
  costs.of(LinkKind::shared_memory) = {200 * kNanosecond, 50 * kNanosecond, 10 * kGigabyte, true};
  costs.copy_bandwidth = 800 * kGigabyte;
  costs.reduce_bandwidth.fill(800 * kGigabyte);
  costs.step_ps = 20 * kNanosecond;
  costs.call_ps = kMicrosecond;
  return costs;
}

// One core, out of its cache, and hosts on ten-gigabit Ethernet: what TCP carries between hosts is
// rarely as fast as the memory in them, and plans for racks must know that.
Costs assumed_host_costs() {
  Costs costs = assumed_costs();
  costs.of(LinkKind::ethernet).bandwidth = 1'200'000'000;
  costs.copy_bandwidth = 10 * kGigabyte;
  costs.reduce_bandwidth.fill(8 * kGigabyte);
  return costs;
}

uint64_t Costs::hash() const {
  Hash64 hash;
  for (const LinkCosts& link : links) {
    hash.add(link.latency_ps).add(link.gap_ps).add(link.bandwidth);
    hash.add(uint64_t{link.holds_lane}).add(uint64_t{link.is_measured});
  }
  hash.add(copy_bandwidth);
  for (const uint64_t bandwidth : reduce_bandwidth) hash.add(bandwidth);
  hash.add(step_ps).add(call_ps);
  return hash.value();
}

uint64_t transfer_ps(uint64_t bytes, uint64_t bandwidth) {
  if (bandwidth == 0) return 0;
  constexpr unsigned __int128 kSecond = 1'000'000'000'000;
  return static_cast<uint64_t>((bytes * kSecond + bandwidth - 1) / bandwidth);
}

}  // namespace unirack
