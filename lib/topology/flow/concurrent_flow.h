// The exact optimum of an all-to-all: every member sends an equal block to each other member, along
// any paths, and the fullest link decides. A linear program over flows grouped by their source
// (maximum concurrent multicommodity flow; Shahrokhi and Matula 1990; for collectives Basu, Zhao et
// al., arXiv 2309.13541), made small by its symmetry first. For up to a few hundred members; pure,
// callable from any thread.
#pragma once

#include <vector>

#include "lib/topology/bound/cut_network.h"
#include "lib/topology/bound/distance.h"
#include "lib/topology/bound/rational.h"

namespace unirack {

struct AllToAllOptimum {
  // Bytes/s of a member's whole buffer that nothing beats: exact whatever the solver rounded, since
  // it follows from `lengths` alone (distance.h).
  Rational algbw;
  std::vector<PipeLengths> lengths;
  // Bytes/s that flows reach, as the solver has it.
  double reached = 0;
  uint64_t column_count = 0;         // of the linear program
  uint64_t folded_column_count = 0;  // of what was solved
};

Result<AllToAllOptimum> solve_all_to_all(const CutNetwork& network);

}  // namespace unirack
