#include "lib/topology/bound/cut_words.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "lib/topology/bound/cut_search.h"
#include "lib/topology/reach.h"

namespace unirack {

namespace {

constexpr size_t kNamesMax = 3;

std::string count_text(const Graph& graph, size_t count) {
  const bool gpus = graph.node(graph.members().front()).kind == NodeKind::gpu;
  return fmt::format("{} {}{}", count, gpus ? "GPU" : "rank", count == 1 ? "" : "s");
}

std::string list_names(const Graph& graph, std::span<const NodeIndex> nodes) {
  std::string text;
  for (size_t i = 0; i < nodes.size() && i < kNamesMax; ++i) {
    text += (i == 0 ? "" : ", ") + graph.node(nodes[i]).name;
  }
  if (nodes.size() > kNamesMax) text += fmt::format(" and {} more", nodes.size() - kNamesMax);
  return text;
}

// "of box1", "of 2 racks (rack0, rack1)": if the members are all those of some groups.
std::string name_groups(const Graph& graph, std::span<const NodeIndex> members, MemberGroup kind,
                        const char* plural) {
  const MemberLabels labels = labels_of(graph, kind);
  std::set<std::string_view> groups;
  for (size_t i = 0; i < labels.size(); ++i) {
    const bool inside = std::binary_search(members.begin(), members.end(), graph.members()[i]);
    if (inside) groups.insert(labels[i]);
  }
  if (groups.contains("")) return "";
  for (size_t i = 0; i < labels.size(); ++i) {
    if (groups.contains(labels[i]) &&
        !std::binary_search(members.begin(), members.end(), graph.members()[i])) {
      return "";
    }
  }
  std::string names;
  size_t count = 0;
  for (const std::string_view name : groups) {
    if (count < kNamesMax) names += (count == 0 ? "" : ", ") + std::string(name);
    ++count;
  }
  if (count == 1) return "of " + names;
  if (count > kNamesMax) names += fmt::format(" and {} more", count - kNamesMax);
  return fmt::format("of {} {} ({})", count, plural, names);
}

std::vector<NodeIndex> nodes_of(const CutNetwork& network, std::span<const uint32_t> places,
                                bool inside) {
  std::vector<bool> marks(network.place_count, false);
  for (const uint32_t place : places) marks[place] = true;
  std::vector<NodeIndex> nodes;
  for (NodeIndex node = 0; node < network.place_of.size(); ++node) {
    const uint32_t place = network.place_of[node];
    if (place != kNoPlace && marks[place] == inside) nodes.push_back(node);
  }
  return nodes;
}

std::vector<NodeIndex> members_of(const Graph& graph, std::span<const NodeIndex> nodes) {
  std::vector<NodeIndex> members;
  std::set_intersection(nodes.begin(), nodes.end(), graph.members().begin(), graph.members().end(),
                        std::back_inserter(members));
  return members;
}

// Of the links that cross: those that carry something.
std::vector<LinkIndex> crossing_links(const Graph& graph, const Cut& cut) {
  std::vector<bool> marks(graph.nodes().size(), false);
  for (const NodeIndex node : cut.nodes) marks[node] = true;
  std::vector<LinkIndex> links;
  for (const NodeIndex node : cut.nodes) {
    for (const LinkIndex link : cut.entering ? graph.links_to(node) : graph.links_from(node)) {
      const NodeIndex other = cut.entering ? graph.link(link).from : graph.link(link).to;
      if (!marks[other] && graph.node(other).health != Health::down &&
          graph.link(link).health != Health::down) {
        links.push_back(link);
      }
    }
  }
  std::sort(links.begin(), links.end());
  return links;
}

// The one NIC that all links of the cut touch; kNoPlace: there is none.
NodeIndex only_nic(const Graph& graph, const Cut& cut) {
  std::set<NodeIndex> nics;
  for (const LinkIndex index : cut.links) {
    const Link& link = graph.link(index);
    const bool from = graph.node(link.from).kind == NodeKind::nic;
    if (!from && graph.node(link.to).kind != NodeKind::nic) return kNoPlace;
    nics.insert(from ? link.from : link.to);
  }
  return nics.size() == 1 ? *nics.begin() : kNoPlace;
}

// How many single members are behind as little.
size_t count_alike(const CutNetwork& network, bool entering, Wide capacity) {
  std::vector<Wide> sums(network.place_count, 0);
  const auto add = [&](uint32_t place, Wide more) {
    sums[place] = sums[place] == kFree || more == kFree ? kFree : sums[place] + more;
  };
  for (const Pipe& pipe : network.pipes) {
    add(entering ? pipe.b : pipe.a, pipe.a_to_b);
    add(entering ? pipe.a : pipe.b, pipe.b_to_a);
  }
  return static_cast<size_t>(std::count_if(
      network.member_places.begin(), network.member_places.end(),
      [&](uint32_t place) { return sums[place] == capacity && network.members_in[place] == 1; }));
}

}  // namespace

MemberLabels labels_of(const Graph& graph, MemberGroup kind) {
  MemberLabels labels(graph.members().size());
  if (kind == MemberGroup::domain) {
    for (const Domain& domain : find_domains(graph)) {
      for (const NodeIndex member : domain.members) {
        const auto at = std::lower_bound(graph.members().begin(), graph.members().end(), member);
        labels[static_cast<size_t>(at - graph.members().begin())] = domain.name;
      }
    }
    return labels;
  }
  for (size_t i = 0; i < labels.size(); ++i) {
    const Node& node = graph.node(graph.members()[i]);
    labels[i] = kind == MemberGroup::rack ? node.rack : node.host;
  }
  return labels;
}

std::string rate_text(Rational bytes_per_s) {
  if (bytes_per_s.is_unlimited()) return "unlimited";
  std::string digits = fmt::format("{:.3f}", bytes_per_s.value() / 1e9);
  while (digits.back() == '0') digits.pop_back();
  if (digits.back() == '.') digits.pop_back();
  return digits + " GB/s";
}

std::string name_members(const Graph& graph, std::span<const NodeIndex> members) {
  if (members.empty()) return "nobody";
  if (members.size() == 1) {
    const Node& node = graph.node(members.front());
    return (node.kind == NodeKind::gpu ? "GPU " : "") + node.name;
  }
  const std::string count = count_text(graph, members.size());
  if (members.size() == graph.members().size()) return "all " + count;
  // The fewest groups that fit; racks before machines where both do.
  const std::pair<MemberGroup, const char*> kinds[] = {{MemberGroup::rack, "racks"},
                                                       {MemberGroup::domain, "domains"},
                                                       {MemberGroup::host, "machines"}};
  for (const auto& [kind, plural] : kinds) {
    const std::string named = name_groups(graph, members, kind, plural);
    if (!named.empty()) return count + " " + named;
  }
  std::vector<NodeIndex> others;
  std::set_difference(graph.members().begin(), graph.members().end(), members.begin(),
                      members.end(), std::back_inserter(others));
  if (others.size() <= kNamesMax) return count + ": all but " + list_names(graph, others);
  return count + ": " + list_names(graph, members);
}

Cut describe_cut(const Graph& graph, const CutNetwork& network, std::span<const uint32_t> places,
                 bool entering) {
  Cut cut;
  cut.entering = entering;
  cut.nodes = nodes_of(network, places, true);
  std::vector<NodeIndex> members = members_of(graph, cut.nodes);
  if (2 * members.size() > graph.members().size()) {
    cut.nodes = nodes_of(network, places, false);
    cut.entering = !entering;
    members = members_of(graph, cut.nodes);
  }
  cut.links = crossing_links(graph, cut);
  cut.member_count = static_cast<uint32_t>(members.size());
  const Wide capacity = capacity_into(network, !entering, places);
  cut.bandwidth = capacity * network.unit;
  cut.words = name_members(graph, members);
  if (members.size() == 1) {
    const size_t alike = count_alike(network, cut.entering, capacity);
    if (alike > 1) cut.words += fmt::format(" (one of {} alike)", alike);
  }
  cut.words += cut.links.empty() ? " cut off" : " behind " + rate_text({cut.bandwidth, 1});
  const NodeIndex nic = only_nic(graph, cut);
  if (nic != kNoPlace && members.size() > 1) cut.words += " of " + graph.node(nic).name;
  return cut;
}

Cut reversed_cut(const Graph& graph, const Cut& cut) {
  Cut reversed = cut;
  reversed.entering = !cut.entering;
  reversed.links = crossing_links(graph, reversed);
  return reversed;
}

}  // namespace unirack
