#include <string>

#include "collectives/forest/forest.h"

namespace unirack {

namespace {

Error wrong(uint32_t tree, const std::string& what) {
  return make_error(Code::internal, "forest: tree " + std::to_string(tree) + " " + what);
}

std::vector<Wide> loads_of(const CutNetwork& network, const Forest& forest) {
  std::vector<Wide> loads(network.pipes.size() * 2, 0);
  for (const ForestEdge& edge : forest.edges) {
    for (const uint32_t arc : forest.route(edge.route)) ++loads[arc];
  }
  return loads;
}

Wide capacity_of(const CutNetwork& network, uint32_t arc) {
  const Pipe& pipe = network.pipes[arc / 2];
  return arc % 2 == 0 ? pipe.a_to_b : pipe.b_to_a;
}

// From a place to another, through places without members.
Status check_route(const CutNetwork& network, const Forest& forest, uint32_t tree,
                   const ForestEdge& edge, uint32_t place, uint32_t target) {
  if (edge.route + 1 >= forest.first_hop.size()) return wrong(tree, "takes an unknown route");
  bool is_first = true;
  for (const uint32_t arc : forest.route(edge.route)) {
    if (arc / 2 >= network.pipes.size()) return wrong(tree, "takes a pipe that does not exist");
    const Pipe& pipe = network.pipes[arc / 2];
    if ((arc % 2 == 0 ? pipe.a : pipe.b) != place) return wrong(tree, "takes a broken route");
    if (!is_first && network.members_in[place] > 0) return wrong(tree, "passes through a member");
    if (capacity_of(network, arc) == 0) return wrong(tree, "passes where nothing does");
    place = arc % 2 == 0 ? pipe.b : pipe.a;
    is_first = false;
  }
  if (place != target) return wrong(tree, "takes a route that ends elsewhere");
  return ok_status();
}

Status check_tree(const Graph& graph, const CutNetwork& network, const Forest& forest,
                  uint32_t tree) {
  std::vector<bool> has(forest.member_count, false);
  if (forest.roots[tree] >= forest.member_count) return wrong(tree, "has an unknown root");
  has[forest.roots[tree]] = true;
  for (const ForestEdge& edge : forest.edges_of(tree)) {
    if (edge.from >= forest.member_count || edge.to >= forest.member_count) {
      return wrong(tree, "names an unknown member");
    }
    if (!has[edge.from]) return wrong(tree, "is passed on by a member that it has not reached");
    if (has[edge.to]) return wrong(tree, "reaches a member twice");
    has[edge.to] = true;
    const auto place = [&](uint32_t member) { return network.place_of[graph.members()[member]]; };
    UNIRACK_TRY(check_route(network, forest, tree, edge, place(edge.from), place(edge.to)));
  }
  return ok_status();
}

}  // namespace

Rational forest_algbw(const CutNetwork& network, const Forest& forest) {
  const std::vector<Wide> loads = loads_of(network, forest);
  Rational slowest = kUnlimited;  // capacity for one tree
  for (uint32_t arc = 0; arc < loads.size(); ++arc) {
    const Wide capacity = capacity_of(network, arc);
    if (loads[arc] > 0 && capacity != kFree)
      slowest = smaller(slowest, ratio(capacity, loads[arc]));
  }
  if (slowest.is_unlimited()) return slowest;
  return ratio(slowest.numerator * network.unit * static_cast<Wide>(forest.roots.size()),
               slowest.denominator);
}

Status check_forest(const Graph& graph, const CutNetwork& network, const Forest& forest,
                    Rational scale) {
  if (forest.member_count != graph.members().size() ||
      forest.edges.size() != forest.roots.size() * (size_t{forest.member_count} - 1)) {
    return make_error(Code::internal, "forest: not every tree has an edge into every member");
  }
  for (uint32_t tree = 0; tree < forest.roots.size(); ++tree) {
    UNIRACK_TRY(check_tree(graph, network, forest, tree));
  }
  const std::vector<Wide> loads = loads_of(network, forest);
  for (uint32_t arc = 0; arc < loads.size(); ++arc) {
    const Wide capacity = capacity_of(network, arc);
    // load <= floor(scale * capacity), as both are whole.
    if (capacity == kFree ||
        ratio(loads[arc]) <= ratio(scale.numerator * capacity, scale.denominator)) {
      continue;
    }
    return make_error(Code::internal, "forest: a pipe carries more trees than it has room for");
  }
  return ok_status();
}

}  // namespace unirack
