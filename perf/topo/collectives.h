// The bounds of every collective of a graph, in one form for tables, JSON and pictures.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "lib/topology/bound/bound.h"
#include "lib/topology/render/svg.h"

namespace unirack::topo {

struct CollectiveBound {
  std::string name;    // "all-gather"
  Rational algbw;      // bytes/s; 0: somebody is cut off
  Cut cut;             // of what limits it most
  std::string note;    // a second number, in words; empty: none
  double time_ms = 0;  // that it took to compute
};

// "all-gather", ...; what --collective takes.
const std::vector<std::string>& collective_names();

// `name` is one of those; `root` is a member, for broadcast and reduce.
CollectiveBound bound_of(const Bounds& bounds, std::string_view name, NodeIndex root);

// "all-gather at most 901.895 GB/s: 10 GPUs of ... behind ..."
std::string sentence_of(const CollectiveBound& bound);
Highlight highlight_of(const CollectiveBound& bound);

// "1234/5", of bytes/s; "unlimited".
std::string exact_text(Rational value);

}  // namespace unirack::topo
