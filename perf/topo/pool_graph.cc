#include "perf/topo/pool_graph.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "lib/topology/reach.h"

namespace unirack::topo {

namespace {

// Facts about every pair are kept.
constexpr size_t kRanksMax = 8192;

}  // namespace

Result<Topology> pool_of_graph(const Graph& graph) {
  const auto& members = graph.members();
  const size_t ranks = members.size();
  if (ranks == 0 || ranks > kRanksMax) {
    return make_error(Code::invalid_argument,
                      fmt::format("expected 1 to {} GPUs or ranks, found {}", kRanksMax, ranks));
  }
  TopologySpec spec;
  spec.rank_count = static_cast<int>(ranks);
  spec.homes.resize(ranks);
  std::vector<size_t> domain_of(ranks, 0);
  const std::vector<Domain> domains = find_domains(graph);
  for (size_t i = 0; i < domains.size(); ++i) {
    for (const NodeIndex member : domains[i].members) {
      const auto at = std::lower_bound(members.begin(), members.end(), member);
      domain_of[static_cast<size_t>(at - members.begin())] = i;
      spec.homes[static_cast<size_t>(at - members.begin())] = domains[i].name;
    }
  }
  spec.transports.reserve(ranks * ranks);
  spec.load_store.reserve(ranks * ranks);
  for (size_t from = 0; from < ranks; ++from) {
    for (size_t to = 0; to < ranks; ++to) {
      const bool is_same = domain_of[from] == domain_of[to];
      spec.load_store.push_back(is_same ? 1 : 0);
      spec.transports.emplace_back(from == to ? "" : is_same ? "nvlink" : "verbs");
    }
  }
  const size_t rails = find_rails(graph).size();
  spec.rail_count = static_cast<uint32_t>(std::clamp<size_t>(rails, 1, 64));
  spec.graph = graph;
  return Topology::make(std::move(spec));
}

}  // namespace unirack::topo
