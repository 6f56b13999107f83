#include "lib/topology/diff.h"

#include <algorithm>
#include <map>
#include <tuple>

#include "lib/topology/bound/bound.h"
#include "lib/topology/natural_order.h"
#include "lib/topology/node_fields.h"

namespace unirack {

namespace {

std::vector<FieldChange> compare_fields(const Node& before, const Node& after) {
  std::vector<FieldChange> changes;
  each_field([&](size_t, const char* field, auto member) {
    if (before.*member == after.*member) return;
    changes.push_back({field, field_text(before.*member), field_text(after.*member)});
  });
  std::map<std::string, std::pair<std::string, std::string>> attributes;
  for (const auto& [key, value] : before.attributes) attributes[key].first = field_text(value);
  for (const auto& [key, value] : after.attributes) attributes[key].second = field_text(value);
  for (const auto& [key, values] : attributes) {
    if (values.first == values.second) continue;
    changes.push_back({key, values.first.empty() ? "none" : values.first,
                       values.second.empty() ? "none" : values.second});
  }
  return changes;
}

// Links of one kind from one node to another, in both graphs.
using Place = std::tuple<NodeIndex, NodeIndex, LinkKind>;
struct Sides {
  std::vector<Link> before;
  std::vector<Link> after;
};

LinkState state_of(const std::vector<Link>& links) {
  LinkState state;
  for (const Link& link : links) {
    if (link.health == Health::down) {
      state.down += link.count;
    } else {
      state.count += link.count;
      state.bandwidth += link.total_bandwidth();
    }
  }
  return state;
}

// All but how they are known.
bool are_equal(const std::vector<Link>& a, const std::vector<Link>& b) {
  std::map<std::tuple<uint64_t, uint64_t, uint32_t, Health>, int64_t> counts;
  for (const Link& x : a) counts[{x.bandwidth, x.capable, x.latency_ns, x.health}] += x.count;
  for (const Link& x : b) counts[{x.bandwidth, x.capable, x.latency_ns, x.health}] -= x.count;
  return std::all_of(counts.begin(), counts.end(), [](const auto& e) { return e.second == 0; });
}

LinkChange::What compare_states(const Sides& sides, const LinkState& before,
                                const LinkState& after) {
  using What = LinkChange::What;
  if (sides.after.empty()) return What::gone;
  if (sides.before.empty()) return What::added;
  if (before.count != after.count) return after.count < before.count ? What::fewer : What::more;
  if (before.bandwidth == after.bandwidth || before.bandwidth == 0 || after.bandwidth == 0) {
    return What::other;
  }
  return after.bandwidth < before.bandwidth ? What::slower : What::faster;
}

class Comparison {
 public:
  Comparison(const Graph& before, const Graph& after) : before_(before), after_(after) {}

  GraphDiff run() {
    compare_nodes();
    compare_links();
    return std::move(diff_);
  }

 private:
  void compare_nodes() {
    for (const Node& node : before_.nodes()) {
      const auto other = after_.find(node.name);
      if (!other) {
        diff_.nodes.push_back({NodeChange::What::gone, node.kind, node.name, {}});
        continue;
      }
      auto fields = compare_fields(node, after_.node(*other));
      if (fields.empty()) continue;
      diff_.nodes.push_back(
          {NodeChange::What::changed, after_.node(*other).kind, node.name, std::move(fields)});
    }
    for (const Node& node : after_.nodes()) {
      if (before_.find(node.name)) continue;
      diff_.nodes.push_back({NodeChange::What::added, node.kind, node.name, {}});
    }
    std::sort(diff_.nodes.begin(), diff_.nodes.end(), [](const NodeChange& a, const NodeChange& b) {
      return natural_less(a.name, b.name);
    });
  }

