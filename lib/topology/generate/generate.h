// Graphs of named machines and fabrics, from a text such as "dgx-a100:boxes=2" or
// "nvl72:gpus=72+66,nic=100", and what faults make of them. Bandwidths are nominal, per direction,
// in GB/s. A single machine or rack is generated without its network. Pure functions, callable from
// any thread.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "lib/topology/graph.h"

namespace unirack {

// "NAME" or "NAME:KEY=VALUE,..."; the first parameter of a family may be given without its key
// ("torus:4x4"). What is not known is answered with what is.
Result<Graph> generate(std::string_view spec);

// A fault marks nodes and links as down; nothing is removed. Several are separated by commas:
//   gpu:N nic:N leaf:N spine:N   by number in the graph's order, or by name
//   host:NAME                    all of a machine
//   link:A:B                     between two nodes, both ways
//   partial-rack:66              leaves so many GPUs, and their NICs, in the last rack
Result<Graph> with_fault(const Graph& graph, std::string_view fault);

struct FamilyParameter {
  std::string_view name;
  std::string_view fallback;
  std::string_view what;
};

struct FabricFamily {
  std::string_view name;
  std::string_view what;
  std::span<const FamilyParameter> parameters;
};

std::span<const FabricFamily> fabric_families();
// All families with their parameters and defaults, for --help.
std::string families_text();

}  // namespace unirack
