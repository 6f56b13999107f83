// How long bounds take, beside the same Newton iteration over LEMON's maximum flow (one Preflow a
// member): bound_bench [FILE...] [--fabric SPEC[;FAULT]]... [--runs N]
// [--lemon-max GPUS]
#include <fmt/format.h>
#include <lemon/preflow.h>
#include <lemon/smart_graph.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "lib/topology/bound/bound.h"
#include "lib/topology/bound/cut_search.h"
#include "lib/topology/discover/discover.h"
#include "lib/topology/flow/concurrent_flow.h"
#include "lib/topology/formats/formats.h"
#include "lib/topology/generate/generate.h"

namespace unirack {
namespace {

// The plain iteration: every member is tested from all others, nothing is settled.
class LemonNewton {
 public:
  explicit LemonNewton(const CutNetwork& network) : network_(network), capacity_(graph_) {
    for (uint32_t i = 0; i < network.place_count; ++i) places_.push_back(graph_.addNode());
    source_ = graph_.addNode();
    for (const Pipe& pipe : network.pipes) {
      add_pipe(pipe.a, pipe.b, pipe.a_to_b);
      add_pipe(pipe.b, pipe.a, pipe.b_to_a);
    }
    for (const uint32_t place : network.member_places) {
      shares_.push_back({graph_.addArc(source_, places_[place]), network.members_in[place]});
    }
  }

  // Seconds per unit, as members / capacity.
  Rational slowest() {
    members_ = 1;
    capacity_of_cut_ = static_cast<int64_t>(network_.total) + 1;
    for (const uint32_t place : network_.member_places) {
      do {
        set_capacities();
      } while (!test(place));
    }
    return ratio(members_, capacity_of_cut_);
  }

 private:
  struct PipeArc {
    lemon::SmartDigraph::Arc arc;
    int64_t capacity;
  };

  void add_pipe(uint32_t from, uint32_t to, Wide capacity) {
    pipes_.push_back({graph_.addArc(places_[from], places_[to]), static_cast<int64_t>(capacity)});
  }
  void set_capacities() {
    for (const PipeArc& pipe : pipes_) {
      capacity_[pipe.arc] = pipe.capacity < 0 ? enough() : pipe.capacity * members_;
    }
    for (const PipeArc& share : shares_) {
      capacity_[share.arc] = share.capacity * capacity_of_cut_;
    }
  }
  int64_t enough() const { return capacity_of_cut_ * network_.member_count; }
  // False: the ratio has been raised.
  bool test(uint32_t sink) {
    lemon::Preflow<lemon::SmartDigraph, lemon::SmartDigraph::ArcMap<int64_t>> flow(
        graph_, capacity_, source_, places_[sink]);
    flow.runMinCut();
    if (flow.flowValue() >= enough()) return true;
    std::vector<uint32_t> cut_off;
    members_ = network_.member_count;
    for (uint32_t i = 0; i < network_.place_count; ++i) {
      if (flow.minCut(places_[i])) continue;
      cut_off.push_back(i);
      members_ -= network_.members_in[i];
    }
    capacity_of_cut_ = static_cast<int64_t>(capacity_into(network_, false, cut_off));
    return capacity_of_cut_ == 0;
  }

