// The graph as cuts see it: what is down is gone, and so are links that only pair a GPU with a NIC
// (reach.h); nodes joined by links of unknown bandwidth both ways are one *place*, links between
// the same two places are one *pipe*, and bandwidths are whole multiples of their greatest common
// divisor. A cut of the network is a cut of the graph with the same members on each side and the
// same bandwidth. A plain value made from one Graph; read from any thread.
#pragma once

#include <cstdint>
#include <vector>

#include "lib/topology/bound/rational.h"
#include "lib/topology/graph.h"

namespace unirack {

inline constexpr uint32_t kNoPlace = UINT32_MAX;
inline constexpr Wide kFree = -1;  // the capacity of what limits nothing

// Capacity 0: nothing passes in that direction.
struct Pipe {
  uint32_t a = 0;
  uint32_t b = 0;  // above a
  Wide a_to_b = 0;
  Wide b_to_a = 0;
};

struct CutNetwork {
  uint32_t place_count = 0;
  std::vector<uint32_t> place_of;    // by node; kNoPlace: it is down
  std::vector<uint32_t> members_in;  // by place
  std::vector<Pipe> pipes;           // ascending by ends
  // Places with members, those that load/store reaches from each other side by side.
  std::vector<uint32_t> member_places;
  uint32_t member_count = 0;
  Wide unit = 1;           // bytes/s of capacity 1
  Wide total = 0;          // of all capacities that limit
  bool symmetric = false;  // every pipe carries the same both ways
};

CutNetwork cut_network_of(const Graph& graph);

}  // namespace unirack
