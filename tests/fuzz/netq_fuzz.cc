// Reads any text as NetQ's JSON.
#include "lib/topology/formats/netq.h"

namespace unirack {

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  recognises_netq(text);
  const auto graph = read_netq(text, {.file_name = "x", .host = {}});
  if (!graph) {
    if (graph.error().detail.empty()) __builtin_trap();
    return 0;
  }
  for (const Link& link : graph->links()) {
    if (link.bandwidth != 0) __builtin_trap();  // the format has none
  }
  return 0;
}

}  // namespace unirack
