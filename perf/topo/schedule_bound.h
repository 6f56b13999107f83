// The bound beside a simulated time: what no schedule of the collective beats on that graph.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "collectives/layout.h"
#include "lib/topology/bound/bound.h"

namespace unirack::topo {

struct ScheduleBound {
  Rational algbw;  // bytes/s; unlimited: of nothing in the way the speed is known
  Cut cut;
  uint64_t time_ps(uint64_t bytes) const;  // rounded down, so that nothing beats it
};

// None for collectives of which no bound is known. `root` is a rank: a place among the members.
std::optional<ScheduleBound> schedule_bound(const Bounds& bounds, Collective collective, Rank root);

// "at most 450 GB/s: GPU gpu0 (one of 8 alike) behind 450 GB/s"
std::string bound_text(const ScheduleBound& bound);

}  // namespace unirack::topo
