#include "lib/topology/merge.h"

#include <algorithm>
#include <numeric>
#include <string_view>
#include <tuple>
#include <unordered_map>
#include <unordered_set>

#include "lib/base/hash.h"
#include "lib/topology/natural_order.h"
#include "lib/topology/node_claims.h"

namespace unirack {

namespace {

// One link of one view, between nodes of the result.
struct Claim {
  NodeIndex from;
  NodeIndex to;
  uint32_t view;
  const Link* link;
};
using Claims = std::span<const Claim>;  // all of one kind of one view between two nodes

Provenance best_of(Claims claims) {
  Provenance best = Provenance::assumed;
  for (const Claim& each : claims) best = std::min(best, each.link->provenance);
  return best;
}

uint64_t bandwidth_of(Claims claims) {
  uint64_t sum = 0;
  for (const Claim& each : claims) {
    if (__builtin_add_overflow(sum, each.link->total_bandwidth(), &sum)) return UINT64_MAX;
  }
  return sum;
}

bool is_rate_known(Claims claims) {
  return std::all_of(claims.begin(), claims.end(), [](const Claim& c) { return c.link->limits(); });
}

auto values_of(const Link& link) {
  return std::tuple(link.health, link.count, link.bandwidth, link.capable, link.latency_ns,
                    link.provenance);
}

// A total order; the first is kept.
bool is_better(Claims a, Claims b) {
  const auto first = std::tuple(best_of(a), !is_rate_known(a), bandwidth_of(a));
  const auto second = std::tuple(best_of(b), !is_rate_known(b), bandwidth_of(b));
  if (first != second) return first < second;
  return std::lexicographical_compare(
      a.begin(), a.end(), b.begin(), b.end(),
      [](const Claim& x, const Claim& y) { return values_of(*x.link) < values_of(*y.link); });
}

// To know less is not to contradict.
bool do_contradict(Claims a, Claims b) {
  if (best_of(a) != best_of(b)) return false;
  const auto differ = [](uint64_t x, uint64_t y) { return x != 0 && y != 0 && x != y; };
  return !std::equal(a.begin(), a.end(), b.begin(), b.end(), [&](const Claim& x, const Claim& y) {
    return x.link->count == y.link->count && x.link->health == y.link->health &&
           !differ(x.link->bandwidth, y.link->bandwidth) &&
           !differ(x.link->capable, y.link->capable) &&
           !differ(x.link->latency_ns, y.link->latency_ns);
  });
}

std::string text_of(Claims claims) {
  std::string text;
  for (const Claim& each : claims) {
    const Link& link = *each.link;
    text += (text.empty() ? "" : " + ") + std::to_string(link.count) + " x " +
            std::to_string(link.bandwidth) + " bytes/s";
    if (link.health != Health::ok) text += " " + std::string(to_text(link.health));
  }
  return text;
}

// What is equal here is equal, however it is known.
uint64_t fingerprint(const Graph& graph) {
  Hash64 hash;
  hash.add(graph.hash());
  for (const Node& node : graph.nodes()) {
    hash.add(std::string_view(node.name)).add(static_cast<uint64_t>(node.provenance));
    for (const auto& [field, by] : node.known_by) {
      hash.add(std::string_view(field)).add(static_cast<uint64_t>(by));
    }
  }
  for (const Link& link : graph.links()) {
    hash.add(uint64_t{link.from} << 32 | link.to).add(static_cast<uint64_t>(link.provenance));
  }
  return hash.value();
}

class Merger {
 public:
  explicit Merger(std::span<const Graph> views) {
    std::unordered_set<uint64_t> seen;
    for (const Graph& view : views) {
      if (seen.insert(fingerprint(view)).second) views_.push_back(&view);
    }
  }

  Result<Graph> run(std::vector<std::string>* contradictions) {
    gather_nodes();
    gather_links();
    if (contradictions != nullptr) {
      reports_.resize(nodes_.size());
      compare_nodes();
    }
    GraphBuilder builder;
    for (const Claim& claim : choose_links()) {
      Link link = *claim.link;
      link.from = claim.from;
      link.to = claim.to;
      builder.connect(link);
    }
    for (NodeClaims& node : nodes_) UNIRACK_TRY(builder.add(std::move(node).take()));
    if (contradictions != nullptr) collect(*contradictions);
    return std::move(builder).build(origin());
  }

