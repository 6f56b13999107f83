// Reads any text as a topograph model, which is YAML.
#include "lib/topology/formats/topograph.h"

namespace unirack {

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  recognises_topograph(text);
  const auto graph = read_topograph(text, {.file_name = "x", .host = {}});
  if (!graph) {
    if (graph.error().detail.empty()) __builtin_trap();
    return 0;
  }
  for (const NodeIndex member : graph->members()) {
    if (graph->node(member).kind != NodeKind::rank) __builtin_trap();
    if (graph->node(member).host.empty()) __builtin_trap();
  }
  return 0;
}

}  // namespace unirack
