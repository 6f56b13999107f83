#include "lib/topology/bound/cut_network.h"

#include <algorithm>

#include "lib/topology/disjoint_sets.h"
#include "lib/topology/reach.h"

namespace unirack {

namespace {

bool carries(const Graph& graph, const Link& link) {
  return link.health != Health::down && graph.node(link.from).health != Health::down &&
         graph.node(link.to).health != Health::down && !is_mere_pairing(graph, link);
}

bool is_free_back(const Graph& graph, const Link& link) {
  const auto back = graph.links_from(link.to);
  auto at =
      std::lower_bound(back.begin(), back.end(), link.from,
                       [&](LinkIndex each, NodeIndex node) { return graph.link(each).to < node; });
  for (; at != back.end() && graph.link(*at).to == link.from; ++at) {
    if (!graph.link(*at).limits()) return true;
  }
  return false;
}

void number_places(const Graph& graph, CutNetwork& network) {
  DisjointSets sets(graph.nodes().size());
  for (const Link& link : graph.links()) {
    if (!link.limits() && link.from < link.to && carries(graph, link) &&
        is_free_back(graph, link)) {
      sets.join(link.from, link.to);
    }
  }
  network.place_of.assign(graph.nodes().size(), kNoPlace);
  for (NodeIndex node = 0; node < graph.nodes().size(); ++node) {
    if (graph.node(node).health == Health::down) continue;
    const uint32_t root = sets.find(node);
    network.place_of[node] = root == node ? network.place_count++ : network.place_of[root];
  }
  network.members_in.assign(network.place_count, 0);
  for (const NodeIndex member : graph.members()) ++network.members_in[network.place_of[member]];
  network.member_count = static_cast<uint32_t>(graph.members().size());
}

// Pipes of one link each, in bytes/s.
std::vector<Pipe> pipes_of_links(const Graph& graph, const CutNetwork& network) {
  std::vector<Pipe> pipes;
  pipes.reserve(graph.links().size());
  for (const Link& link : graph.links()) {
    if (!carries(graph, link)) continue;
    const uint32_t from = network.place_of[link.from];
    const uint32_t to = network.place_of[link.to];
    if (from == to) continue;
    const Wide capacity = link.limits() ? Wide{link.total_bandwidth()} : kFree;
    if (from < to) {
      pipes.push_back({from, to, capacity, 0});
    } else {
      pipes.push_back({to, from, 0, capacity});
    }
  }
  return pipes;
}

Wide join_capacities(Wide a, Wide b) { return a == kFree || b == kFree ? kFree : a + b; }

void join_pipes(std::vector<Pipe>& pipes) {
  std::sort(pipes.begin(), pipes.end(), [](const Pipe& left, const Pipe& right) {
    return left.a != right.a ? left.a < right.a : left.b < right.b;
  });
  size_t kept = 0;
  for (const Pipe& pipe : pipes) {
    if (kept > 0 && pipes[kept - 1].a == pipe.a && pipes[kept - 1].b == pipe.b) {
      pipes[kept - 1].a_to_b = join_capacities(pipes[kept - 1].a_to_b, pipe.a_to_b);
      pipes[kept - 1].b_to_a = join_capacities(pipes[kept - 1].b_to_a, pipe.b_to_a);
    } else {
      pipes[kept++] = pipe;
    }
  }
  pipes.resize(kept);
}

void normalise(CutNetwork& network) {
  Wide unit = 0;
  for (const Pipe& pipe : network.pipes) {
    for (const Wide capacity : {pipe.a_to_b, pipe.b_to_a}) {
      if (capacity > 0) unit = greatest_divisor(capacity, unit);
    }
  }
  network.unit = std::max(unit, Wide{1});
  network.symmetric = true;
  for (Pipe& pipe : network.pipes) {
    network.symmetric = network.symmetric && pipe.a_to_b == pipe.b_to_a;
    for (Wide* capacity : {&pipe.a_to_b, &pipe.b_to_a}) {
      if (*capacity <= 0) continue;
      *capacity /= network.unit;
      network.total += *capacity;
    }
  }
}

// Neighbours are tested one after the other, so that most flows stay within a domain.
void order_members(const Graph& graph, CutNetwork& network) {
  std::vector<bool> seen(network.place_count, false);
  for (const Domain& domain : find_domains(graph)) {
    for (const NodeIndex member : domain.members) {
      const uint32_t place = network.place_of[member];
      if (!seen[place]) network.member_places.push_back(place);
      seen[place] = true;
    }
  }
}

}  // namespace

CutNetwork cut_network_of(const Graph& graph) {
  CutNetwork network;
  number_places(graph, network);
  network.pipes = pipes_of_links(graph, network);
  join_pipes(network.pipes);
  normalise(network);
  order_members(graph, network);
  return network;
}

}  // namespace unirack
