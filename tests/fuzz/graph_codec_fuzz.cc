// Feeds bytes to the reader of graphs. What it accepts must be written and read back to the same,
// and survive everything that is derived from a graph: merging, domains, rails, classes.
#include <array>

#include "lib/topology/graph_codec.h"
#include "lib/topology/merge.h"
#include "lib/topology/reach.h"
#include "lib/topology/symmetry.h"

namespace unirack {

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto graph = decode_graph(std::as_bytes(std::span(data, size)));
  if (!graph) return 0;
  const auto bytes = encode_graph(*graph);
  const auto again = decode_graph(bytes);
  if (!again || again->hash() != graph->hash() || encode_graph(*again) != bytes) __builtin_trap();

  const auto merged = merge(std::array{*graph, *again});
  if (!merged || merged->hash() != graph->hash()) __builtin_trap();
  if (symmetry_of(*merged).hash != symmetry_of(*graph).hash) __builtin_trap();
  size_t members = 0;
  for (const Domain& domain : find_domains(*graph)) members += domain.members.size();
  if (members != graph->members().size()) __builtin_trap();
  for (const Rail& rail : find_rails(*graph)) {
    if (rail.nics.empty() && rail.leaves.empty()) __builtin_trap();
  }
  return 0;
}

}  // namespace unirack
