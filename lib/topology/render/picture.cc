#include "lib/topology/render/picture.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "lib/topology/render/text.h"

namespace unirack {

namespace {

constexpr size_t kMachineDevicesMax = 64;
constexpr double kCharacterEms = 0.58;  // of a sans-serif font, on the wide side

bool is_one_machine(const Graph& graph) {
  std::set<std::string_view> hosts;
  size_t devices = 0;
  for (const Node& node : graph.nodes()) {
    if (!node.host.empty()) hosts.insert(node.host);
    if (node.kind == NodeKind::spine) return false;
    devices += node.kind == NodeKind::gpu || node.kind == NodeKind::nic ? 1 : 0;
  }
  return hosts.size() == 1 && devices <= kMachineDevicesMax;
}

bool is_direct(const Graph& graph) {
  return !graph.nodes().empty() &&
         std::all_of(graph.nodes().begin(), graph.nodes().end(), [](const Node& node) {
           return (node.kind == NodeKind::gpu || node.kind == NodeKind::rank) && node.host.empty();
         });
}

std::string number(double value) {
  const double rounded = std::round(value * 10) / 10;
  return rounded == std::floor(rounded) ? fmt::format("{:.0f}", rounded)
                                        : fmt::format("{:.1f}", rounded);
}

std::string at(Point point) { return number(point.x) + " " + number(point.y); }

}  // namespace

Picture draw(const Graph& graph) {
  std::vector<Edge> edges = edges_of(graph);
  if (is_direct(graph)) return draw_grid(graph, std::move(edges));
  if (is_one_machine(graph)) return draw_machine(graph, std::move(edges));
  return draw_fabric(graph, std::move(edges));
}

double line_width(uint64_t bandwidth) {
  return std::clamp(0.175 * std::sqrt(static_cast<double>(bandwidth) / 1e9), 0.6, 6.0);
}

std::string curve(Point from, Point to) {
  const double middle = (from.y + to.y) / 2;
  return "M" + at(from) + "C" + at({from.x, middle}) + " " + at({to.x, middle}) + " " + at(to);
}

std::string polyline(const std::vector<Point>& points) {
  std::string path;
  for (const Point& point : points) path += (path.empty() ? "M" : "L") + at(point);
  return path;
}

std::string arc(Point from, Point to, double height) {
  // The top of a cubic with both control points at h is at 3/4 h.
  const double reach = height * 4 / 3;
  return "M" + at(from) + "C" + at({from.x, from.y + reach}) + " " + at({to.x, to.y + reach}) +
         " " + at(to);
}

double text_width(std::string_view text, double font) {
  return static_cast<double>(character_count(text)) * font * kCharacterEms;
}

std::string typeset(std::string text) {
  for (size_t at = text.find(" x "); at != std::string::npos; at = text.find(" x ", at)) {
    text.replace(at, 3, " \u00d7 ");
  }
  return text;
}

std::string bar_label(const Graph& graph, const Neighbours& neighbours,
                      const std::vector<Edge>& edges, NodeIndex bar, double width, double font) {
  const auto& members = neighbours.of(bar);
  const std::string name(graph.node(bar).host.empty() ? graph.node(bar).name
                                                      : short_name(graph.node(bar).name));
  if (members.empty()) return fitted(name, width, font);
  // The most frequent speed speaks for all.
  std::map<std::pair<std::string, uint64_t>, size_t> speeds;
  for (const auto& [member, edge] : members) {
    ++speeds[{link_text(graph.link(edges[edge].links.front())), edges[edge].bandwidth}];
  }
  const auto usual =
      std::max_element(speeds.begin(), speeds.end(),
                       [](const auto& a, const auto& b) { return a.second < b.second; });
  const auto& [text, total] = usual->first;
  const NodeKind kind = graph.node(members.front().node).kind;
  const std::string_view word = display_name(kind, members.size());
  for (std::string label : {fmt::format("{}: {} {} at {}", name, members.size(), word, text),
                            fmt::format("{} {} x {}", members.size(), word, speed_text(total)),
                            fmt::format("{} x {}", members.size(), speed_text(total))}) {
    label = typeset(std::move(label));
    if (text_width(label, font) <= width) return label;
  }
  return fitted(name, width, font);
}

std::string fitted(std::string_view text, double width, double font) {
  const double characters = width / (font * kCharacterEms);
  return characters < 1 ? std::string() : shortened(text, static_cast<size_t>(characters));
}

}  // namespace unirack
