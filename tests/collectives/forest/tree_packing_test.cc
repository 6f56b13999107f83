// Switches removed and trees packed, beside every cut of tiny graphs.
#include "collectives/forest/tree_packing.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>

namespace unirack {
namespace {

// Whether every set of nodes with a terminal lets in as many as are rooted outside.
bool cuts_allow(const SwitchedGraph& graph) {
  for (uint32_t set = 1; set < (1u << graph.node_count); ++set) {
    int64_t enters = 0;
    int64_t outside = 0;
    bool has_terminal = false;
    for (uint32_t node = 0; node < graph.node_count; ++node) {
      const bool is_inside = (set >> node & 1u) != 0;
      if (!is_inside) outside += graph.trees[node];
      has_terminal = has_terminal || (is_inside && graph.is_terminal[node] != 0);
      for (uint32_t other = 0; other < graph.node_count && is_inside; ++other) {
        if ((set >> other & 1u) == 0) enters += graph.capacity[graph.at(other, node)];
      }
    }
    if (has_terminal && enters < outside) return false;
  }
  return true;
}

// Every switch gives out what it takes in.
SwitchedGraph random_switched(std::mt19937& random, uint32_t terminals, uint32_t switches) {
  SwitchedGraph graph(terminals + switches);
  for (uint32_t node = 0; node < terminals; ++node) {
    graph.is_terminal[node] = 1;
    graph.trees[node] = static_cast<uint32_t>(random() % 3);
  }
  uint32_t arc = 0;
  // Cycles keep every node balanced.
  for (uint32_t i = 0; i < 2 * graph.node_count; ++i) {
    const size_t length = std::min<size_t>(2 + random() % 2, graph.node_count);
    const auto amount = static_cast<int64_t>(1 + random() % 4);
    std::vector<uint32_t> cycle;
    while (cycle.size() < length) {
      const auto node = static_cast<uint32_t>(random() % graph.node_count);
      if (std::find(cycle.begin(), cycle.end(), node) == cycle.end()) cycle.push_back(node);
    }
    for (size_t j = 0; j < length; ++j) {
      graph.add_arc(cycle[j], cycle[(j + 1) % length], amount, arc++);
    }
  }
  return graph;
}

void expect_packed(const SwitchedGraph& graph, const std::vector<PackedTree>& packed) {
  std::vector<uint32_t> rooted(graph.node_count, 0);
  std::map<std::pair<uint32_t, uint32_t>, int64_t> used;
  size_t terminals = 0;
  for (const uint8_t each : graph.is_terminal) terminals += each;
  for (const PackedTree& tree : packed) {
    rooted[tree.root] += tree.copies;
    std::vector<bool> has(graph.node_count, false);
    has[tree.root] = true;
    EXPECT_EQ(tree.edges.size() + 1, terminals);
    for (const auto& edge : tree.edges) {
      EXPECT_TRUE(has[edge.from]);
      EXPECT_FALSE(has[edge.to]);
      has[edge.to] = true;
      used[{edge.from, edge.to}] += tree.copies;
    }
  }
  EXPECT_EQ(rooted, graph.trees);
  for (const auto& [ends, copies] : used) {
    EXPECT_LE(copies, graph.capacity[graph.at(ends.first, ends.second)]);
  }
}

TEST(TreePacking, PacksExactlyWhereEveryCutAllowsIt) {
  int packed_count = 0;
  for (unsigned seed = 0; seed < 1500; ++seed) {
    std::mt19937 random(seed);
    SwitchedGraph graph =
        random_switched(random, 2 + seed % 4, static_cast<uint32_t>(random() % 4));
    const bool is_allowed = cuts_allow(graph);
    EXPECT_EQ(shortfall(graph, graph.capacity) == 0, is_allowed) << "seed " << seed;
    const Status removed = remove_switches(graph);
    ASSERT_EQ(static_cast<bool>(removed), is_allowed) << "seed " << seed;
    if (!removed) continue;
    EXPECT_TRUE(cuts_allow(graph)) << "seed " << seed;
    const auto packed = pack_trees(graph);
    ASSERT_TRUE(packed) << "seed " << seed << ": " << packed.error().detail;
    expect_packed(graph, *packed);
    ++packed_count;
  }
  EXPECT_GT(packed_count, 500);
}

TEST(TreePacking, LogicalArcsKnowTheirRoutes) {
  for (unsigned seed = 0; seed < 300; ++seed) {
    std::mt19937 random(seed);
    const SwitchedGraph before = random_switched(random, 3, 3);
    SwitchedGraph graph = before;
    if (!remove_switches(graph)) continue;
    // Arcs were numbered in the order in which they were added.
    std::map<uint32_t, std::pair<uint32_t, uint32_t>> ends;
    std::map<uint32_t, int64_t> capacity;
    for (uint32_t from = 0; from < before.node_count; ++from) {
      for (uint32_t to = 0; to < before.node_count; ++to) {
        for (const RoutePart& part : before.parts[before.at(from, to)]) {
          std::vector<uint32_t> arcs;
          before.book.list_arcs(part.route, arcs);
          ASSERT_EQ(arcs.size(), 1u);
          ends[arcs[0]] = {from, to};
          capacity[arcs[0]] = part.amount;
        }
      }
    }
    for (uint32_t from = 0; from < graph.node_count; ++from) {
      for (uint32_t to = 0; to < graph.node_count; ++to) {
        int64_t sum = 0;
        for (const RoutePart& part : graph.parts[graph.at(from, to)]) {
          std::vector<uint32_t> arcs;
          graph.book.list_arcs(part.route, arcs);
          uint32_t at = from;
          for (const uint32_t arc : arcs) {
            EXPECT_EQ(ends[arc].first, at);
            at = ends[arc].second;
            capacity[arc] -= part.amount;
          }
          EXPECT_EQ(at, to);
          sum += part.amount;
        }
        EXPECT_EQ(sum, graph.capacity[graph.at(from, to)]);
      }
    }
    for (const auto& [arc, left] : capacity) EXPECT_GE(left, 0) << arc;
  }
}

}  // namespace
}  // namespace unirack
