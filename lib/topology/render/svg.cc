#include "lib/topology/render/svg.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <map>
#include <set>

#include "lib/topology/render/assets.h"
#include "lib/topology/render/legend.h"
#include "lib/topology/render/text.h"

namespace unirack {

namespace {

constexpr int kRailColours = 8;
constexpr double kFileWidthMin = 760;  // for title and legend

class SvgWriter {
 public:
  SvgWriter(const Graph& graph, const Picture& picture, const Summary& summary,
            const PictureOptions& options, bool is_static)
      : graph_(graph), picture_(picture), summary_(summary), is_static_(is_static) {
    if (is_static && !options.highlights.empty()) {
      const Highlight& shown = options.highlights.front();
      cut_nodes_.insert(shown.nodes.begin(), shown.nodes.end());
      for (const size_t edge : edges_with(picture, shown.links)) cut_edges_.insert(edge);
      for (const Line& line : picture.lines) {
        if (line.role == LineRole::bundle && is_cut(line)) {
          bundled_.insert(line.edges.begin(), line.edges.end());
        }
      }
    }
    for (const Note& note : options.notes) noted_.insert(note.node);
    if (!options.loads.empty()) find_loads(options.loads);
  }

  std::string write() {
    lines(true);
    add("<g>");
    for (const PictureFrame& frame : picture_.frames) add_frame(frame);
    add("</g><g class=\"glows\">");
    for (const Line& line : picture_.lines) add_glow(line);
    add("</g>");
    lines(false);
    add("<g>");
    for (const Label& label : picture_.labels) {
      text(label.x, label.y, label.text, label.font, label.at_end ? "soft tag e" : "soft tag");
    }
    for (const PictureCell& cell : picture_.cells) add_cell(cell);
    add("</g>");
    return std::move(out_);
  }

 private:
  template <class... T>
  void add(fmt::format_string<T...> format, T&&... values) {
    fmt::format_to(std::back_inserter(out_), format, std::forward<T>(values)...);
  }

  // By edge, both directions together; -1: nothing is said of it.
  void find_loads(const std::vector<LinkLoad>& loads) {
    std::map<LinkIndex, uint32_t> percent_of;
    for (const LinkLoad& load : loads) percent_of[load.link] = std::min(load.percent, 100u);
    for (const Edge& edge : picture_.edges) {
      int most = -1;
      for (const LinkIndex link : edge.links) {
        const auto found = percent_of.find(link);
        if (found != percent_of.end()) most = std::max(most, static_cast<int>(found->second));
      }
      loads_.push_back(most);
    }
  }

  // A line is as loaded as the most loaded of its edges.
  std::string style_of(const Line& line, bool is_shown) const {
    std::string style = is_shown ? "visibility:visible;" : "";
    if (!loads_.empty()) {
      int most = -1;
      for (const size_t edge : line.edges) most = std::max(most, loads_[edge]);
      style += most < 0
                   ? "opacity:.2;"
                   : fmt::format("stroke:{};opacity:1;", load_colour(static_cast<uint32_t>(most)));
    }
    return style.empty() ? "" : fmt::format(" style=\"{}\"", style);
  }

  void rect(const Rect& at, double radius) {
    add(R"(<rect x="{:.5g}" y="{:.5g}" width="{:.5g}" height="{:.5g}" rx="{}"/>)", at.x, at.y,
        at.width, at.height, radius);
  }
  void text(double x, double y, std::string_view words, double font, std::string_view classes) {
    const bool at_end = classes.ends_with(" e");
    add(R"(<text x="{:.5g}" y="{:.5g}" font-size="{}"{}{}>{}</text>)", x, y, font,
        classes.empty() ? "" : fmt::format(" class=\"{}\"", classes),
        at_end ? " text-anchor=\"end\"" : "", xml_escaped(words));
  }

  void add_frame(const PictureFrame& frame) {
    constexpr const char* kNames[] = {"rack", "machine", "domain", "absent"};
    add("<g class=\"f {}\">", kNames[static_cast<size_t>(frame.kind)]);
    rect(frame.at, frame.kind == FrameKind::absent ? 2 : frame.kind == FrameKind::domain ? 4 : 6);
    if (!frame.label.empty()) text(frame.at.x + 8, frame.at.y + 15, frame.label, 10, "title");
    if (!frame.note.empty()) text(frame.at.right() - 8, frame.at.y + 15, frame.note, 9, "soft e");
    add("</g>\n");
  }

  void lines(bool behind) {
    add("<g>");
    for (const LineRole role : {LineRole::bundle, LineRole::own, LineRole::detail}) {
      for (const Line& line : picture_.lines) {
        if (line.behind == behind && line.role == role) add_line(line);
      }
    }
    add("</g>");
  }

