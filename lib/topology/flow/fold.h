// Makes a linear program smaller by its symmetry: rows and columns that colour refinement of the
// matrix cannot tell apart become one. The optimum stays the same, and a solution of the small
// program spreads evenly to one of the large (Grohe, Kersting, Mladenov, Selman, "Dimension
// reduction via colour refinement", 2014). Colours are compared by 64-bit hashes. Pure functions,
// callable from any thread.
#pragma once

#include <vector>

#include "lib/topology/flow/linear_program.h"

namespace unirack {

struct FoldedProgram {
  LinearProgram program;
  std::vector<uint32_t> row_class;     // by row of the large program
  std::vector<uint32_t> column_class;  // by column
  std::vector<uint32_t> row_class_size;
};

FoldedProgram fold(const LinearProgram& program);
// The solution of the large program.
LpSolution unfold(const FoldedProgram& folded, const LpSolution& solution);

}  // namespace unirack
