// What an algorithm takes at the very least, found without writing its schedule: of many ranks most
// plans are too large to be written only to be dropped. Counts the messages, rounds and bytes of
// the busiest rank from the form of the algorithm, and charges them at the cheapest link and the
// widest way there are. Algorithms that nobody described cost nothing here, hence are written.
//
// A plain value made from a topology and its network; used on the planner's thread.
#pragma once

#include <cstdint>
#include <string_view>

#include "collectives/layout.h"
#include "collectives/simulate/network.h"
#include "lib/topology/topology.h"

namespace unirack {

// Of the busiest rank, but for `steps`.
struct PlanEffort {
  double rounds = 1;          // messages that wait for each other
  double outer_rounds = 0;    // of them between domains
  double inner_messages = 0;  // that it sends one after the other, within its domain
  double outer_messages = 0;  // and out of it
  double inner_blocks = 0;    // blocks it sends within its domain
  double outer_blocks = 0;    // and out of it
  double any_blocks = 0;      // blocks it sends, wherever
  double domain_blocks = 0;   // blocks that leave its domain, whoever sends them
  double folded_blocks = 0;   // blocks it folds
  double steps = 0;           // of all ranks, about
  bool is_vague = false;      // it may be far more
};

class LeastCost {
 public:
  static LeastCost of(const Topology& topology, const Network& network, int lanes);

  PlanEffort effort(Collective collective, std::string_view algorithm) const;
  // In picoseconds, for blocks of `bytes`; never more than a simulation takes.
  uint64_t at_least_ps(const PlanEffort& effort, uint64_t bytes, DataType type) const;

 private:
  PlanEffort to_everyone(double times, double blocks) const;
  PlanEffort of_root(double blocks) const;
  PlanEffort in_rounds(double sweeps, double radix) const;
  PlanEffort around(double times, double blocks) const;
  PlanEffort over_domains(double times) const;
  void raise_to_least(Collective collective, PlanEffort& effort) const;

  double ranks_ = 1;
  double domains_ = 1;
  double members_ = 1;           // of the smallest domain
  double members_max_ = 1;       // and of the largest
  double latency_ps_ = 0;        // of the nearest link
  double outer_latency_ps_ = 0;  // of the nearest between domains
  double inner_message_ps_ = 0;  // lane and step for a message on the cheapest link within
  double outer_message_ps_ = 0;  // and between domains
  double call_ps_ = 0;
  double inner_rate_ = 0;   // bytes/s out of a rank within its domain; 0: no limit
  double outer_rate_ = 0;   // out of a rank to other domains
  double domain_rate_ = 0;  // out of a domain
  const Costs* costs_ = nullptr;
};

}  // namespace unirack