  // A bundle, only if all of it is.
  bool is_cut(const Line& line) const {
    return std::all_of(line.edges.begin(), line.edges.end(),
                       [&](size_t edge) { return cut_edges_.contains(edge); });
  }
  bool shows_cut(const Line& line) const {
    return is_cut(line) &&
           (line.role != LineRole::detail || !bundled_.contains(line.edges.front()));
  }

  void add_glow(const Line& line) {
    if (!shows_cut(line)) return;
    add(R"(<path class="glow" d="{}" stroke-width="{:.1f}"/>)", line.path, line.width + 5);
  }

  void add_line(const Line& line) {
    // A file has no one to point at things: what only shows on hover stays out of it.
    const bool stands_out = is_bad(line) || shows_cut(line);
    if (is_static_ && line.role == LineRole::detail && !stands_out) return;
    const Edge& first = picture_.edges[line.edges.front()];
    std::string classes = "l " + std::string(to_text(first.kind));
    if (first.rail >= 0 && first.kind != LinkKind::pcie) {
      classes += fmt::format(" rail r{}", first.rail % kRailColours);
    }
    if (line.role == LineRole::detail) classes += " detail";
    if (line.role == LineRole::bundle) classes += " bundle";
    if (line.behind) classes += " behind";
    if (line.role != LineRole::bundle) {
      classes += fmt::format(" k{}", summary_.class_of[line.edges.front()]);
      if (first.is_faulty()) classes += first.health == Health::down ? " bad down" : " bad";
    }
    if (shows_cut(line)) classes += " cut";
    std::string edges;
    for (const size_t edge : line.edges) edges += (edges.empty() ? "" : ",") + std::to_string(edge);
    add("<path class=\"{}\" d=\"{}\" stroke-width=\"{:.2g}\" data-e=\"{}\"{}/>\n", classes,
        line.path, line.width, edges, style_of(line, stands_out && line.role == LineRole::detail));
  }

  // A broken link is always seen, even where its neighbours are one bus.
  bool is_bad(const Line& line) const {
    return line.role != LineRole::bundle && picture_.edges[line.edges.front()].is_faulty();
  }

  void add_cell(const PictureCell& cell) {
    const Node& node = graph_.node(cell.node);
    std::string classes = "c " + std::string(to_text(node.kind));
    std::string rail;
    if (node.rail >= 0) {
      classes += fmt::format(" r{}", node.rail % kRailColours);
      rail = fmt::format(" data-r=\"{}\"", node.rail);
    }
    if (node.health != Health::ok) classes += node.health == Health::down ? " bad down" : " bad";
    if (cut_nodes_.contains(cell.node)) classes += " in";
    if (noted_.contains(cell.node)) classes += " noted";
    add("<g class=\"{}\" data-n=\"{}\"{}>", classes, cell.node, rail);
    rect(cell.at, cell.at.height < 10 ? 1.5 : 3);
    const double middle = cell.at.centre_y() + cell.font * 0.36;
    if (cell.detail.empty()) {
      if (!cell.label.empty()) text(cell.at.centre_x(), middle, cell.label, cell.font, {});
    } else {
      text(cell.at.centre_x(), middle - 6.5, cell.label, cell.font, {});
      text(cell.at.centre_x(), middle + 7, cell.detail, 8.5, "soft");
    }
    if (noted_.contains(cell.node)) {
      add(R"(<circle class="badge" cx="{:.5g}" cy="{:.5g}" r="3"/>)", cell.at.right(), cell.at.y);
    }
    add("</g>\n");
  }

