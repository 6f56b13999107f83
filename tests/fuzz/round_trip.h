// What fuzz targets of formats that lose something ask of reading and writing: what was accepted is
// written so that it is read back to as many GPUs and ports, and written again to the same text.
// Traps where it is not.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>

#include "lib/topology/formats/formats.h"

namespace unirack::testing {

inline auto count_nodes(const Graph& graph, NodeKind kind) {
  return std::count_if(graph.nodes().begin(), graph.nodes().end(),
                       [&](const Node& node) { return node.kind == kind; });
}

// `may_refuse`: the format has limits, so that not everything can be written.
inline void check_round_trip(std::string_view format_name, std::string_view input,
                             bool may_refuse) {
  const Format& format = *find_format(format_name);
  const auto graph = format.read(input, {});
  if (!graph) return;
  const auto text = format.write(*graph);
  if (!text && may_refuse) return;
  if (!text) __builtin_trap();
  const auto again = format.read(*text, {});
  if (!again) __builtin_trap();
  for (const NodeKind kind : {NodeKind::gpu, NodeKind::nic}) {
    if (count_nodes(*again, kind) != count_nodes(*graph, kind)) __builtin_trap();
  }
  const auto text_again = format.write(*again);
  if (!text_again || *text_again != *text) __builtin_trap();
}

}  // namespace unirack::testing
