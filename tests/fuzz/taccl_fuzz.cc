// Reads any text as TACCL's JSON. What could be read and written can be read again, and is written
// the same then.
#include "lib/topology/formats/taccl.h"

namespace unirack {

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  recognises_taccl(text);
  const auto graph = read_taccl(text, {});
  if (!graph) {
    if (graph.error().detail.empty()) __builtin_trap();
    return 0;
  }
  const auto written = write_taccl(*graph);
  if (!written) return 0;
  const auto again = read_taccl(*written, {});
  if (!again || again->members().size() != graph->members().size()) __builtin_trap();
  return 0;
}

}  // namespace unirack
