// The matrix that `nvidia-smi topo -m` prints of one machine, with tabs or aligned, coloured or
// not. Pure.
//
// Reading: PIX, PXB, PHB and NODE say how deep two devices part, which gives a tree of bridges that
// have no names of their own ("host/pci/pix0"). NV# between GPUs is direct, or to the NVSwitches
// where it adds up to more links than a GPU has. The matrix tells no rates: an NVLink is assumed to
// carry 25 GB/s, except of 18, where two generations differ.
//
// Writing: one machine, GPUs and NIC ports in the order of their nodes.
#pragma once

#include <string>
#include <string_view>

#include "lib/topology/formats/formats.h"

namespace unirack {

bool recognises_nvidia_smi(std::string_view text);
Result<Graph> read_nvidia_smi(std::string_view text, const ReadOptions& options);
Result<std::string> write_nvidia_smi(const Graph& graph);

// How far apart two devices are, nearest first.
enum class SmiRelation : uint8_t { self, pix, pxb, phb, node, sys };

}  // namespace unirack
