// NVIDIA NetQ's JSON: topologyGraph (switches, hosts found over LLDP and the cables between them)
// and computeNodes (trays of an NVLink domain and their GPUs, from NMX). Pure; callable from any
// thread.
//
// Both are lists; a list may hold elements of both (`jq -s add topologyGraph.json
// computeNodes.json`), and then a host of the one is the tray of the same name of the other. Rates
// are not in them: 0. A host's interfaces are its NICs; GPUs reach them over one PCIe node, since
// which is beside which is not said. Where no tray names GPUs, each host has one rank. Both only
// assumed.
#pragma once

#include <string_view>

#include "lib/topology/formats/formats.h"

namespace unirack {

bool recognises_netq(std::string_view text);
Result<Graph> read_netq(std::string_view text, const ReadOptions& options);

}  // namespace unirack
