#include "collectives/algorithms/composition.h"

#include <algorithm>
#include <numeric>

namespace unirack {

Topology flat_pool(size_t ranks) { return Topology::of_domains({static_cast<uint32_t>(ranks)}); }

Request with_root(Request request, Rank root) {
  request.root = root;
  return request;
}

std::vector<uint32_t> parts_of(Parts parts) {
  std::vector<uint32_t> names(parts.end - parts.begin);
  std::iota(names.begin(), names.end(), parts.begin);
  return names;
}

std::vector<std::vector<Place>> same_place(size_t ranks, size_t blocks, Place place) {
  return std::vector(ranks, std::vector<Place>(blocks, place));
}

Rank index_of(const std::vector<Rank>& ranks, Rank rank) {
  return static_cast<Rank>(std::find(ranks.begin(), ranks.end(), rank) - ranks.begin());
}

}  // namespace unirack
