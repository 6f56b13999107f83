#include "lib/topology/bound/bound.h"

#include <fmt/format.h>

#include <algorithm>

#include "lib/topology/bound/bound_groups.h"
#include "lib/topology/bound/cut_search.h"
#include "lib/topology/bound/cut_words.h"

namespace unirack {

namespace {

Bound bound_of(const Graph& graph, const CutNetwork& network, const SlowestCut& slowest,
               bool reversed) {
  Bound bound;
  if (slowest.members == 0) return bound;
  bound.algbw =
      ratio(slowest.capacity * network.member_count * network.unit, Wide{slowest.members});
  bound.cut = describe_cut(graph, network, slowest.cut_off, !reversed);
  return bound;
}

Bound bound_of(const Graph& graph, const CutNetwork& network, const SmallestCut& smallest,
               bool reversed) {
  Bound bound;
  if (smallest.capacity == kFree) return bound;
  bound.algbw = ratio(smallest.capacity * network.unit);
  bound.cut = describe_cut(graph, network, smallest.cut_off, !reversed);
  return bound;
}

const Bound& slower(const Bound& a, const Bound& b) { return b.algbw < a.algbw ? b : a; }

Error no_trees(const std::string& why) { return make_error(Code::invalid_argument, why); }

// What floor(U * bandwidth) is about: bytes/s again.
Rational in_seconds_per_byte(Rational scale, const CutNetwork& network) {
  return ratio(scale.numerator, scale.denominator * network.unit);
}

std::string refute_by(Rational limit, Rational algbw, const std::string& why) {
  if (algbw <= limit) return "";
  return fmt::format("{} is impossible: at most {}, {}", rate_text(algbw), rate_text(limit), why);
}

}  // namespace

Bound Bounds::all_gather() const {
  return bound_of(graph_, network_, find_slowest_cut(network_, false), false);
}

Bound Bounds::reduce_scatter() const {
  return bound_of(graph_, network_, find_slowest_cut(network_, true), true);
}

Bound Bounds::broadcast(NodeIndex root) const {
  const uint32_t place = network_.place_of[root];
  return bound_of(graph_, network_, find_smallest_cut(network_, false, place), false);
}

Bound Bounds::reduce(NodeIndex root) const {
  const uint32_t place = network_.place_of[root];
  return bound_of(graph_, network_, find_smallest_cut(network_, true, place), true);
}

AllReduceBound Bounds::all_reduce() const {
  AllReduceBound bound;
  bound.all_gather = all_gather();
  if (network_.symmetric) {
    // The same cut, the other way; it is the same search.
    bound.reduce_scatter = bound.all_gather;
    bound.reduce_scatter.cut = reversed_cut(graph_, bound.all_gather.cut);
  } else {
    bound.reduce_scatter = reduce_scatter();
  }
  bound.algbw = one_after_other(bound.reduce_scatter.algbw, bound.all_gather.algbw);
  if (graph_.members().size() < 2) return bound;
  // A cut that separates any two members separates one of them from the first, one way or the
  // other.
  const NodeIndex root = graph_.members().front();
  const Bound crossing = slower(broadcast(root), reduce(root));
  const bool sums = std::any_of(graph_.nodes().begin(), graph_.nodes().end(), [](const Node& node) {
    return node.reduces && node.health != Health::down;
  });
  if (sums) {
    bound.in_switch = bound.any = crossing;
  } else {
    bound.any = slower(crossing, gossip_bound(graph_, network_));
  }
  return bound;
}

Result<Trees> Bounds::optimal_trees() const {
  const SlowestCut slowest = find_slowest_cut(network_, false);
  if (slowest.members == 0) return no_trees("nothing limits an all-gather here");
  if (slowest.capacity == 0) return no_trees("a member is cut off: no tree reaches it");
  if (slowest.capacity > UINT64_MAX) return no_trees("the optimum takes more than 2^64 trees");
  // Capacities have no common divisor, so the denominator of the slowest ratio is k.
  Trees trees;
  trees.per_root = static_cast<uint64_t>(slowest.capacity);
  trees.scale = in_seconds_per_byte(ratio(slowest.members), network_);
  trees.bound = bound_of(graph_, network_, slowest, false);
  return trees;
}

Result<Trees> Bounds::fixed_trees(uint64_t k) const {
  const SlowestCut slowest = find_slowest_cut(network_, false);
  if (slowest.members == 0) return no_trees("nothing limits an all-gather here");
  if (slowest.capacity == 0) return no_trees("a member is cut off: no tree reaches it");
  if (k == 0) return no_trees("expected at least one tree per root");
  if (Wide{k} * network_.member_count > kTreeTermMax || network_.total > kTreeTermMax) {
    return no_trees("too many trees, or bandwidths with too small a common divisor");
  }
  const Wide wanted = Wide{k} * network_.member_count;
  const TreeScale found =
      find_tree_scale(network_, Wide{k}, ratio(Wide{k} * slowest.members, slowest.capacity));
  Trees trees;
  trees.per_root = k;
  trees.scale = in_seconds_per_byte(found.scale, network_);
  trees.bound = bound_of(graph_, network_, slowest, false);
  trees.bound.algbw = ratio(wanted * trees.scale.denominator, trees.scale.numerator);
  if (!found.cut_off.empty()) {
    trees.bound.cut = describe_cut(graph_, network_, found.cut_off, true);
  }
  return trees;
}

std::string refute(const Bound& bound, Rational algbw) {
  return refute_by(bound.algbw, algbw, bound.cut.words);
}

std::string refute(const AllToAllBound& bound, Rational algbw) {
  std::string why = refute(bound.cut, algbw);
  if (why.empty() && bound.distance) {
    why = refute_by(*bound.distance, algbw, "even if every byte took a shortest path");
  }
  return why;
}

}  // namespace unirack
