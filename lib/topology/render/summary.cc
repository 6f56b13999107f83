#include "lib/topology/render/summary.h"

#include <algorithm>
#include <map>
#include <set>
#include <tuple>

#include "lib/topology/natural_order.h"
#include "lib/topology/render/text.h"

namespace unirack {

namespace {

void count_nodes(const Graph& graph, Summary& summary) {
  std::set<std::string_view> machines, racks;
  std::map<int32_t, size_t> rails;
  for (const Node& node : graph.nodes()) {
    ++summary.nodes[static_cast<size_t>(node.kind)];
    if (!node.host.empty()) machines.insert(node.host);
    if (!node.rack.empty()) racks.insert(node.rack);
    if (node.rail >= 0) rails[node.rail] += node.kind == NodeKind::nic ? 1 : 0;
    summary.down += node.health == Health::down ? 1 : 0;
    summary.degraded += node.health == Health::degraded ? 1 : 0;
  }
  summary.machines = machines.size();
  summary.racks.assign(racks.begin(), racks.end());
  std::sort(summary.racks.begin(), summary.racks.end(), natural_less);
  for (const auto& [rail, nics] : rails) {
    summary.rails.push_back(rail);
    summary.rail_nics.push_back(nics);
  }
}

// Sorted by kind, the fastest first.
using ClassKey = std::tuple<LinkKind, uint64_t, std::string>;

ClassKey key_of(const Graph& graph, const Edge& edge) {
  return {edge.kind, UINT64_MAX - edge.bandwidth, link_text(graph.link(edge.links.front()))};
}

// What a reader wants first.
constexpr NodeKind kOrder[] = {NodeKind::gpu,  NodeKind::rank,  NodeKind::nic,
                               NodeKind::cpu,  NodeKind::pcie,  NodeKind::nvswitch,
                               NodeKind::leaf, NodeKind::spine, NodeKind::network_switch};

}  // namespace

Summary summarize(const Graph& graph, const std::vector<Edge>& edges) {
  Summary summary;
  count_nodes(graph, summary);
  std::map<ClassKey, size_t> classes;
  for (const Edge& edge : edges) {
    summary.down += edge.health == Health::down ? 1 : 0;
    summary.degraded += edge.health != Health::down && edge.is_faulty() ? 1 : 0;
    ++classes[key_of(graph, edge)];
  }
  std::map<ClassKey, uint32_t> index;
  for (const auto& [key, count] : classes) {
    const auto& [kind, inverted, text] = key;
    index.emplace(key, static_cast<uint32_t>(summary.classes.size()));
    summary.classes.push_back({kind, UINT64_MAX - inverted, text, count});
  }
  for (const Edge& edge : edges) summary.class_of.push_back(index.at(key_of(graph, edge)));
  return summary;
}

std::string summary_text(const Summary& summary) {
  std::string text;
  const auto add = [&](size_t count, std::string_view one, std::string_view many) {
    if (count == 0) return;
    text += (text.empty() ? "" : ", ") + count_text(count, one, many);
  };
  add(summary.racks.size(), "rack", "racks");
  add(summary.machines, "machine", "machines");
  for (const NodeKind kind : kOrder) {
    add(summary.count(kind), display_name(kind, 1), display_name(kind, 2));
  }
  add(summary.rails.size(), "rail", "rails");
  if (text.empty()) text = "nothing";
  if (summary.down > 0) text += "; " + grouped(summary.down) + " down";
  if (summary.degraded > 0) text += "; " + grouped(summary.degraded) + " degraded";
  return text;
}

}  // namespace unirack
