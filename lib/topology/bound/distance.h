// Distances between all members: what an all-to-all has to carry at least, whatever lengths the
// pipes are given. The sum of distances over the sum of length times capacity is a lower bound on
// the time of any all-to-all (linear programming duality), exact in integers. Pure functions,
// callable from any thread.
#pragma once

#include <optional>
#include <vector>

#include "lib/topology/bound/cut_network.h"

namespace unirack {

// One for each direction of each pipe; what is free has length 0 whatever is said.
struct PipeLengths {
  uint64_t a_to_b = 1;
  uint64_t b_to_a = 1;
};

// Bytes/s of a member's whole buffer, at most. Lengths are at most kLengthMax.
Rational length_bound(const CutNetwork& network, const std::vector<PipeLengths>& lengths);
inline constexpr uint64_t kLengthMax = uint64_t{1} << 32;

// With every pipe of length 1. Nothing: the network is so large that it would take long.
std::optional<Rational> hop_bound(const CutNetwork& network);

}  // namespace unirack
