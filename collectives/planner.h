// Chooses the schedule for a request: every algorithm that fits is simulated on the pool's network,
// and the cheapest runs. Nothing but (topology, network, costs, policy, request) decides, in whole
// numbers, so all ranks choose alike and agree on hash() when they join.
//
// A planner remembers what it priced; it borrows the topology (and the graph its network stands on)
// and is used by one thread at a time.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "collectives/schedule.h"
#include "collectives/simulate/network.h"
#include "lib/topology/topology.h"

namespace unirack {

// Must be equal on all ranks.
struct Policy {
  bool reassociate = false;  // plans that change the bits of float sums are allowed
  std::vector<std::pair<std::string, std::string>> forced;  // (collective, algorithm)
  uint64_t scratch_bytes = uint64_t{2} << 20;               // of one operation in progress
  uint64_t tile_bytes = 0;                                  // 0: chosen, up to the next
  uint64_t tile_bytes_max = uint64_t{4} << 20;              // what stays in a shared cache
  int lanes = 1;                                            // the most that a plan may have
  // What goes from domain to domain by TCP goes in pieces of about this size; 0: of any. Networks
  // drop what the simulator believes to arrive: ranks that wait for a tile's pieces keep each other
  // in step, and what can meet at one port of a switch stays within its queue. In the racks lab
  // (docs/racks.md) that decides between 98% and 66% of a bound.
  uint64_t rail_piece_bytes = uint64_t{32} << 10;
  // A plan keeps its place in the next larger sizes while it is at most so much slower than the
  // best there, so that plans do not flip back and forth.
  uint32_t keep_percent = 1;
  // Of all plans that are written out for one size together; more are not considered, so that a
  // large pool is planned in time. The likeliest are written first.
  uint64_t steps_max = 1'500'000;
  // Beside a plan that is known no other is simulated for longer, in events and shares of links
  // that are looked at: some tenths of a second.
  uint64_t work_max = 8'000'000;

  uint64_t hash() const;
};

// What a pool of the graph's members has unless somebody says otherwise. GPUs have memory for it:
// NCCL gives each of its 16 to 32 channels 4 MiB, and we give the same 64 MiB to one operation, in
// tiles as large as that; there is no shared cache that tiles have to stay in. All else is as
// above.
Policy default_policy(const Graph& members);

// A candidate at one size. Time 0: it was not priced.
struct PricedPlan {
  std::string algorithm;
  std::string cost;  // as the table of algorithms has it
  int lanes = 1;
  uint64_t tile_bytes = 0;     // the best it has
  uint64_t time_ps = 0;        // simulated
  uint64_t at_least_ps = 0;    // what it takes at the very least; 0: not known
  std::string limit;           // the resource that is busy longest
  uint32_t limit_percent = 0;  // of the time
  bool is_priced = false;
  bool is_chosen = false;
  std::string reason;  // "chosen", or why it lost
};

struct Choice {
  std::shared_ptr<const Schedule> schedule;
  std::vector<PricedPlan> candidates;  // the fastest first; behind them, what was not priced
  // First line: algorithm=<name> tiles=<n> chunks=<n> lanes=<n> steps=<n>; then a line for every
  // candidate: its price, and why it was chosen or lost.
  std::string explain;
};

// From `bytes_begin` to below `bytes_end` of a block one plan runs.
struct PlanRange {
  uint64_t bytes_begin = 0;
  uint64_t bytes_end = 0;
  std::string algorithm;
  int lanes = 1;
  uint64_t tile_bytes = 0;
  uint64_t time_ps = 0;  // at bytes_begin
};

// Of host ranks their transports say enough; a graph whose members are the ranks says more.
Result<Network> network_of(const Topology& topology, const Costs& costs);

struct PlannerState;

class Planner {
 public:
  static Result<Planner> make(const Topology& topology, const Costs& costs, const Policy& policy);
  static Result<Planner> make(const Topology& topology, Network network, const Policy& policy);
  Planner(Planner&&) noexcept;
  Planner& operator=(Planner&&) noexcept;
  ~Planner();

  // Equal where all plans are.
  uint64_t hash() const;
  const Network& network() const;

  // Fails only for a forced algorithm that does not exist or does not fit, and for scratch too
  // small for any.
  Result<std::shared_ptr<const Schedule>> plan(const Request& request);
  // The same plan, with every candidate priced at this very size.
  Result<Choice> choose(const Request& request);
  // What runs from one size of a block to another. The count of the request says nothing.
  Result<std::vector<PlanRange>> envelope(const Request& request, uint64_t bytes_min,
                                          uint64_t bytes_max);

 private:
  explicit Planner(std::unique_ptr<PlannerState> state);

  std::unique_ptr<PlannerState> state_;
};

// For one request: makes a planner and forgets it.
Result<Choice> choose(const Topology& topology, const Request& request, const Policy& policy,
                      const Costs& costs = assumed_costs());

}  // namespace unirack
