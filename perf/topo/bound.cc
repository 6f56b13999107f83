// unirack-topo bound: what each collective can reach at best, and what limits it.
#include "lib/topology/bound/bound.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <nlohmann/json.hpp>

#include "lib/topology/flow/concurrent_flow.h"
#include "perf/topo/collectives.h"
#include "perf/topo/command_line.h"
#include "perf/topo/commands.h"
#include "perf/topo/input.h"
#include "perf/topo/output.h"

namespace unirack::topo {

namespace {

constexpr size_t kNamesMax = 4096;  // of nodes and links of a cut in JSON

class BoundCommand : public Command {
 public:
  BoundCommand(CLI::App& app, const Console& console) : console_(console) {
    CommandLine command(app, "bound", "how fast collectives can be, and why");
    add_input(command, input_);
    add_faults(command, input_);
    command.repeated("--collective", "NAME", collectives_, collective_names(),
                     "all-gather, reduce-scatter, all-reduce, broadcast, reduce or all-to-all; may "
                     "be repeated; default: all of them");
    command.option("--root", "NODE", root_,
                   "the root of broadcast and reduce; default: the first GPU");
    command.number("--k", k_, 1, uint64_t{1} << 20, "also the best all-gather of N trees per root");
    command.flag("--exact", exact_,
                 "also the exact all-to-all, by linear program: up to a few hundred members");
    command.flag("--time", time_, "how long each took to compute");
    command.flag("--json", json_, "exact fractions, cuts as names of nodes and links");
    command.option("--html", "PATH", html_, "write a page with the limiting cuts marked");
    command.option("--svg", "PATH", svg_, "write a picture with the first limiting cut marked");
    command.footer(
        "Bounds use nominal rates, so that no schedule, simulation or measurement beats them. A\n"
        "link whose speed is not known limits nothing. algbw is counted as nccl-tests does: the\n"
        "bytes of the larger side of the call on one rank, divided by the time.\n\n"
        "EXIT STATUS\n  0 computed, 3 bad usage or input\n\n"
        "EXAMPLES\n"
        "  unirack-topo bound nvl72:racks=8\n"
        "  unirack-topo bound fabric.out --collective all-gather --time\n"
        "  unirack-topo bound fabric.out --kill leaf:3 --html without-leaf-3.html\n"
        "  unirack-topo bound torus:4x4 --collective all-to-all --exact\n"
        "  unirack-topo bound dgx-a100:boxes=2 --collective all-gather --k 1 --json");
  }

  int run() override {
    const Status status = bound();
    return status ? kExitOk : console_.fail(status.error());
  }

 private:
  Result<NodeIndex> find_root(const Graph& graph) const {
    if (graph.members().empty()) {
      return make_error(Code::invalid_argument,
                        "there is no GPU and no rank in it: nobody takes part in a collective");
    }
    if (root_.empty()) return graph.members().front();
    const auto found = graph.find(root_);
    const auto& members = graph.members();
    if (!found || std::find(members.begin(), members.end(), *found) == members.end()) {
      return make_error(Code::invalid_argument,
                        fmt::format("'{}' is no member: expected a name such as '{}'", root_,
                                    graph.node(members.front()).name));
    }
    return *found;
  }

  Status bound() {
    const Graph graph = UNIRACK_TRY(load(console_, input_));
    const NodeIndex root = UNIRACK_TRY(find_root(graph));
    const Bounds bounds(graph);
    std::vector<CollectiveBound> all;
    for (const std::string& name : collectives_.empty() ? collective_names() : collectives_) {
      const Progress progress(console_, "bounding " + name);
      all.push_back(bound_of(bounds, name, root));
    }
    if (k_ > 0) all.push_back(UNIRACK_TRY(fixed(bounds)));
    PictureOptions picture;
    picture.title = title_of(input_);
    for (const CollectiveBound& each : all) picture.highlights.push_back(highlight_of(each));
    for (const auto& [path, form] : {std::pair(html_, "html"), std::pair(svg_, "svg")}) {
      if (path.empty()) continue;
      if (picture.notes.empty()) picture.notes = notes_of(graph);
      const std::string text = UNIRACK_TRY(written(graph, form, picture));
      UNIRACK_TRY(write_text(console_, path, text));
    }
    // No cut to mark: every link may count.
    if (exact_) all.push_back(UNIRACK_TRY(exact(bounds)));
    console_.print(json_ ? json_text(graph, all) : table_text(graph, all));
    return ok_status();
  }

