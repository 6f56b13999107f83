#include "lib/topology/check/check.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "lib/topology/check/check_parts.h"
#include "lib/topology/natural_order.h"

namespace unirack {

std::string_view to_text(Severity severity) {
  constexpr std::array<std::string_view, 4> kTexts = {"ok", "info", "warning", "error"};
  return kTexts[static_cast<size_t>(severity)];
}

void Checkup::add(Severity severity, std::string name, std::string evidence, std::string advice,
                  std::vector<NodeIndex> nodes) {
  std::sort(nodes.begin(), nodes.end());
  nodes.erase(std::unique(nodes.begin(), nodes.end()), nodes.end());
  findings.push_back(
      {severity, std::move(name), std::move(evidence), std::move(advice), std::move(nodes)});
}

std::string Checkup::names_of(std::vector<NodeIndex> nodes) const {
  std::sort(nodes.begin(), nodes.end(), [&](NodeIndex a, NodeIndex b) {
    return natural_less(graph.node(a).name, graph.node(b).name);
  });
  std::vector<std::string> names;
  for (const NodeIndex node : nodes) names.push_back(graph.node(node).name);
  return list_up(names);
}

std::string list_up(const std::vector<std::string>& parts, size_t listed_max) {
  // One more is as short as "and 1 more".
  const size_t listed = parts.size() <= listed_max + 1 ? parts.size() : listed_max;
  std::string text;
  for (size_t i = 0; i < listed; ++i) text += (i == 0 ? "" : ", ") + parts[i];
  if (listed < parts.size()) text += fmt::format(" and {} more", parts.size() - listed);
  return text;
}

std::string gigabytes(uint64_t bytes_per_s) {
  return fmt::format("{:.4g} GB/s", static_cast<double>(bytes_per_s) / 1e9);
}

std::string counted(size_t count, std::string_view noun) {
  return fmt::format("{} {}{}", count, noun, count == 1 ? "" : "s");
}

bool is_network_link(LinkKind kind) {
  return kind == LinkKind::infiniband || kind == LinkKind::ethernet;
}

std::vector<Finding> check_graph(const Graph& graph) {
  Checkup checkup(graph);
  check_fabric(checkup);  // first: a missing leaf explains missing NICs
  check_hosts(checkup);
  check_gpus(checkup);
  check_links(checkup);
  std::stable_sort(checkup.findings.begin(), checkup.findings.end(),
                   [](const Finding& a, const Finding& b) { return a.severity > b.severity; });
  return std::move(checkup.findings);
}

Severity worst(const std::vector<Finding>& findings) {
  Severity worst = Severity::ok;
  for (const Finding& finding : findings) worst = std::max(worst, finding.severity);
  return worst;
}

}  // namespace unirack
