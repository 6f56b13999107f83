#include "perf/common/collective.h"

#include <algorithm>

namespace unirack::perf {

Blocks blocks_to_all(const Call& call) {
  Blocks blocks;
  for (int peer = 0; peer < call.rank_count; ++peer) {
    blocks.push_back({static_cast<size_t>(peer) * call.count, call.count, call.rank, peer});
  }
  return blocks;
}

Blocks blocks_from_all(const Call& call, int id) {
  Blocks blocks;
  for (int peer = 0; peer < call.rank_count; ++peer) {
    blocks.push_back({static_cast<size_t>(peer) * call.count, call.count, peer, id});
  }
  return blocks;
}

size_t extent_of(const Blocks& blocks) {
  size_t extent = 0;
  for (const Block& block : blocks) extent = std::max(extent, block.offset + block.count);
  return extent;
}

}  // namespace unirack::perf
