// What changed between two graphs of one fabric, as data and as text. Nodes are the same by name,
// links by their ends and kind; all links of one kind between two nodes are compared together. How
// something is known is no difference. Pure functions.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "lib/topology/graph.h"

namespace unirack {

struct FieldChange {
  std::string field;  // "rack", or an attribute's key
  std::string before;
  std::string after;
};

struct NodeChange {
  enum class What : uint8_t { gone, added, changed };
  What what = What::changed;
  NodeKind kind = NodeKind::gpu;
  std::string name;
  std::vector<FieldChange> fields;  // of a changed one
};

// Links that work, of one kind, one direction, between two nodes.
struct LinkState {
  uint64_t count = 0;
  uint64_t bandwidth = 0;  // bytes/s, all together; 0: not known
  uint64_t down = 0;       // those that do not work
};

struct LinkChange {
  enum class What : uint8_t {
    gone,
    added,
    fewer,   // of them work
    more,    //
    slower,  // as many of them work
    faster,  //
    other,   // degraded, latency, what they could be trained to, or whether the rate is known
  };
  What what = What::other;
  LinkKind kind = LinkKind::pcie;
  std::string from;
  std::string to;
  LinkState before;
  LinkState after;
};

// In natural order of names. Links of nodes that are gone or added are not listed.
struct GraphDiff {
  std::vector<NodeChange> nodes;
  std::vector<LinkChange> links;
  bool empty() const { return nodes.empty() && links.empty(); }
};

GraphDiff diff(const Graph& before, const Graph& after);

// One line a change, "- nic 'h0/nic/mlx5_3'"; what changed alike in both directions in one.
std::string to_text(const GraphDiff& diff);

}  // namespace unirack
