// Flows that share resources max-min fairly (Bertsekas and Gallager, "Data Networks", 1992, section
// 6.5.2), in integers. Flows begin and end; rates are settled afterwards, only of those flows that
// a change reaches. Rates are rounded up by less than 2^-32 bytes/s, so that what takes a whole
// number of ticks takes exactly those. Which flows and resources stand for how many others does not
// matter. Time is in ticks, of which a picosecond has many, so that ends between picoseconds do not
// add up. Owned by one simulation.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "collectives/simulate/network.h"

namespace unirack {

using WideUnsigned = unsigned __int128;

inline constexpr uint64_t kTicksPerPs = 1024;
// Later than anything that is simulated; two and a half hours.
inline constexpr uint64_t kNeverTicks = uint64_t{1} << 63;

// Of a resource a flow takes its rate times load / kWholeShare: its own share, times the flows like
// it on the resource.
struct FlowUse {
  uint32_t resource = 0;
  uint64_t load = 0;
};

class SharedResources {
 public:
  explicit SharedResources(std::vector<uint64_t> bandwidths);

  // Bytes begin to flow at `now_ticks`; `uses` stay where they are. The number names the flow until
  // it ends. Flows without uses take no time.
  uint32_t begin(uint64_t now_ticks, uint64_t bytes, std::span<const FlowUse> uses);
  // Takes a flow out, done or not.
  void end(uint64_t now_ticks, uint32_t flow);
  // Settles the rates of all flows that changes reach; those whose end has moved are listed.
  const std::vector<uint32_t>& settle(uint64_t now_ticks);

  // Valid after settle().
  uint64_t end_ticks(uint32_t flow) const { return flows_[flow].end_ticks; }
  uint32_t bottleneck(uint32_t flow) const { return flows_[flow].bottleneck; }
  WideUnsigned rate(uint32_t flow) const { return flows_[flow].rate; }
  // What is left at `now_ticks`, in a unit of its own.
  WideUnsigned left_at(uint64_t now_ticks, uint32_t flow) const;
  uint64_t busy_ticks(uint64_t now_ticks, uint32_t resource) const;
  void add_busy_ticks(uint32_t resource, uint64_t more_ticks) {
    resources_[resource].busy_ticks += more_ticks;
  }
  // Time has jumped; nothing has flowed meanwhile.
  void shift(uint64_t by_ticks);

 private:
  struct Flow {
    std::span<const FlowUse> uses;
    WideUnsigned left = 0;
    WideUnsigned rate = 0;
    uint64_t since_ticks = 0;  // when `left` was right
    uint64_t end_ticks = 0;
    uint32_t bottleneck = kNobody;
    uint32_t open_in = 0;  // the settling that opened it last
    bool is_fixed = false;
  };
  struct Entry {  // of a resource's list of flows
    uint32_t flow = 0;
    uint64_t load = 0;
  };
  struct Shared {
    WideUnsigned capacity = 0;
    WideUnsigned used = 0;
    std::vector<Entry> flows;
    uint32_t held = 0;  // settled flows that it is the bottleneck of
    bool is_changed = false;
    uint64_t busy_ticks = 0;
    uint64_t busy_since_ticks = 0;
    // Of the settling that the marks name:
    uint32_t opened_in = 0;   // the flows that it holds are open
    uint32_t touched_in = 0;  // an open flow passes it
    uint64_t load = 0;        // of open flows whose rate is not fixed
  };
  struct Level {
    WideUnsigned rate = 0;
    uint32_t resource = 0;
  };
  static constexpr uint32_t kNobody = UINT32_MAX;

  void note_change(uint32_t resource);
  void open_held(uint32_t resource);
  void open(uint32_t flow);
  WideUnsigned fair_rate(const Shared& shared) const;
  void fill();
  void collect_level(WideUnsigned& level);
  void fix(uint32_t flow, WideUnsigned rate, uint32_t bottleneck);
  void find_unfair();
  void unfix();
  void update(uint64_t now_ticks, uint32_t flow, WideUnsigned old_rate);

  std::vector<Shared> resources_;
  std::vector<Flow> flows_;
  std::vector<uint32_t> free_;
  std::vector<uint32_t> changed_;  // resources
  uint32_t settling_ = 0;
  // Of the settling at hand.
  std::vector<uint32_t> touched_;
  std::vector<uint32_t> open_flows_;
  std::vector<WideUnsigned> old_rates_;  // of open_flows_
  std::vector<Level> levels_;            // a heap, the lowest first
  std::vector<Level> full_;              // in the order in which they became so
  std::vector<uint32_t> at_level_;
  std::vector<uint32_t> moved_;
};

}  // namespace unirack