  Result<CollectiveBound> exact(const Bounds& bounds) const {
    const Progress progress(console_, "solving the all-to-all");
    const auto begin = std::chrono::steady_clock::now();
    const AllToAllOptimum optimum = UNIRACK_TRY(solve_all_to_all(bounds.network()));
    CollectiveBound result;
    result.name = "all-to-all, exact";
    result.algbw = optimum.algbw;
    result.cut.words = fmt::format(
        "no routing beats it; flows reach {:.3f} GB/s (linear program of {} columns, folded to {})",
        optimum.reached / 1e9, optimum.column_count, optimum.folded_column_count);
    const auto spent = std::chrono::steady_clock::now() - begin;
    result.time_ms = std::chrono::duration<double, std::milli>(spent).count();
    return result;
  }

  Result<CollectiveBound> fixed(const Bounds& bounds) const {
    const Progress progress(console_, "packing trees");
    const auto begin = std::chrono::steady_clock::now();
    const Trees trees = UNIRACK_TRY(bounds.fixed_trees(k_));
    CollectiveBound result;
    result.name = fmt::format("all-gather, k={}", k_);
    result.algbw = trees.bound.algbw;
    result.cut = trees.bound.cut;
    const auto spent = std::chrono::steady_clock::now() - begin;
    result.time_ms = std::chrono::duration<double, std::milli>(spent).count();
    return result;
  }

  std::string table_text(const Graph& graph, const std::vector<CollectiveBound>& all) const {
    std::string text = fmt::format("{} members, nominal rates\n", graph.members().size());
    for (const CollectiveBound& each : all) {
      const std::string rate = each.algbw.is_unlimited()   ? "no limit"
                               : each.algbw.numerator == 0 ? "impossible"
                                                           : rate_text(each.algbw);
      text +=
          fmt::format("{}  {:>14}", painted(console_, fmt::format("{:<15}", each.name), "1"), rate);
      if (time_) text += fmt::format("  {:>9.2f} ms", each.time_ms);
      const std::string words =
          each.algbw.is_unlimited() ? "nothing whose speed is known" : each.cut.words;
      text += "  " + words + "\n";
      if (!each.note.empty()) {
        text += std::string(17, ' ') + painted(console_, each.note, "2") + "\n";
      }
    }
    return text;
  }

  std::string json_text(const Graph& graph, const std::vector<CollectiveBound>& all) const {
    nlohmann::ordered_json json{{"origin", graph.origin()}, {"members", graph.members().size()}};
    auto& list = json["bounds"] = nlohmann::ordered_json::array();
    for (const CollectiveBound& each : all) {
      nlohmann::ordered_json one{{"collective", each.name},
                                 {"algbw_bytes_per_s_exact", exact_text(each.algbw)}};
      if (!each.algbw.is_unlimited()) one["algbw_gb_per_s"] = each.algbw.value() / 1e9;
      one["sentence"] = sentence_of(each);
      if (!each.note.empty()) one["note"] = each.note;
      one["time_ms"] = each.time_ms;
      auto& cut = one["cut"];
      cut["words"] = each.cut.words;
      cut["members"] = each.cut.member_count;
      cut["direction"] = each.cut.entering ? "in" : "out";
      cut["nodes"] = nlohmann::ordered_json::array();
      for (const NodeIndex node : each.cut.nodes) {
        if (cut["nodes"].size() < kNamesMax) cut["nodes"].push_back(graph.node(node).name);
      }
      cut["links"] = nlohmann::ordered_json::array();
      for (const LinkIndex index : each.cut.links) {
        const Link& link = graph.link(index);
        if (cut["links"].size() >= kNamesMax) break;
        cut["links"].push_back({graph.node(link.from).name, graph.node(link.to).name});
      }
      list.push_back(std::move(one));
    }
    return json.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
  }

  const Console& console_;
  Input input_;
  std::vector<std::string> collectives_;
  std::string root_;
  uint64_t k_ = 0;
  bool exact_ = false;
  bool time_ = false;
  bool json_ = false;
  std::string html_;
  std::string svg_;
};

}  // namespace

CommandPointer make_bound(CLI::App& app, const Console& console) {
  return std::make_unique<BoundCommand>(app, console);
}

}  // namespace unirack::topo
