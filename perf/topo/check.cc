// unirack-topo check: the doctor.
#include "lib/topology/check/check.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <iterator>
#include <memory>
#include <nlohmann/json.hpp>
#include <utility>

#include "lib/topology/check/machine_probe.h"
#include "lib/topology/render/text.h"
#include "perf/topo/command_line.h"
#include "perf/topo/commands.h"
#include "perf/topo/input.h"

namespace unirack::topo {

namespace {

class Check : public Command {
 public:
  Check(CLI::App& app, const Console& console) : console_(console) {
    CommandLine command(app, "check", "what is wrong, and what to do about it");
    add_input(command, input_);
    add_faults(command, input_);
    command.number("--ranks", ranks_, 1, UINT32_MAX,
                   "ranks planned on this machine: are there CPUs for them?");
    command.flag("--json", json_, "as JSON, with all nodes");
    command.flag("--quiet", quiet_, "warnings and errors only");
    command.flag("--all", all_, "also what is well");
    command.footer(
        "Without FILE this machine is examined: trained links, NICs, limits, libraries. A fabric "
        "is\n"
        "compared with itself: machines with machines, leaves with leaves, rails with rails.\n\n"
        "EXIT STATUS\n"
        "  0 nothing above a remark, 1 warnings, 2 errors, 3 bad usage or input\n\n"
        "EXAMPLES\n"
        "  unirack-topo check --ranks 8\n"
        "  ibnetdiscover | unirack-topo check - --quiet || alert\n"
        "  unirack-topo check fabric.json --json");
  }

  int run() override {
    auto code = check();
    return code ? *code : console_.fail(code.error());
  }

 private:
  Result<int> check() {
    const Graph graph = UNIRACK_TRY(load(console_, input_));
    std::vector<Finding> findings = findings_of(graph);
    console_.print(json_ ? json_text(graph, findings) : list_text(findings));
    switch (worst(findings)) {
      case Severity::error:
        return kExitErrors;
      case Severity::warning:
        return kExitWarnings;
      default:
        return kExitOk;
    }
  }

  // Of this machine also what is not in its graph.
  std::vector<Finding> findings_of(const Graph& graph) const {
    std::vector<Finding> findings = check_graph(graph);
    if (!input_.source.empty()) return findings;
    std::vector<Finding> more = check_machine(read_probe({.rank_count = ranks_}, graph));
    std::move(more.begin(), more.end(), std::back_inserter(findings));
    std::stable_sort(findings.begin(), findings.end(),
                     [](const Finding& a, const Finding& b) { return a.severity > b.severity; });
    return findings;
  }

  std::string list_text(const std::vector<Finding>& findings) const {
    std::string text;
    std::array<size_t, 4> counts{};
    for (const Finding& finding : findings) {
      ++counts[static_cast<size_t>(finding.severity)];
      if (quiet_ && finding.severity < Severity::warning) continue;
      if (!all_ && finding.severity == Severity::ok) continue;
      const char* colour = finding.severity == Severity::error     ? "31;1"
                           : finding.severity == Severity::warning ? "33;1"
                                                                   : "2";
      text += painted(console_, fmt::format("{:<8}", to_text(finding.severity)), colour) + " " +
              painted(console_, finding.name, "1") + ": " + finding.evidence + "\n";
      if (!finding.advice.empty()) text += "         " + finding.advice + "\n";
    }
    return text +
           fmt::format(
               "{}, {}, {}\n",
               count_text(counts[static_cast<size_t>(Severity::error)], "error", "errors"),
               count_text(counts[static_cast<size_t>(Severity::warning)], "warning", "warnings"),
               count_text(counts[static_cast<size_t>(Severity::info)], "remark", "remarks"));
  }

  static std::string json_text(const Graph& graph, const std::vector<Finding>& findings) {
    nlohmann::ordered_json json{{"origin", graph.origin()},
                                {"worst", to_text(worst(findings))},
                                {"findings", nlohmann::ordered_json::array()}};
    for (const Finding& finding : findings) {
      nlohmann::ordered_json one{{"severity", to_text(finding.severity)},
                                 {"name", finding.name},
                                 {"evidence", finding.evidence},
                                 {"advice", finding.advice},
                                 {"nodes", nlohmann::ordered_json::array()}};
      for (const NodeIndex node : finding.nodes) one["nodes"].push_back(graph.node(node).name);
      json["findings"].push_back(std::move(one));
    }
    return json.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
  }

  const Console& console_;
  Input input_;
  uint64_t ranks_ = 0;
  bool json_ = false;
  bool quiet_ = false;
  bool all_ = false;
};

}  // namespace

CommandPointer make_check(CLI::App& app, const Console& console) {
  return std::make_unique<Check>(app, console);
}

}  // namespace unirack::topo