  void compare_links() {
    std::map<Place, Sides> places;  // by indices of before_
    for (const Link& link : before_.links()) {
      if (!after_.find(before_.node(link.from).name)) continue;
      if (!after_.find(before_.node(link.to).name)) continue;
      places[{link.from, link.to, link.kind}].before.push_back(link);
    }
    for (const Link& link : after_.links()) {
      const auto from = before_.find(after_.node(link.from).name);
      const auto to = before_.find(after_.node(link.to).name);
      if (from && to) places[{*from, *to, link.kind}].after.push_back(link);
    }
    for (const auto& [place, sides] : places) {
      if (are_equal(sides.before, sides.after)) continue;
      LinkChange change;
      change.kind = std::get<2>(place);
      change.from = before_.node(std::get<0>(place)).name;
      change.to = before_.node(std::get<1>(place)).name;
      change.before = state_of(sides.before);
      change.after = state_of(sides.after);
      change.what = compare_states(sides, change.before, change.after);
      diff_.links.push_back(std::move(change));
    }
    std::sort(diff_.links.begin(), diff_.links.end(), [](const LinkChange& a, const LinkChange& b) {
      if (const int from = natural_compare(a.from, b.from)) return from < 0;
      if (const int to = natural_compare(a.to, b.to)) return to < 0;
      return a.kind < b.kind;
    });
  }

  const Graph& before_;
  const Graph& after_;
  GraphDiff diff_;
};

std::string text_of(const NodeChange& change) {
  constexpr const char* kMarks[] = {"- ", "+ ", "~ "};
  std::string text = kMarks[static_cast<size_t>(change.what)];
  text += std::string(to_text(change.kind)) + " " + change.name;
  for (size_t i = 0; i < change.fields.size(); ++i) {
    const auto& [field, before, after] = change.fields[i];
    text += (i == 0 ? ": " : ", ") + field + " " + before + " -> " + after;
  }
  return text + "\n";
}

// "16 of together 800 GB/s, 2 down"
std::string text_of(const LinkState& state) {
  std::string text = std::to_string(state.count);
  if (state.bandwidth > 0) {
    text += " of together " + rate_text(ratio(static_cast<Wide>(state.bandwidth)));
  }
  if (state.down > 0) text += ", " + std::to_string(state.down) + " down";
  return text;
}

std::string text_of(const LinkChange& change, bool both_ways) {
  constexpr const char* kMarks[] = {"- ", "+ ", "~ ", "~ ", "~ ", "~ ", "~ "};
  constexpr const char* kWords[] = {"", "", "fewer, ", "more, ", "slower, ", "faster, ", ""};
  const auto what = static_cast<size_t>(change.what);
  std::string text = kMarks[what] + std::string(to_text(change.kind)) + " " + change.from +
                     (both_ways ? " <-> " : " -> ") + change.to + ": " + kWords[what];
  if (change.what == LinkChange::What::gone) return text + text_of(change.before) + "\n";
  if (change.what == LinkChange::What::added) return text + text_of(change.after) + "\n";
  const std::string before = text_of(change.before);
  const std::string after = text_of(change.after);
  if (before == after) return text + "otherwise degraded, capable or delayed\n";
  return text + before + " -> " + after + "\n";
}

}  // namespace

GraphDiff diff(const Graph& before, const Graph& after) { return Comparison(before, after).run(); }

std::string to_text(const GraphDiff& diff) {
  if (diff.empty()) return "nothing changed\n";
  std::string text;
  for (const NodeChange& change : diff.nodes) text += text_of(change);
  std::map<std::tuple<std::string, std::string, LinkKind>, std::string> one_way;
  for (const LinkChange& change : diff.links) {
    one_way[{change.from, change.to, change.kind}] = text_of(change, false);
  }
  for (const LinkChange& change : diff.links) {
    LinkChange back = change;
    std::swap(back.from, back.to);
    const auto other = one_way.find({back.from, back.to, back.kind});
    const bool alike = other != one_way.end() && other->second == text_of(back, false);
    if (alike && natural_less(change.to, change.from)) continue;
    text += text_of(change, alike);
  }
  return text;
}

}  // namespace unirack
