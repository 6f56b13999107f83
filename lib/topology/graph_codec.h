// A Graph as compact bytes, for the wire. Names share what they begin with, other texts stand once,
// and so do equal properties of links: a machine with 8 GPUs takes about 2 KiB.
//
// Reading back gives the same graph, node and link indices and provenance included. The reader is
// bounded: hostile bytes get an error, and no length from them is trusted. Pure functions.
#pragma once

#include <cstddef>
#include <vector>

#include "lib/base/bytes.h"
#include "lib/topology/graph.h"

namespace unirack {

std::vector<std::byte> encode_graph(const Graph& graph);
Result<Graph> decode_graph(BytesView bytes);

}  // namespace unirack
