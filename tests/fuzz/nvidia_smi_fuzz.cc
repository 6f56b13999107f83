// Feeds text to the reader of nvidia-smi's matrix. What it accepts is written as a matrix that is
// read back to as many GPUs and ports, and written again to the same text.
#include <algorithm>
#include <string_view>

#include "lib/topology/formats/nvidia_smi.h"

namespace {

auto count(const unirack::Graph& graph, unirack::NodeKind kind) {
  return std::count_if(graph.nodes().begin(), graph.nodes().end(),
                       [&](const unirack::Node& node) { return node.kind == kind; });
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto graph = unirack::read_nvidia_smi({reinterpret_cast<const char*>(data), size}, {});
  if (!graph) return 0;
  const auto text = unirack::write_nvidia_smi(*graph);
  if (!text) __builtin_trap();
  const auto again = unirack::read_nvidia_smi(*text, {});
  if (!again) __builtin_trap();
  for (const auto kind : {unirack::NodeKind::gpu, unirack::NodeKind::nic}) {
    if (count(*again, kind) != count(*graph, kind)) __builtin_trap();
  }
  const auto text_again = unirack::write_nvidia_smi(*again);
  if (!text_again || *text_again != *text) __builtin_trap();
  return 0;
}