  const Graph& graph_;
  const Picture& picture_;
  const Summary& summary_;
  const bool is_static_;
  std::set<NodeIndex> cut_nodes_, noted_;
  std::set<size_t> cut_edges_, bundled_;
  std::vector<int> loads_;  // by edge, percent; empty: there are none
  std::string out_;
};

// Title and words above, the legend below, in lines as wide as the picture.
struct Furniture {
  std::string above, below;
  double top = 0, bottom = 0;
};

Furniture furniture(const Graph& graph, const Picture& picture, double width,
                    const Summary& summary, const PictureOptions& options) {
  constexpr double kLeft = 24, kFont = 10.5;
  const double room = width - 2 * kLeft;
  Furniture made;
  const auto line = [&](double y, double font, std::string_view classes, std::string_view words) {
    made.above += fmt::format(R"(<text x="{}" y="{}" font-size="{}" class="{}">{}</text>)", kLeft,
                              y, font, classes, xml_escaped(fitted(words, room, font)));
  };
  line(30, 16, "title", title_of(graph, options));
  line(48, kFont, "soft", summary_text(summary));
  made.top = 56;
  if (!options.highlights.empty()) {
    const std::string words = fitted(options.highlights[0].sentence, room, kFont);
    made.above += fmt::format(R"(<path class="glow" d="M{} 64H{:.5g}" stroke-width="15"/>)",
                              kLeft + 2, kLeft + text_width(words, kFont));
    line(68, kFont, "", words);
    made.top = 76;
  }
  if (!options.loads.empty()) {
    constexpr double kSwatch = 34;
    double x = kLeft;
    for (uint32_t percent = 0; percent <= 100; percent += 25, x += kSwatch) {
      made.above += fmt::format(R"(<rect x="{}" y="{}" width="{}" height="8" fill="{}"/>)", x,
                                made.top + 2, kSwatch, load_colour(percent));
    }
    made.above +=
        fmt::format(R"(<text x="{}" y="{}" font-size="{}">{}</text>)", x + 8, made.top + 10, kFont,
                    "0 to 100%: the time that a line's bytes take at its full rate, of the whole");
    made.top += 20;
  }
  double x = kLeft, y = 12;
  for (const LegendItem& item : legend_of(graph, picture, summary, options)) {
    std::string words = item.text;
    if (item.count > 0) words += ": " + grouped(item.count);
    const double needed = 32 + text_width(words, kFont) + 14;
    if (x > kLeft && x + needed > width - kLeft) x = kLeft, y += 20;
    made.below += fmt::format(
        R"--(<g transform="translate({:.5g} {:.5g})">{}<text x="32" y="11" font-size="{}">{}</text></g>)--",
        x, y, sample_svg(item), kFont, xml_escaped(words));
    x += needed;
  }
  made.bottom = y + 26;
  return made;
}

}  // namespace

// From a grey blue over yellow to red.
std::string load_colour(uint32_t percent) {
  struct Colour {
    int red, green, blue;
  };
  constexpr Colour kScale[] = {{158, 176, 196}, {226, 179, 60}, {200, 36, 47}};
  const int at = static_cast<int>(std::min(percent, 100u));
  const Colour& from = kScale[at < 50 ? 0 : 1];
  const Colour& to = kScale[at < 50 ? 1 : 2];
  const int share = at < 50 ? at * 2 : (at - 50) * 2;
  const auto mixed = [&](int a, int b) { return a + (b - a) * share / 100; };
  return fmt::format("#{:02x}{:02x}{:02x}", mixed(from.red, to.red), mixed(from.green, to.green),
                     mixed(from.blue, to.blue));
}

std::string title_of(const Graph& graph, const PictureOptions& options) {
  if (!options.title.empty()) return options.title;
  return graph.origin().empty() ? "topology" : graph.origin();
}

std::vector<size_t> edges_with(const Picture& picture, const std::vector<LinkIndex>& links) {
  const std::set<LinkIndex> wanted(links.begin(), links.end());
  std::vector<size_t> found;
  for (size_t i = 0; i < picture.edges.size(); ++i) {
    const auto& all = picture.edges[i].links;
    if (std::any_of(all.begin(), all.end(),
                    [&](LinkIndex link) { return wanted.contains(link); })) {
      found.push_back(i);
    }
  }
  return found;
}

std::string drawing_svg(const Graph& graph, const Picture& picture, const Summary& summary,
                        const PictureOptions& options, bool is_static) {
  const std::string body = SvgWriter(graph, picture, summary, options, is_static).write();
  return fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {:.6g} {:.6g}\" tabindex=\"0\" "
      "role=\"img\" aria-label=\"{}\"><g class=\"view\">{}</g></svg>",
      picture.width, picture.height, xml_escaped(title_of(graph, options)), body);
}

std::string render_svg(const Graph& graph, const PictureOptions& options) {
  const Picture picture = draw(graph);
  const Summary summary = summarize(graph, picture.edges);
  const double width = std::max(picture.width, kFileWidthMin);
  const Furniture around = furniture(graph, picture, width, summary, options);
  const double height = around.top + picture.height + around.bottom;
  const std::string body = SvgWriter(graph, picture, summary, options, true).write();
  return fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"picture\" viewBox=\"0 0 {0:.6g} {1:.6g}\" "
      "width=\"{0:.6g}\" height=\"{1:.6g}\">\n<title>{2}</title>\n<style>{3}</style>\n"
      "<rect width=\"100%\" height=\"100%\" fill=\"var(--ground)\"/>\n{4}\n"
      "<g transform=\"translate({9:.5g} {5})\">{6}</g>\n<g transform=\"translate(0 "
      "{7:.6g})\">{8}</g>\n"
      "</svg>\n",
      width, height, xml_escaped(title_of(graph, options)), assets::kPictureStyle, around.above,
      around.top, body, around.top + picture.height, around.below, (width - picture.width) / 2);
}

}  // namespace unirack
