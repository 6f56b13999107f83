// The page of `plan`: the candidates as bars, the plan over time and over the fabric, and which
// plan runs at what size. It loads nothing and needs no script.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <string>

#include "lib/topology/render/text.h"
#include "perf/topo/call.h"
#include "perf/topo/plan_report.h"

namespace unirack::topo {

namespace {

constexpr std::string_view kStyle = R"css(
:root { --ground: #fbfbf9; --panel: #ffffff; --ink: #1f2733; --soft: #667085; --edge: #dfe3e9;
  --bar: #9ab3d2; --best: #2f8f5b; }
@media (prefers-color-scheme: dark) { :root { --ground: #14181f; --panel: #1b212b; --ink: #e6e9ee;
  --soft: #98a2b3; --edge: #39424f; --bar: #4a6a94; --best: #5fbf8a; } }
body { margin: 0; background: var(--ground); color: var(--ink); font: 14px/1.45 system-ui,
  "Segoe UI", "Helvetica Neue", Arial, "DejaVu Sans", sans-serif; }
main { max-width: 1180px; margin: 0 auto; padding: 24px; }
h1 { font-size: 21px; margin: 0 0 4px; } h2 { font-size: 16px; margin: 30px 0 8px; }
p { margin: 4px 0; color: var(--soft); }
.panel { background: var(--panel); border: 1px solid var(--edge); border-radius: 8px;
  padding: 6px 14px; overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th { text-align: left; font-weight: 600; color: var(--soft); font-size: 12px; }
th, td { padding: 5px 10px 5px 0; border-bottom: 1px solid var(--edge); vertical-align: top; }
tr:last-child td { border-bottom: 0; } td.n, th.n { text-align: right; white-space: nowrap; }
tr.chosen td { font-weight: 600; } tr.unpriced td { color: var(--soft); }
td.bar { width: 24%; min-width: 130px; padding-top: 9px; }
td.bar div { height: 10px; border-radius: 2px; background: var(--bar); position: relative; }
tr.chosen td.bar div { background: var(--best); }
td.bar i { position: absolute; top: -2px; bottom: -2px; width: 2px; background: #d1242f; }
.envelope { display: flex; height: 30px; border-radius: 4px; overflow: hidden; margin: 8px 0; }
.envelope div { color: #ffffff; font-size: 12px; line-height: 30px; padding: 0 6px;
  white-space: nowrap; overflow: hidden; border-right: 1px solid var(--panel); }
svg { max-width: 100%; height: auto; display: block; margin: 0 auto; }
.panel .picture { --ground: transparent; } .panel .timeline { --t-ground: transparent; }
)css";

constexpr std::array kColours = {"#3b6fb6", "#2f8f5b", "#b7791f", "#8a63b8",
                                 "#1f7f8f", "#a3476b", "#77803a", "#55606f"};

// Times differ by orders of magnitude, so bars are of the square root.
double bar_percent(uint64_t time_ps, uint64_t most_ps) {
  return 100 * std::sqrt(static_cast<double>(time_ps) /
                         static_cast<double>(std::max<uint64_t>(1, most_ps)));
}

std::string candidate_rows(const PlanReport& report) {
  uint64_t most_ps = 0;
  for (const PricedPlan& plan : report.choice.candidates) {
    most_ps = std::max(most_ps, plan.time_ps);
  }
  std::string rows;
  for (const PricedPlan& plan : report.choice.candidates) {
    rows += fmt::format(
        "<tr class=\"{}\"><td>{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td>",
        plan.is_chosen   ? "chosen"
        : plan.is_priced ? "priced"
                         : "unpriced",
        xml_escaped(plan.algorithm), plan.is_priced ? duration_text(plan.time_ps) : "&ndash;",
        plan.is_priced && report.bound ? fmt::format("{:.1f}%", 100 * report.ratio(plan.time_ps))
                                       : "");
    if (plan.is_priced) {
      const std::string mark =
          report.bound && report.bound->time_ps(report.bytes) > 0
              ? fmt::format("<i style=\"left:{:.2f}%\" title=\"bound\"></i>",
                            100 * bar_percent(report.bound->time_ps(report.bytes), most_ps) /
                                bar_percent(plan.time_ps, most_ps))
              : "";
      rows += fmt::format("<td class=\"bar\"><div style=\"width:{:.2f}%\">{}</div></td>",
                          bar_percent(plan.time_ps, most_ps), mark);
      rows += fmt::format("<td class=\"n\">{}</td><td class=\"n\">{}</td><td>{}</td>", plan.lanes,
                          plan.tile_bytes == 0 ? "one" : size_text(plan.tile_bytes),
                          plan.limit.empty()
                              ? ""
                              : fmt::format("{} {}%", xml_escaped(plan.limit), plan.limit_percent));
    } else {
      rows += "<td></td><td></td><td></td><td></td>";
    }
    rows += fmt::format("<td>{}</td></tr>\n", xml_escaped(plan.reason));
  }
  return rows;
}

// By the logarithm of the size.
std::string envelope_html(const PlanReport& report) {
  if (report.ranges.empty()) return "";
  std::map<std::string, const char*> colours;
  std::string bars;
  std::string rows;
  for (const PlanRange& range : report.ranges) {
    const auto place =
        colours.try_emplace(range.algorithm, kColours[colours.size() % kColours.size()]);
    const double width = std::log2(static_cast<double>(range.bytes_end) /
                                   static_cast<double>(std::max<uint64_t>(1, range.bytes_begin)));
    const std::string begin = size_text(range.bytes_begin * report.blocks);
    bars +=
        fmt::format("<div style=\"flex:{:.3f} 0 0;background:{}\" title=\"{} from {}\">{}</div>",
                    std::max(width, 0.02), place.first->second, xml_escaped(range.algorithm), begin,
                    xml_escaped(range.algorithm));
    rows += fmt::format(
        "<tr><td class=\"n\">{}</td><td class=\"n\">{}</td><td>{}</td><td class=\"n\">{}</td>"
        "<td class=\"n\">{}</td><td class=\"n\">{}</td></tr>\n",
        begin, size_text(range.bytes_end * report.blocks), xml_escaped(range.algorithm),
        range.lanes, range.tile_bytes == 0 ? "one" : size_text(range.tile_bytes),
        duration_text(range.time_ps));
  }
  return "<h2>What runs at what size</h2><div class=\"panel\"><div class=\"envelope\">" + bars +
         "</div><table><tr><th class=\"n\">from</th><th class=\"n\">to below</th><th>algorithm</th>"
         "<th class=\"n\">lanes</th><th class=\"n\">tile</th><th class=\"n\">time at "
         "first</th></tr>" +
         rows + "</table></div>\n";
}

}  // namespace

std::string report_html(const PlanReport& report, const PlanPictures& pictures) {
  const std::string bound =
      report.bound
          ? fmt::format("Bound {}: {}.", duration_text(report.bound->time_ps(report.bytes)),
                        bound_text(*report.bound))
          : "No bound is known for this collective.";
  std::string page = fmt::format(
      "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
      "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src "
      "'unsafe-inline'\">\n<meta name=\"viewport\" content=\"width=device-width\">\n"
      "<title>{0}</title>\n<style>{1}</style></head><body><main>\n<h1>{0}</h1>\n<p>{2}</p>\n",
      xml_escaped(report.title), kStyle, xml_escaped(bound));
  page +=
      "<h2>Candidates</h2><div class=\"panel\"><table><tr><th>algorithm</th><th class=\"n\">time"
      "</th><th class=\"n\">of the bound</th><th>time, by its square root; the red line is the "
      "bound</th><th class=\"n\">lanes</th><th class=\"n\">tile</th><th>limited by</th><th>why</th>"
      "</tr>\n" +
      candidate_rows(report) + "</table></div>\n" + envelope_html(report);
  page += fmt::format("<h2>Over time</h2><p>{}</p><div class=\"panel\">{}</div>\n",
                      xml_escaped(pictures.caption), pictures.timeline);
  page += pictures.fabric.empty()
              ? "<p>The fabric is too large to be drawn here.</p>"
              : "<h2>Over the fabric</h2><div class=\"panel\">" + pictures.fabric + "</div>\n";
  return page + "</main></body></html>\n";
}

}  // namespace unirack::topo
