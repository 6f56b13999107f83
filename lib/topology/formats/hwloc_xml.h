// What hwloc exports of a machine (lstopo machine.xml), of its versions 1, 2 and 3. Pure.
//
// Read here and not through libhwloc: Debian's refuses files of version 3, and none is made for
// files from strangers. NUMA nodes, GPUs, ports of NICs and the bridges that join several of them
// become nodes; cores and caches do not. The matrix "NVLinkBandwidth" (or "XGMIBandwidth") gives
// the links between GPUs, to NVSwitches and to CPUs.
#pragma once

#include <string_view>

#include "lib/topology/formats/formats.h"

namespace unirack {

bool recognises_hwloc_xml(std::string_view text);
Result<Graph> read_hwloc_xml(std::string_view text, const ReadOptions& options);

}  // namespace unirack
