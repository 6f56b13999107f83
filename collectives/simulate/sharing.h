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

  // Bytes begin to flow at `now_ticks`; `uses` and `others` stay where they are. The number names
  // the flow until it ends. Others carry the flow too, but nobody knows them to be ever full. Flows
  // without uses take no time.
  uint32_t begin(uint64_t now_ticks, uint64_t bytes, std::span<const FlowUse> uses,
                 std::span<const FlowUse> others = {});
  // Takes a flow out, done or not.
  void end(uint64_t now_ticks, uint32_t flow);
  // Bytes follow those of a settled flow that is done, the same way: nobody's rate changes.
  void go_on(uint64_t now_ticks, uint32_t flow, uint64_t bytes);
  // Settles the rates of all flows that changes reach; those whose end has moved are listed.
  const std::vector<uint32_t>& settle(uint64_t now_ticks);

  // Valid after settle().
  uint64_t end_ticks(uint32_t flow) const { return bytes_[flow].end_ticks; }
  uint32_t bottleneck(uint32_t flow) const { return flows_[flow].bottleneck; }
  WideUnsigned rate(uint32_t flow) const { return flows_[flow].rate; }
  // What is left at `now_ticks`, in a unit of its own.
  WideUnsigned left_at(uint64_t now_ticks, uint32_t flow) const;
  uint64_t busy_ticks(uint64_t now_ticks, uint32_t resource) const;
  void add_busy_ticks(uint32_t resource, uint64_t more_ticks) {
    carriers_[resource].busy_ticks += more_ticks;
  }
  // Flows whose share was looked at, each time it was: how much work this is.
  uint64_t looked_at() const { return looked_at_; }
  // Time has jumped; nothing has flowed meanwhile.
  void shift(uint64_t by_ticks);

 private:
  struct Flow {
    std::span<const FlowUse> uses;
    WideUnsigned rate = 0;
    WideUnsigned old_rate = 0;  // before the settling at hand
    uint32_t bottleneck = kNobody;
  };
  struct Bytes {  // of a flow
    WideUnsigned left = 0;
    uint64_t since_ticks = 0;  // when `left` was right
    uint64_t end_ticks = 0;
    std::span<const FlowUse> others;
  };
  struct Entry {  // of a resource's list of flows
    uint32_t flow = 0;
    uint64_t load = 0;
  };
  // What settling looks at; marks are numbers of settlings.
  struct alignas(64) Shared {
    WideUnsigned used = 0;    // by flows that are not open
    WideUnsigned filled = 0;  // by all whose rates are fixed
    uint64_t load = 0;        // of open flows whose rates are not fixed
    uint64_t open_load = 0;   // of all open flows
    uint32_t held = 0;        // settled flows that it is the bottleneck of
    uint32_t opened_in = 0;   // the flows that it holds are open
    uint32_t touched_in = 0;  // an open flow passes it
    bool is_changed = false;
    bool is_eased = false;      // flows were fixed that it would have given more
    bool is_disturbed = false;  // a flow is not as fast as it was
  };
  struct Carrier {  // the rest of a resource
    WideUnsigned capacity = 0;
    std::vector<Entry> flows;
    std::vector<uint32_t> open_flows;
    uint32_t carried = 0;  // flows, listed or not
    uint64_t busy_ticks = 0;
    uint64_t busy_since_ticks = 0;
  };
  struct Level {
    WideUnsigned rate = 0;
    uint32_t resource = 0;
  };
  static constexpr uint32_t kNobody = UINT32_MAX;

  void note_change(uint32_t resource);
  void add_to(uint32_t resource, uint64_t now_ticks);
  void take_from(uint32_t resource, uint64_t now_ticks);
  void open_held(uint32_t resource);
  void open(uint32_t flow);
  WideUnsigned fair_rate(uint32_t resource) const;
  void fill();
  void collect_level(WideUnsigned& level);
  void fix(uint32_t flow, WideUnsigned rate, uint32_t bottleneck);
  void find_unfair();
  void update(uint64_t now_ticks, uint32_t flow);
  void find_end(uint64_t now_ticks, uint32_t flow);

  std::vector<Shared> resources_;
  std::vector<Carrier> carriers_;  // by resource
  std::vector<Flow> flows_;
  std::vector<Bytes> bytes_;        // by flow
  std::vector<uint32_t> open_in_;   // by flow: the settling that opened it last
  std::vector<uint32_t> fixed_in_;  // by flow: the filling that fixed its rate
  std::vector<uint32_t> free_;
  std::vector<uint32_t> changed_;  // resources
  std::vector<uint32_t> gone_on_;  // flows
  uint32_t settling_ = 0;
  uint64_t looked_at_ = 0;
  uint32_t filling_ = 0;
  size_t unfixed_ = 0;  // of open_flows_
  // Of the settling at hand.
  std::vector<uint32_t> touched_;
  std::vector<uint32_t> open_flows_;
  std::vector<Level> levels_;  // a heap, the lowest first
  std::vector<Level> full_;    // in the order in which they became so
  std::vector<uint32_t> at_level_;
  std::vector<uint32_t> moved_;
};

}  // namespace unirack
