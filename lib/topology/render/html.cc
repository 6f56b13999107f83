#include "lib/topology/render/html.h"

#include <fmt/format.h>

#include <array>
#include <map>
#include <nlohmann/json.hpp>
#include <utility>

#include "lib/topology/render/assets.h"
#include "lib/topology/render/legend.h"
#include "lib/topology/render/text.h"

namespace unirack {

namespace {

using Json = nlohmann::ordered_json;

// Short keys: a fabric has thousands of nodes. page.js reads them.
Json node_json(const Node& node) {
  Json json{{"n", node.name}, {"k", static_cast<int>(node.kind)}};
  if (!node.host.empty()) json["h"] = node.host;
  if (!node.rack.empty()) json["r"] = node.rack;
  if (!node.domain.empty()) json["d"] = node.domain;
  if (node.rail >= 0) json["rail"] = node.rail;
  if (node.rank >= 0) json["rank"] = node.rank;
  if (node.health != Health::ok) json["s"] = static_cast<int>(node.health);
  json["p"] = static_cast<int>(node.provenance);
  if (!node.attributes.empty()) {
    Json& attributes = json["a"] = Json::array();
    for (const auto& [key, value] : node.attributes) attributes.push_back({key, value});
  }
  return json;
}

bool same_both_ways(const Link& a, const Link& b) {
  return a.from == b.to && a.to == b.from && a.kind == b.kind && a.bandwidth == b.bandwidth &&
         a.capable == b.capable && a.latency_ns == b.latency_ns && a.count == b.count &&
         a.health == b.health && a.provenance == b.provenance;
}

// [a, b, [[way, kind, bandwidth, capable, latency, count, health, provenance], ...]]; way is 0 from
// a to b, 1 back, 2 both.
Json edge_json(const Graph& graph, const Edge& edge) {
  Json links = Json::array();
  std::vector<bool> done(edge.links.size(), false);
  for (size_t i = 0; i < edge.links.size(); ++i) {
    if (done[i]) continue;
    const Link& link = graph.link(edge.links[i]);
    int way = link.from == edge.a ? 0 : 1;
    for (size_t j = i + 1; j < edge.links.size() && way != 2; ++j) {
      if (done[j] || !same_both_ways(link, graph.link(edge.links[j]))) continue;
      done[j] = true;
      way = 2;
    }
    links.push_back({way, static_cast<int>(link.kind), link.bandwidth, link.capable,
                     link.latency_ns, link.count, static_cast<int>(link.health),
                     static_cast<int>(link.provenance)});
  }
  return {edge.a, edge.b, std::move(links)};
}

Json names_json() {
  Json json;
  for (int i = 0; i < kNodeKindCount; ++i) {
    json["kinds"].push_back(display_name(static_cast<NodeKind>(i)));
  }
  for (int i = 0; i < kLinkKindCount; ++i) {
    json["linkKinds"].push_back(display_name(static_cast<LinkKind>(i)));
  }
  for (int i = 0; i < kHealthCount; ++i) {
    json["healths"].push_back(to_text(static_cast<Health>(i)));
  }
  for (int i = 0; i < kProvenanceCount; ++i) {
    json["provenances"].push_back(to_text(static_cast<Provenance>(i)));
  }
  return json;
}

std::string data_json(const Graph& graph, const Picture& picture, const PictureOptions& options) {
  Json json = names_json();
  json["nodes"] = Json::array();
  for (const Node& node : graph.nodes()) json["nodes"].push_back(node_json(node));
  json["edges"] = Json::array();
  for (const Edge& edge : picture.edges) json["edges"].push_back(edge_json(graph, edge));
  json["highlights"] = Json::array();
  for (const Highlight& each : options.highlights) {
    json["highlights"].push_back({{"name", each.name},
                                  {"sentence", each.sentence},
                                  {"nodes", each.nodes},
                                  {"edges", edges_with(picture, each.links)}});
  }
  json["notes"] = Json::object();
  for (const Note& note : options.notes) {
    json["notes"][std::to_string(note.node)].push_back(note.text);
  }
  std::string text = json.dump(-1, ' ', false, Json::error_handler_t::replace);
  // Nothing in it may end the script element.
  std::string safe;
  safe.reserve(text.size());
  for (const char c : text) safe += c == '<' ? std::string("\\u003c") : std::string(1, c);
  return safe;
}

std::string legend_html(const std::vector<LegendItem>& items) {
  std::string html;
  for (const LegendItem& item : items) {
    std::string target;
    if (!item.nodes.empty()) target = fmt::format(" data-nodes=\"{}\"", xml_escaped(item.nodes));
    if (!item.lines.empty()) target = fmt::format(" data-class=\"{}\"", xml_escaped(item.lines));
    html += fmt::format(
        "<button type=\"button\" class=\"item{}\"{}><svg width=\"26\" height=\"14\" "
        "aria-hidden=\"true\">{}</svg>{}{}</button>\n",
        item.is_fault ? " bad" : "", target, sample_svg(item), xml_escaped(item.text),
        item.count > 0 ? " <span class=\"n\">" + grouped(item.count) + "</span>" : "");
  }
  return html;
}

// Replaces each @NAME@ of the page once, in order, without looking into what was put in.
std::string filled(std::string_view page, const std::map<std::string_view, std::string>& values) {
  std::string out;
  while (!page.empty()) {
    const size_t begin = page.find('@');
    out += page.substr(0, begin);
    if (begin == std::string_view::npos) break;
    const size_t end = page.find('@', begin + 1);
    const auto found = end == std::string_view::npos
                           ? values.end()
                           : values.find(page.substr(begin + 1, end - begin - 1));
    if (found == values.end()) {
      out += '@';
      page.remove_prefix(begin + 1);
      continue;
    }
    out += found->second;
    page.remove_prefix(end + 1);
  }
  return out;
}

}  // namespace

std::string render_html(const Graph& graph, const PictureOptions& options) {
  const Picture picture = draw(graph);
  const Summary summary = summarize(graph, picture.edges);
  return filled(assets::kPage,
                {{"TITLE", xml_escaped(title_of(graph, options))},
                 {"SUMMARY", xml_escaped(summary_text(summary))},
                 {"STYLE", std::string(assets::kPictureStyle) + std::string(assets::kPageStyle)},
                 {"DRAWING", drawing_svg(graph, picture, summary, options, false)},
                 {"LEGEND", legend_html(legend_of(graph, picture, summary, options))},
                 {"DATA", data_json(graph, picture, options)},
                 {"SCRIPT", std::string(assets::kPageScript)}});
}

}  // namespace unirack
