// The fabric that stands in where none is named: GPUs on one NVSwitch, 450 GB/s each way, as in a
// DGX H100, and nothing around it. Pure.
#pragma once

#include "lib/topology/graph.h"

namespace unirack::topo {

Result<Graph> star_of(int gpus);

}  // namespace unirack::topo
