// What two-level plans are put together with: the pieces of a Composer's embeddings that they have
// in common.
#pragma once

#include <cstdint>
#include <vector>

#include "collectives/schedule.h"
#include "lib/topology/topology.h"

namespace unirack {

inline constexpr Place kInputPlace{BufferId::input, 0, 0};
inline constexpr Place kOutputPlace{BufferId::output, 0, 0};

// One domain of so many ranks.
Topology flat_pool(size_t ranks);
Request with_root(Request request, Rank root);
std::vector<uint32_t> parts_of(Parts parts);
// Every block of every rank lies at `place`.
std::vector<std::vector<Place>> same_place(size_t ranks, size_t blocks, Place place);
Rank index_of(const std::vector<Rank>& ranks, Rank rank);

}  // namespace unirack
