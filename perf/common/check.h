// Fills the buffers of a call with the oracle's data and counts what is wrong afterwards. Pure but
// for the buffers handed in; any thread.
#pragma once

#include <cstddef>
#include <span>
#include <string>

#include "perf/common/collective.h"
#include "perf/common/oracle.h"

namespace unirack::perf {

// Writes this rank's blocks, element 0 of the buffer at `buffer`.
void fill_blocks(const Oracle& oracle, const Blocks& blocks, size_t element_bytes,
                 std::byte* buffer);

struct Wrong {
  size_t count = 0;   // of elements
  std::string first;  // where and how, for people; empty when all is right
};
// Compares the blocks with what the oracle expects, bit by bit.
Wrong count_wrong(const Oracle& oracle, const Blocks& blocks, size_t element_bytes,
                  const std::byte* buffer);

}  // namespace unirack::perf
