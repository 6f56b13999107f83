#include "perf/topo/timeline.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <iterator>
#include <map>
#include <set>
#include <string_view>
#include <utility>
#include <vector>

#include "lib/topology/render/text.h"
#include "perf/topo/call.h"

namespace unirack::topo {

namespace {

constexpr size_t kRanksShown = 12;
constexpr double kLeft = 170;
constexpr double kWidth = 900;  // of the time
constexpr double kRight = 24;
constexpr double kTop = 84;
constexpr double kBar = 11;
constexpr double kThin = 0.6;  // narrower bars of one kind are drawn as one
// With more bars than that nobody points at one, and words would be most of the file.
constexpr size_t kToldMax = 4000;

struct Kind {
  std::string_view name;  // as its class
  std::string_view words;
  std::string_view colour;
};
constexpr std::array kKinds = {
    Kind{"put", "put or get", "#3b6fb6"},  Kind{"reduce", "reduce", "#2f8f5b"},
    Kind{"copy", "local copy", "#8a63b8"}, Kind{"signal", "signal", "#1f2733"},
    Kind{"wait", "wait", "#d5dae1"},       Kind{"flow", "bytes under way", "#e2a13c"},
    Kind{"flight", "latency", "#f0d9ae"},
};

using LaneKey = std::pair<Rank, uint32_t>;

class Timeline {
 public:
  Timeline(const Simulation& simulation, const Schedule& schedule, const Network& network)
      : simulation_(simulation), schedule_(schedule), network_(network) {
    critical_.insert(simulation.critical_path.begin(), simulation.critical_path.end());
    for (const uint32_t lowest : simulation.represents) ++alike_[static_cast<Rank>(lowest)];
    choose_ranks();
    sort_activities();
  }

  std::string write(const std::string& title) {
    double y = kTop;
    std::string body;
    for (const Rank rank : shown_) body += rank_rows(rank, y);
    const double height = y + 40;
    return fmt::format(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"timeline\" viewBox=\"0 0 {0:.6g} "
        "{1:.6g}\" width=\"{0:.6g}\" height=\"{1:.6g}\">\n<title>{2}</title>\n{3}\n"
        "<rect class=\"t-ground\" width=\"100%\" height=\"100%\"/>\n{4}{5}{6}</svg>\n",
        kLeft + kWidth + kRight, height, xml_escaped(title), style(), head(title), grid(y), body);
  }

 private:
  // By how much of the critical path is theirs, then by number.
  void choose_ranks() {
    std::map<Rank, uint64_t> share;
    for (const SimulatedActivity& activity : simulation_.activities) share[activity.rank];
    for (const uint32_t index : simulation_.critical_path) {
      const SimulatedActivity& activity = simulation_.activities[index];
      share[activity.rank] += activity.end_ps - activity.begin_ps;
    }
    for (const auto& [rank, time] : share) shown_.push_back(rank);
    all_count_ = shown_.size();
    if (shown_.size() <= kRanksShown) return;
    std::stable_sort(shown_.begin(), shown_.end(),
                     [&](Rank a, Rank b) { return share[a] > share[b]; });
    shown_.resize(kRanksShown);
    std::sort(shown_.begin(), shown_.end());
  }

  void sort_activities() {
    for (uint32_t i = 0; i < simulation_.activities.size(); ++i) {
      const SimulatedActivity& activity = simulation_.activities[i];
      auto& rows = activity.kind == ActivityKind::step ? steps_ : messages_;
      rows[{activity.rank, activity.lane}].push_back(i);
    }
    for (auto* rows : {&steps_, &messages_}) {
      for (auto& [lane, list] : *rows) {
        std::stable_sort(list.begin(), list.end(), [&](uint32_t a, uint32_t b) {
          return simulation_.activities[a].begin_ps < simulation_.activities[b].begin_ps;
        });
      }
    }
  }

  static std::string style() {
    std::string text =
        "<style>.timeline{--t-ink:#1f2733;--t-soft:#667085;--t-line:#e3e7ec;--t-ground:#fbfbf9;"
        "font-family:system-ui,\"Segoe UI\",\"Helvetica Neue\",Arial,\"DejaVu Sans\",sans-serif}"
        "@media(prefers-color-scheme:dark){.timeline{--t-ink:#e6e9ee;--t-soft:#98a2b3;"
        "--t-line:#2b3441;--t-ground:#14181f}}"
        ".t-ground{fill:var(--t-ground)}.timeline text{fill:var(--t-ink);font-size:10.5px}"
        ".timeline .t-soft{fill:var(--t-soft)}.timeline .t-title{font-size:16px;font-weight:600}"
        ".t-grid{stroke:var(--t-line)}.t-critical{fill:#d1242f}";
    for (const Kind& kind : kKinds) {
      text += fmt::format(".t-{}{{fill:{}}}", kind.name, kind.colour);
    }
    return text + "</style>";
  }

