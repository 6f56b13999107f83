// unirack-topo diff: what changed between two fabrics, and what it costs.
#include "lib/topology/diff.h"

#include <fmt/format.h>

#include <memory>
#include <nlohmann/json.hpp>

#include "lib/topology/bound/bound.h"
#include "perf/topo/collectives.h"
#include "perf/topo/command_line.h"
#include "perf/topo/commands.h"
#include "perf/topo/input.h"

namespace unirack::topo {

namespace {

using Json = nlohmann::ordered_json;

struct Cost {
  CollectiveBound before;
  CollectiveBound after;
};

Json state_json(const LinkState& state) {
  return {{"count", state.count}, {"bytes_per_s", state.bandwidth}, {"down", state.down}};
}

Json diff_json(const GraphDiff& diff) {
  constexpr const char* kNodeWords[] = {"gone", "added", "changed"};
  constexpr const char* kLinkWords[] = {"gone",   "added",  "fewer", "more",
                                        "slower", "faster", "other"};
  Json json{{"nodes", Json::array()}, {"links", Json::array()}};
  for (const NodeChange& change : diff.nodes) {
    Json one{{"what", kNodeWords[static_cast<size_t>(change.what)]},
             {"kind", to_text(change.kind)},
             {"name", change.name}};
    for (const FieldChange& field : change.fields) {
      one["fields"].push_back(
          {{"field", field.field}, {"before", field.before}, {"after", field.after}});
    }
    json["nodes"].push_back(std::move(one));
  }
  for (const LinkChange& change : diff.links) {
    json["links"].push_back({{"what", kLinkWords[static_cast<size_t>(change.what)]},
                             {"kind", to_text(change.kind)},
                             {"from", change.from},
                             {"to", change.to},
                             {"before", state_json(change.before)},
                             {"after", state_json(change.after)}});
  }
  return json;
}

// "-5.1 %"; empty where there is nothing to compare.
std::string change_text(const Cost& cost) {
  const Rational before = cost.before.algbw, after = cost.after.algbw;
  if (before == after) return "unchanged";
  if (before.is_unlimited() || after.is_unlimited() || before.numerator == 0) return {};
  return fmt::format("{:+.2f} %", (after.value() / before.value() - 1) * 100);
}

std::string rate_of(const CollectiveBound& bound) {
  if (bound.algbw.is_unlimited()) return "no limit";
  return bound.algbw.numerator == 0 ? "impossible" : rate_text(bound.algbw);
}

class Diff : public Command {
 public:
  Diff(CLI::App& app, const Console& console) : console_(console) {
    CommandLine command(app, "diff", "what changed between two fabrics, and what it costs");
    command.argument("BEFORE", before_, true, "a file, - or a specification");
    command.argument("AFTER", after_, true, "a file, - or a specification");
    command.option("--from", "FORMAT", format_, "format of both; default: recognised");
    command.flag("--no-bounds", no_bounds_, "do not compute what it costs");
    command.flag("--json", json_, "as JSON");
    command.footer(
        "Nodes are the same by name, links by their ends and kind. What it costs are the bounds "
        "of\n"
        "the collectives before and after.\n\n"
        "EXIT STATUS\n  0 equal, 1 there are differences, 3 bad usage or input\n\n"
        "EXAMPLES\n"
        "  unirack-topo diff yesterday.json today.json\n"
        "  ibnetdiscover | unirack-topo diff planned.json -\n"
        "  unirack-topo diff nvl72:racks=4 nvl72:racks=8 --json");
  }

  int run() override {
    auto code = compare();
    return code ? *code : console_.fail(code.error());
  }

 private:
  Result<int> compare() {
    if (before_ == "-" && after_ == "-") {
      return make_error(Code::invalid_argument, "standard input can be only one of the two");
    }
    const Graph before = UNIRACK_TRY(load_source(console_, before_, format_));
    const Graph after = UNIRACK_TRY(load_source(console_, after_, format_));
    const GraphDiff changes = diff(before, after);
    std::vector<Cost> costs;
    if (!no_bounds_ && !before.members().empty() && !after.members().empty()) {
      const Progress progress(console_, "bounding both");
      const Bounds a(before), b(after);
      for (const char* name : {"all-gather", "all-reduce", "all-to-all"}) {
        costs.push_back({bound_of(a, name, before.members().front()),
                         bound_of(b, name, after.members().front())});
      }
    }
    if (json_) {
      print_json(changes, costs);
    } else {
      print(changes, costs);
    }
    return changes.empty() ? kExitOk : kExitWarnings;
  }

  void print(const GraphDiff& changes, const std::vector<Cost>& costs) const {
    console_.print(changes.empty() ? "no difference\n" : to_text(changes));
    for (const Cost& cost : costs) {
      const std::string change = change_text(cost);
      const bool is_worse = cost.after.algbw < cost.before.algbw;
      console_.print(fmt::format(
          "{:<12} {:>14} -> {:>14}  {}{}\n", cost.before.name, rate_of(cost.before),
          rate_of(cost.after), is_worse ? painted(console_, change, "31") : change,
          change == "unchanged" || cost.after.cut.words.empty() ? ""
                                                                : "  " + cost.after.cut.words));
    }
  }

  void print_json(const GraphDiff& changes, const std::vector<Cost>& costs) const {
    Json json = diff_json(changes);
    json["equal"] = changes.empty();
    json["bounds"] = Json::array();
    for (const Cost& cost : costs) {
      json["bounds"].push_back({{"collective", cost.before.name},
                                {"before_bytes_per_s_exact", exact_text(cost.before.algbw)},
                                {"after_bytes_per_s_exact", exact_text(cost.after.algbw)},
                                {"change", change_text(cost)},
                                {"limited_by", cost.after.cut.words}});
    }
    console_.print(json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n");
  }

  const Console& console_;
  std::string before_;
  std::string after_;
  std::string format_;
  bool no_bounds_ = false;
  bool json_ = false;
};

}  // namespace

CommandPointer make_diff(CLI::App& app, const Console& console) {
  return std::make_unique<Diff>(app, console);
}

}  // namespace unirack::topo
