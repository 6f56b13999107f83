// A small directed graph with whole capacities: terminals, which trees have to reach, and switches,
// which only pass on. remove_switches() leaves terminals only, joined by logical arcs that remember
// which arcs they pass. A plain value; used by one thread at a time.
//
// Removing a switch pairs what enters it with what leaves it, so that every cut that matters keeps
// what it needs: into any set of nodes with a terminal, as much as the trees rooted outside of it.
// Edge splitting always can where as much enters a switch as leaves it (Bang-Jensen, Frank, Jackson
// 1995; ForestColl, arXiv 2402.06787). Even pairings are tried first and tested as a whole; pairs
// are split one by one, by maximum flows, only where these fail.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "lib/base/result.h"

namespace unirack {

// Routes as joined pieces, so that the many that nobody takes cost little.
class RouteBook {
 public:
  uint32_t add(uint32_t arc);
  uint32_t join(uint32_t first, uint32_t second);
  // Appends the arcs it passes, in order.
  void list_arcs(uint32_t route, std::vector<uint32_t>& arcs) const;

 private:
  struct Piece {
    uint32_t first = 0;  // an arc where there is no second
    uint32_t second = 0;
  };
  std::vector<Piece> pieces_;
};

struct RoutePart {
  uint32_t route = 0;
  int64_t amount = 0;
};

struct SwitchedGraph {
  explicit SwitchedGraph(uint32_t nodes);

  size_t at(uint32_t from, uint32_t to) const { return size_t{from} * node_count + to; }
  // `arc` is a name of the caller's.
  void add_arc(uint32_t from, uint32_t to, int64_t amount, uint32_t arc);

  uint32_t node_count = 0;
  std::vector<int64_t> capacity;              // by at()
  std::vector<std::vector<RoutePart>> parts;  // by at(): what the capacity consists of
  std::vector<uint8_t> is_terminal;           // by node
  std::vector<uint32_t> trees;                // rooted at each node
  std::vector<uint32_t> group;                // nodes of one group reach each other elsewhere too
  RouteBook book;
};

// Whether the trees can reach every terminal: the least that is missing at one; 0: they can.
int64_t shortfall(const SwitchedGraph& graph, const std::vector<int64_t>& capacity);

Status remove_switches(SwitchedGraph& graph);

}  // namespace unirack
