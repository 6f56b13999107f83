// Packed spanning forests for pools of any shape: trees that together fill the links that limit
// the collective (collectives/forest/forest.h). Sums are taken in the order of the trees:
// reassociates.
#include <algorithm>

#include "collectives/algorithms/algorithms.h"
#include "collectives/algorithms/tree_writer.h"
#include "collectives/forest/forest.h"
#include "lib/topology/bound/cut_search.h"

namespace unirack {

namespace {

// Few trees make few messages; more are taken only for a better rate than this share of the best.
constexpr Rational kEnough{99, 100};
constexpr uint32_t kTreesMax = 16;

bool is_rooted(const Request& request) {
  return request.collective == Collective::broadcast || request.collective == Collective::reduce;
}

// Up: what is reduced flows to the roots.
bool flows_up(const Request& request) { return is_reduction(request.collective); }

// Members are numbered as in the graph; ranks as the graph says, or alike.
std::vector<Rank> ranks_of_members(const Graph& graph) {
  const std::vector<NodeIndex>& members = graph.members();
  const bool are_named = std::all_of(members.begin(), members.end(),
                                     [&](NodeIndex node) { return graph.node(node).rank >= 0; });
  std::vector<Rank> ranks;
  for (const NodeIndex node : members) {
    ranks.push_back(are_named ? graph.node(node).rank : static_cast<Rank>(ranks.size()));
  }
  return ranks;
}

bool has_every_rank(std::vector<Rank> ranks, int rank_count) {
  std::sort(ranks.begin(), ranks.end());
  if (ranks.size() != static_cast<size_t>(rank_count)) return false;
  for (size_t i = 0; i < ranks.size(); ++i) {
    if (ranks[i] != static_cast<Rank>(i)) return false;
  }
  return true;
}

uint64_t trees_max_for(const Topology& topology, const Request& request) {
  const auto ranks = static_cast<uint64_t>(topology.rank_count());
  const uint64_t by_size = kForestEdgesMax / (is_rooted(request) ? ranks : ranks * ranks);
  const bool is_cut_once = request.collective == Collective::all_reduce;
  return std::min<uint64_t>(by_size, is_cut_once ? kChunksMax / ranks : kChunksMax);
}

RankTrees rank_trees_of(const Forest& forest, const std::vector<Rank>& ranks,
                        const ScheduleHeader& header) {
  RankTrees trees;
  trees.rank_count = header.rank_count;
  const auto tree_count = static_cast<uint32_t>(forest.roots.size());
  trees.parent.assign(size_t{tree_count} * forest.member_count, kNoRank);
  trees.depth.assign(trees.parent.size(), 0);
  const bool by_block = header.collective == Collective::all_gather ||
                        header.collective == Collective::reduce_scatter;
  for (uint32_t tree = 0; tree < tree_count; ++tree) {
    const Rank root = ranks[forest.roots[tree]];
    trees.roots.push_back(root);
    trees.parts.push_back(
        by_block ? static_cast<uint32_t>(root) * header.chunks + tree % header.chunks : tree);
    for (const ForestEdge& edge : forest.edges_of(tree)) {
      const size_t from = trees.at(tree, ranks[edge.from]);
      const size_t to = trees.at(tree, ranks[edge.to]);
      trees.parent[to] = ranks[edge.from];
      trees.depth[to] = trees.depth[from] + 1;
      trees.depth_max = std::max(trees.depth_max, trees.depth[to]);
    }
  }
  return trees;
}

ScheduleHeader header_for(const Topology& topology, const Request& request, std::string_view name,
                          uint32_t chunks) {
  ScheduleHeader header;
  header.collective = request.collective;
  header.rank_count = topology.rank_count();
  header.root = is_rooted(request) ? request.root : 0;
  header.algorithm = name;
  header.chunks = chunks;
  if (flows_up(request)) {
    header.reassociates = true;
    header.sum_groups = topology.sum_groups();
    header.stages = 2;
  }
  return header;
}

Result<Forest> forest_for(const Topology& topology, const Request& request,
                          const CutNetwork& network, uint32_t k) {
  if (!is_rooted(request)) return pack_all_gather(topology.graph(), network, k);
  const std::vector<Rank> ranks = ranks_of_members(topology.graph());
  const auto root = std::find(ranks.begin(), ranks.end(), request.root) - ranks.begin();
  return pack_broadcast(topology.graph(), network, static_cast<uint32_t>(root), k);
}

// What the trees may use, in the direction in which they are packed: away from the root.
CutNetwork network_for(const Topology& topology, const Request& request) {
  CutNetwork network = cut_network_of(topology.graph());
  if (request.collective == Collective::all_reduce) {
    for (Pipe& pipe : network.pipes) {
      const bool is_a_less =
          pipe.b_to_a == kFree || (pipe.a_to_b != kFree && pipe.a_to_b < pipe.b_to_a);
      pipe.a_to_b = pipe.b_to_a = is_a_less ? pipe.a_to_b : pipe.b_to_a;
    }
    network.symmetric = true;
    return network;
  }
  return flows_up(request) ? reversed_network(network) : network;
}

// Of up to this many trees those that are fastest; of equally fast ones the fewest.
constexpr uint32_t kRootedTreesMax = 8;

Result<uint32_t> tree_count_for(const Topology& topology, const Request& request,
                                const CutNetwork& network) {
  const auto most = static_cast<uint32_t>(trees_max_for(topology, request));
  if (!is_rooted(request)) {
    return smallest_tree_count(network, std::min(most, kTreesMax), kEnough);
  }
  uint32_t best = 1;
  Rational best_algbw{0, 1};
  for (uint32_t k = 1; k <= std::min(most, kRootedTreesMax); ++k) {
    const Result<Forest> forest = forest_for(topology, request, network, k);
    if (!forest) continue;
    const Rational algbw = forest_algbw(network, *forest);
    if (algbw > best_algbw) {
      best = k;
      best_algbw = algbw;
    }
  }
  return best;
}

Result<Schedule> write(const Topology& topology, const Request& request, const CutNetwork& network,
                       std::string_view name, uint32_t k,
                       ForestLanes lanes = ForestLanes::by_depth) {
  const Forest forest = UNIRACK_TRY(forest_for(topology, request, network, k));
  const bool is_whole = request.collective == Collective::all_reduce;
  const auto chunks = is_whole ? static_cast<uint32_t>(forest.roots.size()) : k;
  ScheduleHeader header = header_for(topology, request, name, chunks);
  const RankTrees trees = rank_trees_of(forest, ranks_of_members(topology.graph()), header);
  TreeWriter writer(trees, std::move(header), flows_up(request), is_whole || !flows_up(request));
  if (lanes == ForestLanes::by_tree) writer.widen_stages();
  return std::move(writer).write();
}

}  // namespace

std::string forest_unfit(const Topology& topology, const Request& request) {
  const Graph& graph = topology.graph();
  if (topology.rank_count() < 2) return "there is only one rank";
  if (graph.members().empty()) return "nothing is known of the links";
  const bool on_gpus = graph.node(graph.members().front()).kind == NodeKind::gpu;
  const bool has_ranks = std::any_of(graph.nodes().begin(), graph.nodes().end(),
                                     [](const Node& node) { return node.kind == NodeKind::rank; });
  if ((on_gpus && has_ranks) || !has_every_rank(ranks_of_members(graph), topology.rank_count())) {
    return "the members of the graph are not the ranks";
  }
  if (trees_max_for(topology, request) == 0) return "there are too many ranks";
  const SlowestCut slowest = find_slowest_cut(network_for(topology, request), false);
  if (slowest.members == 0) return "no known link limits it";
  return slowest.capacity == 0 ? "a member is cut off" : "";
}

Result<Schedule> forest_with(const Topology& topology, const Request& request, uint32_t k,
                             ForestLanes lanes) {
  if (k == 0 || k > trees_max_for(topology, request)) {
    return make_error(Code::invalid_argument, "no trees, or too many for so many ranks");
  }
  return write(topology, request, network_for(topology, request), "forest", k, lanes);
}

// Steps: the depth of the trees, twice for an all-reduce. Written, by the busiest rank, what its
// links allow.
Result<Schedule> forest_of_few(const Topology& topology, const Request& request, int) {
  const CutNetwork network = network_for(topology, request);
  const uint32_t k = UNIRACK_TRY(tree_count_for(topology, request, network));
  return write(topology, request, network, "forest", k);
}

std::string forest_exact_unfit(const Topology& topology, const Request& request) {
  std::string why = forest_unfit(topology, request);
  if (!why.empty()) return why;
  const SlowestCut slowest = find_slowest_cut(network_for(topology, request), false);
  return slowest.capacity > static_cast<Wide>(trees_max_for(topology, request))
             ? "the optimum takes too many trees"
             : "";
}

// As many trees as the optimum takes.
Result<Schedule> forest_exact(const Topology& topology, const Request& request, int) {
  const CutNetwork network = network_for(topology, request);
  const SlowestCut slowest = find_slowest_cut(network, false);
  return write(topology, request, network, "forest_exact", static_cast<uint32_t>(slowest.capacity));
}

}  // namespace unirack
