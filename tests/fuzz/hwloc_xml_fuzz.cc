// Feeds text to the reader of hwloc's files. What it accepts must be a graph that our own file
// holds.
#include <string_view>

#include "lib/topology/formats/hwloc_xml.h"
#include "lib/topology/formats/unirack_json.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto graph = unirack::read_hwloc_xml({reinterpret_cast<const char*>(data), size}, {});
  if (!graph) return 0;
  const auto text = unirack::write_unirack_json(*graph);
  if (!text) __builtin_trap();
  const auto again = unirack::read_unirack_json(*text, {});
  if (!again || again->hash() != graph->hash()) __builtin_trap();
  return 0;
}
