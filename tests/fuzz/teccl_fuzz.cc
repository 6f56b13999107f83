// Reads any text as TE-CCL's matrices. What could be read and written can be read again, and is
// written the same then.
#include "lib/topology/formats/link_list.h"

namespace unirack {

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  recognises_teccl(text);
  const auto graph = read_teccl(text, {});
  if (!graph) {
    if (graph.error().detail.empty()) __builtin_trap();
    return 0;
  }
  const auto written = write_teccl(*graph);
  if (!written) return 0;
  const auto again = read_teccl(*written, {});
  if (!again || again->nodes().size() != graph->nodes().size()) __builtin_trap();
  const auto twice = write_teccl(*again);
  if (!twice || twice->size() == 0) __builtin_trap();
  return 0;
}

}  // namespace unirack
