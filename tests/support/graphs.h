// Small graphs that several tests start from, and graphs at random.
#pragma once

#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "lib/topology/graph.h"

namespace unirack::testing {

// Adds the node, or fails the test.
NodeIndex add(GraphBuilder& builder, NodeKind kind, const std::string& name,
              const std::string& host = "");
Graph build(GraphBuilder builder, const std::string& origin = "test");

struct BoxOptions {
  int boxes = 2;
  int gpus = 4;       // a box; each with a NIC of its own
  bool rails = true;  // leaf i takes NIC i of every box; otherwise a leaf a box takes all
  bool say_rails = false;
};

// "h0/gpu0" on "h0/nvswitch", "h0/nic/mlx5_0" beside "h0/gpu0" behind "h0/cpu0", "leaf0", "spine0".
GraphBuilder boxes(const BoxOptions& options);

// Any graph that a builder accepts, names drawn from a small set so that graphs overlap.
Graph random_graph(std::mt19937& random, int nodes, int links);
// The same graph with its nodes and links in another order, and if wanted under other names.
Graph shuffled(const Graph& graph, std::mt19937& random, bool rename = false);

}  // namespace unirack::testing