  static std::string words(double x, double y, std::string_view text, std::string_view classes) {
    return fmt::format("<text x=\"{:.5g}\" y=\"{:.5g}\"{}>{}</text>\n", x, y,
                       classes.empty() ? "" : fmt::format(" class=\"{}\"", classes),
                       xml_escaped(text));
  }

  std::string head(const std::string& title) const {
    std::string text = words(24, 28, title, "t-title");
    double x = 24;
    const auto item = [&](std::string_view name, std::string_view what) {
      text += fmt::format("<rect class=\"t-{}\" x=\"{:.5g}\" y=\"40\" width=\"14\" height=\"{}\"/>",
                          name, x, name == "critical" ? 3 : 9);
      text += words(x + 19, 48, what, "");
      x += 40 + 5.6 * static_cast<double>(what.size());
    };
    for (const Kind& kind : kKinds) item(kind.name, kind.words);
    item("critical", "critical path");
    return text;
  }

  double x_of(uint64_t ps) const {
    return kLeft + kWidth * static_cast<double>(ps) /
                       static_cast<double>(std::max<uint64_t>(1, simulation_.time_ps));
  }

  // A round number of about a tenth.
  uint64_t tick_ps() const {
    const double raw = static_cast<double>(std::max<uint64_t>(10, simulation_.time_ps)) / 8;
    const double power = std::pow(10, std::floor(std::log10(raw)));
    for (const double factor : {1.0, 2.0, 5.0}) {
      if (raw <= power * factor) return static_cast<uint64_t>(power * factor);
    }
    return static_cast<uint64_t>(power * 10);
  }

  std::string grid(double bottom) const {
    std::string text;
    const uint64_t tick = tick_ps();
    for (uint64_t at = 0; at <= simulation_.time_ps; at += tick) {
      const double x = x_of(at);
      text += fmt::format("<path class=\"t-grid\" d=\"M{:.5g} {}V{:.5g}\"/>", x, kTop - 10, bottom);
      std::string label = duration_text(at);
      // Without zeros that say nothing.
      const size_t blank = label.find(' ');
      std::string number = label.substr(0, blank);
      number.erase(number.find_last_not_of('0') + 1);
      if (number.ends_with('.')) number.pop_back();
      text += words(x + 2, kTop - 14, number + label.substr(blank), "t-soft");
    }
    std::string note;
    if (all_count_ > shown_.size()) {
      note = fmt::format("{} of {} kinds of ranks: those that the critical path visits most",
                         shown_.size(), all_count_);
    }
    return text + words(24, bottom + 20, note, "t-soft");
  }

  std::string rank_rows(Rank rank, double& y) {
    std::string text;
    bool is_first = true;
    for (uint32_t lane = 0; lane < schedule_.program_view(rank).lanes.size(); ++lane) {
      const auto steps = steps_.find({rank, lane});
      const auto messages = messages_.find({rank, lane});
      if (steps == steps_.end() && messages == messages_.end()) continue;
      if (is_first) {
        const std::string& name = network_.rank_name(rank);
        const uint32_t alike = alike_[rank];
        text += words(24, y + 9,
                      shortened(fmt::format("{} {}", rank, name), 22) +
                          (alike > 1 ? fmt::format(" +{}", grouped(alike - 1)) : ""),
                      "");
        is_first = false;
      }
      if (lane > 0) {
        text += words(kLeft - 38, y + 9, fmt::format("lane {}", lane), "t-soft");
      }
      if (steps != steps_.end()) text += row(steps->second, y, kBar);
      y += kBar + 1;
      if (messages != messages_.end()) text += message_rows(messages->second, y);
      y += 4;
    }
    y += 4;
    return text;
  }

  // Those that overlap share the height of one row.
  std::string message_rows(const std::vector<uint32_t>& list, double& y) {
    constexpr size_t kRowsMax = 8;
    std::vector<std::vector<uint32_t>> rows;
    std::vector<uint64_t> free_ps;
    for (const uint32_t index : list) {
      const SimulatedActivity& activity = simulation_.activities[index];
      size_t at = 0;
      while (at < rows.size() && free_ps[at] > activity.begin_ps && at + 1 < kRowsMax) ++at;
      if (at == rows.size()) {
        rows.emplace_back();
        free_ps.push_back(0);
      }
      rows[at].push_back(index);
      free_ps[at] = std::max(free_ps[at], activity.end_ps);
    }
    const double height = rows.size() <= 2 ? 5 : 3;
    std::string text;
    for (const auto& each : rows) {
      text += row(each, y, height);
      y += height + 0.5;
    }
    return text;
  }

