// How a fabric is divided for drawing: racks (or columns of machines where racks are not known) of
// machines of devices, and the switches above. Pure.
#pragma once

#include <string>
#include <vector>

#include "lib/topology/graph.h"
#include "lib/topology/render/edges.h"

namespace unirack {

struct Tray {
  std::string host;
  std::vector<NodeIndex> members;  // GPUs, or ranks where it has none
  std::vector<NodeIndex> nics;
  std::vector<NodeIndex> others;  // NUMA nodes, PCIe bridges
  std::vector<NodeIndex> bars;    // switches of its own NVLink domain
};

struct RackGroup {
  std::string name;         // empty: machines whose rack is not known
  bool is_outside = false;  // machines without members, in no rack: managers, strays
  std::vector<Tray> trays;
  std::vector<NodeIndex> bars;    // switches of domains inside this rack
  std::vector<NodeIndex> leaves;  // that only this rack is plugged into
};

struct FabricGroups {
  std::vector<RackGroup> racks;
  std::vector<NodeIndex> shared_bars;         // of domains wider than a rack
  std::vector<std::vector<NodeIndex>> tiers;  // [0]: leaves of several racks; then what is above
  std::vector<int32_t> rails;                 // where NICs stand by rail; empty: they do not
  std::vector<uint32_t> rack_of;              // by node; kNoRack: none

  static constexpr uint32_t kNoRack = UINT32_MAX;
};

FabricGroups group_fabric(const Graph& graph, const Neighbours& neighbours);

}  // namespace unirack
