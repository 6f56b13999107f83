#include "lib/topology/render/legend.h"

#include <fmt/format.h>

#include <algorithm>

#include "lib/topology/render/text.h"

namespace unirack {

namespace {

using Sample = LegendItem::Sample;
constexpr size_t kClassesMax = 10;

void add_kinds(const Summary& summary, std::vector<LegendItem>& items) {
  for (int i = 0; i < kNodeKindCount; ++i) {
    const auto kind = static_cast<NodeKind>(i);
    const size_t count = summary.count(kind);
    if (count == 0) continue;
    const std::string name(to_text(kind));
    const std::string classes = kind == NodeKind::leaf ? "c spine" : "c " + name;
    items.push_back({Sample::cell,
                     classes,
                     1,
                     std::string(display_name(kind, count)),
                     count,
                     ".c." + name,
                     {},
                     false});
  }
}

void add_rails(const Summary& summary, std::vector<LegendItem>& items) {
  for (size_t i = 0; i < summary.rails.size(); ++i) {
    const std::string rail = fmt::format("r{}", summary.rails[i] % 8);
    items.push_back({Sample::cell,
                     "c leaf " + rail,
                     1,
                     fmt::format("rail {}", summary.rails[i]),
                     summary.rail_nics[i],
                     fmt::format(".c[data-r='{}']", summary.rails[i]),
                     {},
                     false});
  }
}

void add_classes(const Summary& summary, std::vector<LegendItem>& items) {
  for (size_t i = 0; i < std::min(summary.classes.size(), kClassesMax); ++i) {
    const LinkGroup& group = summary.classes[i];
    const bool is_pair = group.bandwidth == 0;
    items.push_back({Sample::line,
                     "l " + std::string(to_text(group.kind)),
                     line_width(group.bandwidth),
                     std::string(display_name(group.kind)) + " " +
                         (is_pair ? "(speed not known)" : typeset(group.text)),
                     group.count,
                     {},
                     fmt::format(".l.k{}", i),
                     false});
  }
  if (summary.classes.size() > kClassesMax) {
    size_t more = 0;
    for (size_t i = kClassesMax; i < summary.classes.size(); ++i) more += summary.classes[i].count;
    items.push_back({Sample::line, "l", 1, "other links", more, {}, {}, false});
  }
}

void add_faults(const Picture& picture, const Summary& summary, const PictureOptions& options,
                std::vector<LegendItem>& items) {
  if (summary.down > 0) {
    items.push_back({Sample::line, "l bad down", 2, "down", summary.down, {}, ".l.down", true});
  }
  if (summary.degraded > 0) {
    items.push_back(
        {Sample::line, "l bad", 2, "degraded", summary.degraded, {}, ".l.bad:not(.down)", true});
  }
  const auto absent = static_cast<size_t>(
      std::count_if(picture.frames.begin(), picture.frames.end(),
                    [](const PictureFrame& frame) { return frame.kind == FrameKind::absent; }));
  if (absent > 0) {
    items.push_back({Sample::cell, "f absent", 1, "no NIC on this rail", absent, {}, {}, false});
  }
  if (!options.notes.empty()) {
    items.push_back(
        {Sample::badge, "badge", 1, "findings", options.notes.size(), ".c.noted", {}, true});
  }
  if (!options.highlights.empty()) {
    items.push_back({Sample::pen, {}, 1, "the limiting cut", 0, ".c.in", {}, false});
  }
}

}  // namespace

std::vector<LegendItem> legend_of(const Graph&, const Picture& picture, const Summary& summary,
                                  const PictureOptions& options) {
  std::vector<LegendItem> items;
  add_kinds(summary, items);
  add_rails(summary, items);
  add_classes(summary, items);
  add_faults(picture, summary, options, items);
  return items;
}

std::string sample_svg(const LegendItem& item) {
  switch (item.sample) {
    case Sample::cell:
      return fmt::format(R"(<g class="{}"><rect x="5" y="2" width="16" height="10" rx="2"/></g>)",
                         item.classes);
    case Sample::line:
      return fmt::format(R"(<path class="{}" d="M1 7H25" stroke-width="{:.1f}"/>)", item.classes,
                         item.width);
    case Sample::badge:
      return R"(<circle class="badge" cx="13" cy="7" r="3.5"/>)";
    case Sample::pen:
      return R"(<path class="glow" d="M4 7H22" stroke-width="8"/>)";
  }
  return {};
}

}  // namespace unirack
