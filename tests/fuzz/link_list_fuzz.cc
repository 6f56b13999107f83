// Reads any text as a list of links. What could be read and written can be read again, and is
// written the same then.
#include "lib/topology/formats/link_list.h"

namespace unirack {

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  recognises_links(text);
  const auto graph = read_links(text, {});
  if (!graph) {
    if (graph.error().detail.empty()) __builtin_trap();
    return 0;
  }
  const auto written = write_links(*graph);
  if (!written) return 0;
  const auto again = read_links(*written, {});
  if (!again || again->nodes().size() != graph->nodes().size()) __builtin_trap();
  // What a double cannot hold to the byte may change.
  for (const Link& link : graph->links()) {
    if (link.bandwidth >> 51 != 0) return 0;
  }
  const auto twice = write_links(*again);
  if (!twice || *twice != *written) __builtin_trap();
  return 0;
}

}  // namespace unirack
