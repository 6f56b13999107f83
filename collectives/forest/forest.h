// Packed spanning forests: for each root so many trees that reach every member, so that no link
// carries more of them than its bandwidth times a scale. Sending an equal part of the data down
// each tree is an all-gather (each member roots k trees) or a broadcast (one does), and up them a
// reduce-scatter or a reduce; ForestColl (arXiv 2402.06787) shows that such forests reach the
// optimum.
//
// Trees are packed between load/store domains first and then within each, so that 1,152 GPUs take
// less than a second; small pools also as one graph, which reaches every scale that the cuts allow
// where all switches give out what they take in. What a forest achieves is computed from its loads.
// Exact and pure; callable from any thread.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "lib/base/result.h"
#include "lib/topology/bound/cut_network.h"
#include "lib/topology/bound/rational.h"
#include "lib/topology/graph.h"

namespace unirack {

// Members count as in Graph::members(). A route is a run of arcs: pipe * 2 in the direction of the
// pipe, pipe * 2 + 1 against it; members that share a place need none.
struct ForestEdge {
  uint32_t from = 0;
  uint32_t to = 0;
  uint32_t route = 0;
};

struct Forest {
  uint32_t member_count = 0;
  std::vector<uint32_t> roots;    // by tree, ascending
  std::vector<ForestEdge> edges;  // member_count - 1 a tree, parents before children
  std::vector<uint32_t> hops;
  std::vector<uint32_t> first_hop;  // by route, and one past the end

  std::span<const ForestEdge> edges_of(uint32_t tree) const {
    return std::span(edges).subspan(size_t{tree} * (member_count - 1), member_count - 1);
  }
  std::span<const uint32_t> route(uint32_t index) const {
    return std::span(hops).subspan(first_hop[index], first_hop[index + 1] - first_hop[index]);
  }
};

// Trees times members are at most this many.
inline constexpr uint64_t kForestEdgesMax = 32'000'000;

// `roots` by tree, ascending; a pipe carries at most floor(scale * capacity) trees in a direction.
Result<Forest> pack_forest(const Graph& graph, const CutNetwork& network,
                           std::span<const uint32_t> roots, Rational scale);

// k trees from every member, the best that we find. What is passed on within a domain takes no link
// outside of it, since senders would not; the bound may count on that.
Result<Forest> pack_all_gather(const Graph& graph, const CutNetwork& network, uint32_t k);
// k trees from one member.
Result<Forest> pack_broadcast(const Graph& graph, const CutNetwork& network, uint32_t root,
                              uint32_t k);

// The smallest number of trees per root, at most `k_max`, whose best all-gather reaches this share
// of the optimum; the best of them if none does.
Result<uint32_t> smallest_tree_count(const CutNetwork& network, uint32_t k_max, Rational share);

// Bytes/s when an equal part of the data goes down each tree: exact, from the fullest pipe.
Rational forest_algbw(const CutNetwork& network, const Forest& forest);

// Proves by other means than packing that every tree reaches every member once along routes through
// switches, and that no pipe carries more than floor(scale * capacity).
Status check_forest(const Graph& graph, const CutNetwork& network, const Forest& forest,
                    Rational scale);

// The network with every pipe turned round: its forests, upside down, are those that reduce.
CutNetwork reversed_network(const CutNetwork& network);

}  // namespace unirack
