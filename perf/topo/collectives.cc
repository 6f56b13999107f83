#include "perf/topo/collectives.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <utility>

namespace unirack::topo {

namespace {

void take(CollectiveBound& into, const Bound& bound) {
  into.algbw = bound.algbw;
  into.cut = bound.cut;
}

void take_all_reduce(CollectiveBound& into, const AllReduceBound& bound) {
  into.algbw = bound.algbw;
  into.cut = bound.all_gather.algbw < bound.reduce_scatter.algbw ? bound.all_gather.cut
                                                                 : bound.reduce_scatter.cut;
  into.note = "as reduce-scatter plus all-gather; no other way beats " + rate_text(bound.any.algbw);
  if (bound.in_switch) {
    into.note += ", or " + rate_text(bound.in_switch->algbw) + " where switches sum";
  }
}

void take_all_to_all(CollectiveBound& into, const AllToAllBound& bound) {
  into.algbw = bound.algbw;
  into.cut = bound.cut.cut;
  if (bound.distance && *bound.distance < bound.cut.algbw) {
    into.cut.words = "the bytes that shortest paths put on all links together";
  }
}

std::string wide_text(Wide value) {
  if (value == 0) return "0";
  std::string digits;
  for (; value > 0; value /= 10) digits += static_cast<char>('0' + static_cast<int>(value % 10));
  std::reverse(digits.begin(), digits.end());
  return digits;
}

std::string trees_text(const Bounds& bounds) {
  const auto trees = bounds.optimal_trees();
  if (!trees) return {};
  return trees->per_root == 1
             ? "reached by one spanning tree from each member"
             : fmt::format("reached by {} spanning trees from each member", trees->per_root);
}

}  // namespace

const std::vector<std::string>& collective_names() {
  static const std::vector<std::string> names = {"all-gather", "reduce-scatter", "all-reduce",
                                                 "broadcast",  "reduce",         "all-to-all"};
  return names;
}

CollectiveBound bound_of(const Bounds& bounds, std::string_view name, NodeIndex root) {
  CollectiveBound result;
  result.name = name;
  const auto begin = std::chrono::steady_clock::now();
  if (name == "all-gather") {
    take(result, bounds.all_gather());
  } else if (name == "reduce-scatter") {
    take(result, bounds.reduce_scatter());
  } else if (name == "broadcast") {
    take(result, bounds.broadcast(root));
  } else if (name == "reduce") {
    take(result, bounds.reduce(root));
  } else if (name == "all-reduce") {
    take_all_reduce(result, bounds.all_reduce());
  } else {
    take_all_to_all(result, bounds.all_to_all());
  }
  const auto spent = std::chrono::steady_clock::now() - begin;
  result.time_ms = std::chrono::duration<double, std::milli>(spent).count();
  if (name == "all-gather") result.note = trees_text(bounds);
  return result;
}

std::string sentence_of(const CollectiveBound& bound) {
  if (bound.algbw.is_unlimited()) {
    return bound.name + " is limited by nothing whose speed is known";
  }
  if (bound.algbw.numerator == 0) {
    return fmt::format("{} is impossible: {}", bound.name, bound.cut.words);
  }
  return fmt::format("{} at most {}{}{}", bound.name, rate_text(bound.algbw),
                     bound.cut.words.empty() ? "" : ": ", bound.cut.words);
}

Highlight highlight_of(const CollectiveBound& bound) {
  return {bound.name, sentence_of(bound), bound.cut.nodes, bound.cut.links};
}

std::string exact_text(Rational value) {
  if (value.is_unlimited()) return "unlimited";
  if (value.denominator == 1) return wide_text(value.numerator);
  return wide_text(value.numerator) + "/" + wide_text(value.denominator);
}

}  // namespace unirack::topo