 private:
  void gather_nodes() {
    size_t count = 0;
    for (const Graph* view : views_) count += view->nodes().size();
    std::unordered_map<std::string_view, NodeIndex> found;
    found.reserve(count);
    std::vector<const Node*> firsts;
    for (const Graph* view : views_) {
      auto& index_of = index_of_.emplace_back();
      for (const Node& node : view->nodes()) {
        const auto [at, is_new] =
            found.try_emplace(node.name, static_cast<NodeIndex>(firsts.size()));
        if (is_new) firsts.push_back(&node);
        index_of.push_back(at->second);
      }
    }
    std::vector<NodeIndex> order(firsts.size());
    std::iota(order.begin(), order.end(), NodeIndex{0});
    std::sort(order.begin(), order.end(), [&](NodeIndex a, NodeIndex b) {
      return natural_less(firsts[a]->name, firsts[b]->name);
    });
    std::vector<NodeIndex> place(order.size());
    nodes_.reserve(order.size());
    for (const NodeIndex old : order) {
      place[old] = static_cast<NodeIndex>(nodes_.size());
      nodes_.emplace_back(*firsts[old]);
    }
    for (size_t view = 0; view < views_.size(); ++view) {
      for (NodeIndex node = 0; node < index_of_[view].size(); ++node) {
        NodeIndex& index = index_of_[view][node];
        const Node* first = firsts[index];
        index = place[index];
        if (first != &views_[view]->node(node)) nodes_[index].add(views_[view]->node(node));
      }
    }
  }

  void gather_links() {
    for (uint32_t view = 0; view < views_.size(); ++view) {
      for (const Link& link : views_[view]->links()) {
        claims_.push_back({index_of_[view][link.from], index_of_[view][link.to], view, &link});
      }
    }
    std::sort(claims_.begin(), claims_.end(), [](const Claim& a, const Claim& b) {
      return std::tuple(a.from, a.to, a.link->kind, a.view, a.link) <
             std::tuple(b.from, b.to, b.link->kind, b.view, b.link);
    });
  }

  void compare_nodes() {
    for (size_t view = 0; view < views_.size(); ++view) {
      for (NodeIndex node = 0; node < index_of_[view].size(); ++node) {
        const NodeIndex index = index_of_[view][node];
        nodes_[index].compare(views_[view]->node(node),
                              [&](std::string text) { report(index, std::move(text)); });
      }
    }
  }

  std::vector<Claim> choose_links() {
    std::vector<Claim> chosen;
    std::vector<Claims> rivals;
    for (size_t begin = 0; begin < claims_.size();) {
      rivals.clear();
      size_t end = begin;
      while (end < claims_.size() && same_place(claims_[begin], claims_[end])) {
        const size_t first = end;
        while (end < claims_.size() && same_place(claims_[begin], claims_[end]) &&
               claims_[end].view == claims_[first].view) {
          ++end;
        }
        rivals.emplace_back(&claims_[first], end - first);
      }
      const Claims best = *std::min_element(rivals.begin(), rivals.end(), is_better);
      chosen.insert(chosen.end(), best.begin(), best.end());
      if (!reports_.empty()) compare_links(best, rivals);
      begin = end;
    }
    return chosen;
  }

  static bool same_place(const Claim& a, const Claim& b) {
    return a.from == b.from && a.to == b.to && a.link->kind == b.link->kind;
  }

  void compare_links(Claims best, const std::vector<Claims>& rivals) {
    for (const Claims other : rivals) {
      if (!do_contradict(best, other)) continue;
      const Claim& claim = best.front();
      report(claim.from, std::string(to_text(claim.link->kind)) + " links from '" +
                             nodes_[claim.from].name() + "' to '" + nodes_[claim.to].name() +
                             "' are " + text_of(other) + " as well as " + text_of(best) +
                             ", both " + std::string(to_text(best_of(best))) + "; kept " +
                             text_of(best));
    }
  }

  void report(NodeIndex node, std::string text) { reports_[node].push_back(std::move(text)); }

  void collect(std::vector<std::string>& contradictions) {
    for (auto& reports : reports_) {
      std::sort(reports.begin(), reports.end());
      reports.erase(std::unique(reports.begin(), reports.end()), reports.end());
      contradictions.insert(contradictions.end(), reports.begin(), reports.end());
    }
  }

  std::string origin() const {
    if (views_.empty()) return "nothing";
    const bool is_one = std::all_of(views_.begin(), views_.end(), [&](const Graph* view) {
      return view->origin() == views_.front()->origin();
    });
    return is_one ? views_.front()->origin() : std::to_string(views_.size()) + " views";
  }

  std::vector<const Graph*> views_;               // no two equal
  std::vector<std::vector<NodeIndex>> index_of_;  // by view and its node: in nodes_
  std::vector<NodeClaims> nodes_;
  std::vector<Claim> claims_;
  std::vector<std::vector<std::string>> reports_;  // by node; empty: not wanted
};

}  // namespace

Result<Graph> merge(std::span<const Graph> views, std::vector<std::string>* contradictions) {
  return Merger(views).run(contradictions);
}

}  // namespace unirack
