// Reads any text as ibnetdiscover's, and checks what every reader promises: a graph that can be
// walked, or an error that says what was expected.
#include "lib/topology/formats/ibnetdiscover.h"

namespace unirack {

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  recognises_ibnetdiscover(text);
  const auto graph = read_ibnetdiscover(text, {.file_name = "x", .host = {}});
  if (!graph) {
    if (graph.error().detail.empty()) __builtin_trap();
    return 0;
  }
  if (graph->nodes().empty()) __builtin_trap();
  for (const Node& node : graph->nodes()) {
    const bool inferred = node.kind == NodeKind::gpu || node.kind == NodeKind::nvswitch ||
                          node.kind == NodeKind::rank;
    if (inferred != (node.provenance == Provenance::assumed)) __builtin_trap();
  }
  return 0;
}

}  // namespace unirack