  const CutNetwork& network_;
  lemon::SmartDigraph graph_;
  lemon::SmartDigraph::ArcMap<int64_t> capacity_;
  lemon::SmartDigraph::Node source_;
  std::vector<lemon::SmartDigraph::Node> places_;
  std::vector<PipeArc> pipes_;
  std::vector<PipeArc> shares_;
  int64_t members_ = 1;
  int64_t capacity_of_cut_ = 1;
};

template <class Work>
double milliseconds(Work&& work) {
  const auto begin = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begin)
      .count();
}

double best(const std::vector<double>& values) {
  return values.empty() ? 0 : *std::min_element(values.begin(), values.end());
}

void measure(const Graph& graph, const std::string& name, double make_ms, int runs,
             size_t lemon_max) {
  const bool with_lemon = graph.members().size() <= lemon_max;
  std::vector<double> network_ms, ours_ms, all_ms, lemon_ms;
  Bound bound;
  Rational lemon_rate = kUnlimited;
  for (int i = 0; i < runs; ++i) {
    std::optional<Bounds> bounds;
    network_ms.push_back(milliseconds([&] { bounds.emplace(graph); }));
    ours_ms.push_back(milliseconds([&] { bound = bounds->all_gather(); }));
    all_ms.push_back(milliseconds([&] {
      (void)bounds->all_reduce();
      (void)bounds->all_to_all();
    }));
    if (!with_lemon || i > 0) continue;
    const CutNetwork& network = bounds->network();
    Rational slowest;
    lemon_ms.push_back(milliseconds([&] { slowest = LemonNewton(network).slowest(); }));
    lemon_rate =
        ratio(slowest.denominator * network.member_count * network.unit, Wide{slowest.numerator});
  }
  fmt::print("{:<44} {:>6} {:>7} {:>8.2f} {:>8.2f} {:>8.2f} {:>9.2f} {:>11.1f}  {}, {}{}\n", name,
             graph.members().size(), graph.links().size(), make_ms, best(network_ms), best(ours_ms),
             best(all_ms), best(lemon_ms), rate_text(bound.algbw), bound.cut.words,
             with_lemon && lemon_rate != bound.algbw ? " (LEMON DIFFERS)" : "");
}

// The exact all-to-all, which takes a linear program.
void measure_flow(const Graph& graph, const std::string& name) {
  const Bounds bounds(graph);
  Result<AllToAllOptimum> optimum = AllToAllOptimum{};
  const double ms = milliseconds([&] { optimum = solve_all_to_all(bounds.network()); });
  if (!optimum) {
    fmt::print("{:<44} {}\n", name, optimum.error().detail);
    return;
  }
  fmt::print("{:<44} {:>6} {:>9} flows folded to {:>6} {:>9.1f} ms  {}, cuts and distances {}\n",
             name, graph.members().size(), optimum->column_count, optimum->folded_column_count, ms,
             rate_text(optimum->algbw), rate_text(bounds.all_to_all().algbw));
}

Result<Graph> fabric(const std::string& text) {
  const size_t end = std::min(text.find(';'), text.size());
  Result<Graph> graph = generate(text.substr(0, end));
  if (!graph || end == text.size()) return graph;
  return with_fault(*graph, text.substr(end + 1));
}

// The best time in which `make` makes a graph.
template <class Make>
Result<Graph> timed(Make&& make, int runs, double& ms) {
  std::vector<double> times;
  Result<Graph> graph = make();
  for (int i = 0; i < runs; ++i) times.push_back(milliseconds([&] { graph = make(); }));
  ms = best(times);
  return graph;
}

void print_discovery(int runs) {
  std::vector<double> times;
  size_t links = 0;
  for (int i = 0; i < runs; ++i) {
    times.push_back(milliseconds([&] {
      const auto found = discover({});
      if (found) links = found->graph.links().size();
    }));
  }
  fmt::print("{:<44} {:>6} {:>7} {:>8.2f}\n", "this machine, discovered", "", links, best(times));
}

int report(const Error& error) {
  fmt::print(stderr, "bound_bench: {}\n", error.detail);
  return 1;
}

int run(int argc, char** argv) {
  std::vector<std::string> files;
  std::vector<std::string> fabrics = {"nvl72:racks=16",
                                      "nvl72:racks=16;nic:100",
                                      "nvl72:racks=16;leaf:7",
                                      "leaf-spine:gpus=10000",
                                      "leaf-spine:gpus=10000;nic:5000",
                                      "leaf-spine:gpus=10000;leaf:100",
                                      "leaf-spine:gpus=10000,oversubscription=2",
                                      "leaf-spine:gpus=10000,box=1",
                                      "nvl72:racks=139"};
  int runs = 5;
  size_t lemon_max = 2000;
  CLI::App app(
      "Time to discover, read or generate a graph, of exact bounds, and of LEMON's "
      "maximum flow; milliseconds, best of the runs");
  app.add_option("files", files, "topology files to measure too");
  app.add_option("--fabric", fabrics, "what to generate, as SPEC or SPEC;FAULT");
  app.add_option("--runs", runs, "repetitions; LEMON runs once")->check(CLI::PositiveNumber);
  app.add_option("--lemon-max", lemon_max,
                 "GPUs above which LEMON is left out, as it takes minutes");
  bool flow = false;
  app.add_flag("--flow", flow, "solve the exact all-to-all instead");
  CLI11_PARSE(app, argc, argv);
  fmt::print("{:<44} {:>6} {:>7} {:>8} {:>8} {:>8} {:>9} {:>11}  {}\n", "fabric", "GPUs", "links",
             "make", "network", "gather", "all bounds", "LEMON", "all-gather");
  const auto measure_one = [&](const std::string& name, const auto& make) -> Status {
    double make_ms = 0;
    const Graph graph = UNIRACK_TRY(timed(make, flow ? 0 : runs, make_ms));
    if (flow) {
      measure_flow(graph, name);
    } else {
      measure(graph, name, make_ms, runs, lemon_max);
    }
    return ok_status();
  };
  if (!flow) print_discovery(runs);
  for (const std::string& file : files) {
    const auto status = measure_one(file.substr(file.rfind('/') + 1),
                                    [&] { return read_graph_file(file, "", {}); });
    if (!status) return report(status.error());
  }
  for (const std::string& spec : fabrics) {
    const auto status = measure_one(spec, [&] { return fabric(spec); });
    if (!status) return report(status.error());
  }
  return 0;
}

}  // namespace
}  // namespace unirack

int main(int argc, char** argv) { return unirack::run(argc, argv); }
