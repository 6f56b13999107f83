// How fast this core copies and reduces, by the functions that the executor uses: blocks as large
// as plans cut them, each the lower eighth of several times, walking through memory as plans walk
// through tiles. Takes until `until` at the latest, give or take one block; any thread.
#pragma once

#include <array>
#include <cstdint>

#include "lib/base/clock.h"
#include "lib/base/types.h"

namespace unirack {

// As in Costs: bytes/s of copies, and of sources folded.
struct LocalSpeed {
  uint64_t copy_bandwidth = 0;
  std::array<uint64_t, kDataTypeCount> reduce_bandwidth = {};
};

LocalSpeed measure_local_speed(Deadline until);

}  // namespace unirack
