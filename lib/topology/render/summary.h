// A graph in numbers: how many of what, which classes of links, what is broken. The opening line of
// every rendering and the legend of the pictures. Pure.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "lib/topology/render/edges.h"

namespace unirack {

// Edges that are alike.
struct LinkGroup {
  LinkKind kind = LinkKind::pcie;
  uint64_t bandwidth = 0;  // as Edge::bandwidth
  std::string text;        // "18 x 50 GB/s"
  size_t count = 0;
};

struct Summary {
  std::array<size_t, kNodeKindCount> nodes{};
  size_t machines = 0;
  std::vector<std::string> racks;  // in natural order
  std::vector<int32_t> rails;      // ascending
  std::vector<size_t> rail_nics;   // NICs of each
  std::vector<LinkGroup> classes;  // the fastest of a kind first
  std::vector<uint32_t> class_of;  // by edge
  size_t down = 0;                 // nodes and edges
  size_t degraded = 0;

  size_t count(NodeKind kind) const { return nodes[static_cast<size_t>(kind)]; }
};

Summary summarize(const Graph& graph, const std::vector<Edge>& edges);

// "8 racks, 144 machines, 576 GPUs, 576 NICs, 32 leaves, 18 spines, 4 rails; 2 down"
std::string summary_text(const Summary& summary);

}  // namespace unirack
