#include "lib/topology/bound/bound_groups.h"

#include <algorithm>
#include <map>

#include "lib/topology/bound/cut_search.h"
#include "lib/topology/bound/cut_words.h"

namespace unirack {

namespace {

using Groups = std::vector<std::vector<uint32_t>>;

// Members without a label are groups of their own. Empty: a place lies in two groups.
Groups groups_by(const Graph& graph, const CutNetwork& network, const MemberLabels& labels) {
  std::map<std::string_view, size_t> by_label;
  std::vector<size_t> group_of(network.place_count, SIZE_MAX);
  Groups groups;
  for (size_t i = 0; i < labels.size(); ++i) {
    const uint32_t place = network.place_of[graph.members()[i]];
    size_t group = groups.size();
    if (!labels[i].empty()) {
      group = by_label.emplace(labels[i], group).first->second;
    } else if (group_of[place] != SIZE_MAX) {
      group = group_of[place];
    }
    if (group == groups.size()) groups.emplace_back();
    if (group_of[place] == group) continue;
    if (group_of[place] != SIZE_MAX) return {};
    group_of[place] = group;
    groups[group].push_back(place);
  }
  return groups;
}

Grouping measured(const CutNetwork& network, Groups groups) {
  Grouping grouping;
  for (const auto& group : groups) {
    Wide count = 0;
    for (const uint32_t place : group) count += network.members_in[place];
    grouping.member_counts.push_back(count);
  }
  grouping.into = isolating_capacities(network, false, groups);
  grouping.out_of = network.symmetric ? grouping.into : isolating_capacities(network, true, groups);
  grouping.groups = std::move(groups);
  return grouping;
}

// What several cuts let pass together; kFree: no limit.
Wide sum_of(const std::vector<Wide>& capacities) {
  Wide sum = 0;
  for (const Wide capacity : capacities) {
    if (capacity == kFree) return kFree;
    sum += capacity;
  }
  return sum;
}

// The group that data passes slowest for its size, to be named.
Cut narrowest(const Graph& graph, const CutNetwork& network, const Grouping& grouping,
              bool entering) {
  const std::vector<Wide>& capacities = entering ? grouping.into : grouping.out_of;
  const auto at = std::min_element(capacities.begin(), capacities.end()) - capacities.begin();
  const SmallestCut cut =
      find_isolating_cut(network, !entering, grouping.groups[static_cast<size_t>(at)]);
  return describe_cut(graph, network, cut.cut_off, entering);
}

}  // namespace

std::vector<Grouping> groupings_of(const Graph& graph, const CutNetwork& network) {
  std::vector<Groups> kinds;
  Groups& places = kinds.emplace_back();
  for (const uint32_t place : network.member_places) places.push_back({place});
  for (const MemberGroup kind : {MemberGroup::host, MemberGroup::domain, MemberGroup::rack}) {
    Groups groups = groups_by(graph, network, labels_of(graph, kind));
    const bool is_new = std::none_of(kinds.begin(), kinds.end(), [&](const Groups& other) {
      return other.size() == groups.size();
    });
    if (is_new) kinds.push_back(std::move(groups));
  }
  std::vector<Grouping> groupings;
  for (Groups& groups : kinds) {
    if (groups.size() >= 2) groupings.push_back(measured(network, std::move(groups)));
  }
  return groupings;
}

Bound gossip_bound(const Graph& graph, const CutNetwork& network) {
  Bound slowest;
  for (const Grouping& grouping : groupings_of(graph, network)) {
    const Wide messages = 2 * (static_cast<Wide>(grouping.groups.size()) - 1);
    for (const bool entering : {true, false}) {
      const Wide sum = sum_of(entering ? grouping.into : grouping.out_of);
      if (sum == kFree) continue;
      const Rational algbw = ratio(sum * network.unit, messages);
      if (algbw >= slowest.algbw) continue;
      slowest.algbw = algbw;
      slowest.cut = narrowest(graph, network, grouping, entering);
    }
  }
  return slowest;
}

}  // namespace unirack