  const Kind& kind_of(const SimulatedActivity& activity) const {
    const auto named = [](std::string_view name) -> const Kind& {
      return *std::find_if(kKinds.begin(), kKinds.end(),
                           [&](const Kind& kind) { return kind.name == name; });
    };
    if (activity.kind == ActivityKind::flow) return named("flow");
    if (activity.kind == ActivityKind::flight) return named("flight");
    const Program& program = schedule_.program_view(activity.rank);
    const Step& step = program.lanes[activity.lane].steps[activity.step];
    if (step.op == Op::reduce) return named("reduce");
    if (step.op == Op::signal) return named("signal");
    if (step.op == Op::wait) return named("wait");
    const bool is_local = step.target.rank == activity.rank &&
                          program.sources[step.sources.first].rank == activity.rank;
    return named(is_local ? "copy" : "put");
  }

  std::string tip(const SimulatedActivity& activity) const {
    const Program& program = schedule_.program_view(activity.rank);
    const Step& step = program.lanes[activity.lane].steps[activity.step];
    std::string text = fmt::format("{}: {} to {}, tile {}, step {}", kind_of(activity).words,
                                   duration_text(activity.begin_ps), duration_text(activity.end_ps),
                                   activity.tile, activity.step);
    if (step.op == Op::wait || step.op == Op::signal) {
      text += fmt::format(", rank {}", step.peer);
    } else if (step.target.rank != activity.rank) {
      text += fmt::format(", to rank {}", step.target.rank);
    }
    if (activity.resource != kNoIndex) {
      text += ", limited by " + network_.resources()[activity.resource].name;
    }
    return xml_escaped(text);
  }

  // Bars from left to right; what is too narrow to be seen joins the bar before.
  std::string row(const std::vector<uint32_t>& list, double y, double height) const {
    struct Bar {
      double begin = 0;
      double end = -1;
      const Kind* kind = nullptr;
      bool is_critical = false;
      std::string tip;
    };
    std::string text;
    Bar bar;
    const auto flush = [&] {
      if (bar.kind == nullptr) return;
      text += fmt::format(
          "<rect class=\"t-{}\" x=\"{:.6g}\" y=\"{:.5g}\" width=\"{:.4g}\" height=\"{:.3g}\"{}\n",
          bar.kind->name, bar.begin, y, std::max(bar.end - bar.begin, 0.35), height,
          bar.tip.empty() ? "/>" : "><title>" + bar.tip + "</title></rect>");
      if (bar.is_critical) {
        text += fmt::format(
            "<rect class=\"t-critical\" x=\"{:.6g}\" y=\"{:.5g}\" width=\"{:.4g}\" "
            "height=\"2\"/>\n",
            bar.begin, y + height - 1.5, std::max(bar.end - bar.begin, 0.35));
      }
    };
    for (const uint32_t index : list) {
      const SimulatedActivity& activity = simulation_.activities[index];
      const double begin = x_of(activity.begin_ps);
      const double end = x_of(activity.end_ps);
      const Kind& kind = kind_of(activity);
      const bool is_critical = critical_.contains(index);
      const bool joins = bar.kind == &kind && bar.is_critical == is_critical &&
                         end - begin < kThin && begin - bar.end < kThin;
      if (joins) {
        bar.end = std::max(bar.end, end);
        continue;
      }
      flush();
      const bool is_told = simulation_.activities.size() <= kToldMax;
      bar = {begin, end, &kind, is_critical, is_told ? tip(activity) : ""};
    }
    flush();
    return text;
  }

  const Simulation& simulation_;
  const Schedule& schedule_;
  const Network& network_;
  std::set<uint32_t> critical_;
  std::map<Rank, uint32_t> alike_;
  std::vector<Rank> shown_;
  size_t all_count_ = 0;
  std::map<LaneKey, std::vector<uint32_t>> steps_;
  std::map<LaneKey, std::vector<uint32_t>> messages_;
};

}  // namespace

std::string timeline_svg(const Simulation& simulation, const Schedule& schedule,
                         const Network& network, const std::string& title) {
  return Timeline(simulation, schedule, network).write(title);
}

}  // namespace unirack::topo
