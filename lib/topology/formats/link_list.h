// Links between named nodes as JSON, for graphs that people and synthesis tools write down, and the
// matrices of TE-CCL (https://github.com/microsoft/TE-CCL, teccl/topologies/topology.py: the fields
// of its Topology, whose topologies are Python and not read). Pure; callable from any thread.
//
// Links: {"nodes": 8 or ["gpu0", {"name": "sw", "kind": "switch", "host": "box0"}, ...],
//         "links": [{"source": "gpu0", "target": "sw", "bandwidth": 25, "latency": 0.7,
//                    "count": 6, "kind": "nvlink", "both_ways": true}, ...]}
// Bandwidths are GB/s (10^9 bytes/s) of one link, latencies microseconds; both may be left out.
// Nodes are named by name or place; a number of nodes are that many GPUs. TE-CCL: {"capacity":
// [[...]], "alpha": [[...]], "switch_indices": [...], "nodes": [names]}, row to column, in GB/s and
// seconds, where `alpha`, `switch_indices` and `nodes` may be left out.
#pragma once

#include <string>
#include <string_view>

#include "lib/topology/formats/formats.h"

namespace unirack {

inline constexpr size_t kMatrixNodesMax = 1500;

bool recognises_links(std::string_view text);
Result<Graph> read_links(std::string_view text, const ReadOptions& options);
Result<std::string> write_links(const Graph& graph);

bool recognises_teccl(std::string_view text);
Result<Graph> read_teccl(std::string_view text, const ReadOptions& options);
// All nodes that are not members are switches there; links of unknown rate get that of the fastest
// node, which limits nothing.
Result<std::string> write_teccl(const Graph& graph);

}  // namespace unirack
