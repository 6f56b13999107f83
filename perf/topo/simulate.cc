// unirack-topo simulate: how long a schedule takes on a fabric, what its links carry, and why it
// does not take less.
#include "collectives/simulate/simulate.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <nlohmann/json.hpp>
#include <numeric>
#include <optional>
#include <utility>

#include "collectives/calibrate/costs_file.h"
#include "collectives/simulate/trace.h"
#include "lib/topology/render/text.h"
#include "perf/topo/call.h"
#include "perf/topo/command_line.h"
#include "perf/topo/commands.h"
#include "perf/topo/input.h"
#include "perf/topo/plan_pictures.h"
#include "perf/topo/schedule_bound.h"
#include "perf/topo/schedule_input.h"
#include "perf/topo/star.h"
#include "perf/topo/what_if.h"

namespace unirack::topo {

namespace {

constexpr size_t kLinksShown = 10;

// All that is said about one simulation.
struct Told {
  const Schedule& schedule;
  const Graph& graph;
  const Network& network;
  const SimulatedCall& call;
  const Simulation& simulation;
  const std::optional<ScheduleBound>& bound;

  uint64_t bytes() const { return bytes_of(schedule, call); }
  double algbw() const { return algorithm_bandwidth(schedule, call, simulation.time_ps); }
  double busbw() const {
    return algbw() * bus_factor(schedule.header().collective, schedule.header().rank_count);
  }
  // Of the bound that is reached; 0: there is none.
  double ratio() const {
    if (!bound || bound->algbw.is_unlimited() || bound->algbw.numerator == 0) return 0;
    return algbw() / bound->algbw.value();
  }
  // Resources that carry anything, the busiest first.
  std::vector<size_t> busiest() const {
    std::vector<size_t> order(network.resources().size());
    std::iota(order.begin(), order.end(), size_t{0});
    std::erase_if(order, [&](size_t i) { return simulation.loads[i].bytes == 0; });
    std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) {
      return simulation.loads[a].busy_ps > simulation.loads[b].busy_ps;
    });
    return order;
  }
};

std::string link_line(const Told& told, size_t index) {
  const ResourceLoad& load = told.simulation.loads[index];
  const Resource& resource = told.network.resources()[index];
  const double busy = 100.0 * static_cast<double>(load.busy_ps) /
                      static_cast<double>(std::max<uint64_t>(1, told.simulation.time_ps));
  const double full = 100.0 * static_cast<double>(transfer_ps(load.bytes, resource.bandwidth)) /
                      static_cast<double>(std::max<uint64_t>(1, told.simulation.time_ps));
  return fmt::format("  {:>12}  {:>14}  {:>5.1f}%  {:>5.1f}%  {:>9}  {}\n", size_text(load.bytes),
                     duration_text(load.busy_ps), busy, full, speed_text(resource.bandwidth),
                     resource.name);
}

std::string links_text(const Console& console, const Told& told, bool all) {
  const auto order = told.busiest();
  std::string text =
      painted(console, "LINKS", "1") +
      fmt::format("{:>9}  {:>14}  {:>6}  {:>6}  {:>9}\n", "bytes", "busy", "busy", "load", "rate");
  // What is alike in all columns is one line.
  std::string line;
  size_t alike = 0;
  size_t lines = 0;
  const auto flush = [&] {
    if (line.empty()) return;
    if (alike > 1) line.insert(line.size() - 1, fmt::format(" (one of {} alike)", alike));
    text += line;
    ++lines;
  };
  const auto key = [&](size_t i) {
    const ResourceLoad& load = told.simulation.loads[i];
    return std::tuple(load.bytes, load.busy_ps, told.network.resources()[i].bandwidth);
  };
  for (size_t at = 0; at < order.size(); ++at) {
    if (!all && at > 0 && key(order[at]) == key(order[at - 1])) {
      ++alike;
      continue;
    }
    flush();
    line.clear();
    if (!all && lines == kLinksShown) break;
    line = link_line(told, order[at]);
    alike = 1;
  }
  flush();
  return text;
}

std::string text_of(const Console& console, const Told& told, bool all_links, bool path) {
  const uint64_t tiles = told.schedule.tile_count(told.call.count * size_of(told.call.type));
  std::string text = fmt::format("{}, {} of {}, {}, on {}\n", schedule_title(told.schedule),
                                 size_text(told.bytes()), type_name(told.call.type),
                                 count_text(tiles, "tile", "tiles"), told.graph.origin());
  text += fmt::format("time   {}   algbw {:.3f} GB/s   busbw {:.3f} GB/s\n",
                      painted(console, duration_text(told.simulation.time_ps), "1"),
                      told.algbw() / 1e9, told.busbw() / 1e9);
  if (told.bound) {
    text += fmt::format("bound  {}   {}\n", duration_text(told.bound->time_ps(told.bytes())),
                        bound_text(*told.bound));
  } else {
    text += "bound  none is known for this collective\n";
  }
  if (told.ratio() > 0) text += fmt::format("ratio  {:.1f}% of the bound\n", 100 * told.ratio());
  text += fmt::format(
      "{} of {} ranks simulated, {} events{}\n\n", grouped(told.simulation.class_count),
      grouped(static_cast<uint64_t>(told.network.rank_count())),
      grouped(told.simulation.event_count),
      told.simulation.tiles_skipped > 0
          ? fmt::format(", {} tiles skipped that repeat", grouped(told.simulation.tiles_skipped))
          : "");
  text += links_text(console, told, all_links);
  if (path) {
    text += "\n" + painted(console, "CRITICAL PATH", "1") + "\n" +
            critical_path_text(told.simulation, told.schedule, told.network);
  }
  return text;
}

std::string json_of(const Told& told) {
  const ScheduleHeader& header = told.schedule.header();
  nlohmann::ordered_json json{{"collective", collective_name(header.collective)},
                              {"algorithm", header.algorithm},
                              {"ranks", header.rank_count},
                              {"topology", told.graph.origin()},
                              {"bytes", told.bytes()},
                              {"type", type_name(told.call.type)},
                              {"time_ps", told.simulation.time_ps},
                              {"algbw_gb_per_s", told.algbw() / 1e9},
                              {"busbw_gb_per_s", told.busbw() / 1e9}};
  if (told.bound && !told.bound->algbw.is_unlimited()) {
    json["bound"] = {{"time_ps", told.bound->time_ps(told.bytes())},
                     {"algbw_gb_per_s", told.bound->algbw.value() / 1e9},
                     {"sentence", bound_text(*told.bound)}};
    json["ratio"] = told.ratio();
  }
  json["ranks_simulated"] = told.simulation.class_count;
  json["events"] = told.simulation.event_count;
  auto& links = json["links"] = nlohmann::ordered_json::array();
  for (const size_t i : told.busiest()) {
    links.push_back({{"name", told.network.resources()[i].name},
                     {"bytes_per_s", told.network.resources()[i].bandwidth},
                     {"bytes", told.simulation.loads[i].bytes},
                     {"busy_ps", told.simulation.loads[i].busy_ps}});
  }
  return json.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
}

class SimulateCommand : public Command {
 public:
  SimulateCommand(CLI::App& app, const Console& console) : console_(console) {
    CommandLine command(app, "simulate", "how long a schedule takes on a fabric, and why");
    add_schedule_input(command, input_);
    command.option("--topology", "FILE", topology_.source,
                   "a file of a topology or a generator's specification; its GPUs are the ranks; "
                   "default: all ranks on one NVSwitch at 450 GB/s each");
    add_call(command, call_);
    command.bytes("--tile", tile_bytes_, 1, uint64_t{1} << 40, "instead of the schedule's own");
    add_what_if(command, what_if_);
    command.flag("--links", all_links_, "all links that carry anything, not only the busiest");
    command.flag("--critical-path", path_, "what it could not do earlier, step by step");
    command.option("--trace", "PATH", trace_, "write a trace for Perfetto or chrome://tracing");
    command.option("--costs", "PATH", costs_, "calibrated costs; default: published ones");
    command.flag("--json", json_, "exact, with every link");
    command.option("--svg", "PATH", svg_, "write a picture over time");
    command.option("--fabric-svg", "PATH", fabric_svg_, "write the fabric with its links' loads");
    command.footer(
        "Bytes flow over the links of their route and share them max-min fairly; a message takes\n"
        "the latency and the gap of its farthest link, a reduction the speed of its rank. busy: "
        "while\n"
        "anything flows; load: the time that the bytes take at the link's full rate, of the "
        "whole.\n"
        "Nothing beats the bound. docs/planning.md explains the model.\n\n"
        "EXIT STATUS\n"
        "  0 simulated, 2 it does not come to an end: a rank or link that it needs is dead,\n"
        "  3 bad usage or input\n\n"
        "EXAMPLES\n"
        "  unirack-topo simulate ring.schedule --topology dgx-h100 --size 64M\n"
        "  unirack-topo simulate allreduce.xml --size 1M --critical-path\n"
        "  unirack-topo simulate two_level.schedule --topology nvl72:racks=2 --slow 'leaf0 >=50%'\n"
        "  unirack-topo simulate ring.schedule --late-rank 3=20us --trace trace.json");
  }

  int run() override {
    const auto schedule = load_schedule(console_, input_);
    if (!schedule) return console_.fail(schedule.error());
    const auto graph = find_graph(*schedule);
    if (!graph) return console_.fail(graph.error());
    const auto code = simulate_on(*schedule, *graph);
    return code ? *code : console_.fail(code.error());
  }

 private:
  Result<Graph> find_graph(const Schedule& schedule) {
    const auto ranks = static_cast<size_t>(schedule.header().rank_count);
    if (topology_.source.empty()) {
      return star_of(schedule.header().rank_count);
    }
    Graph graph = UNIRACK_TRY(load(console_, topology_));
    if (graph.members().size() == ranks) return graph;
    return make_error(Code::invalid_argument,
                      fmt::format("{} has {} GPUs or ranks, the schedule is for {}",
                                  title_of(topology_), graph.members().size(), ranks));
  }

  Result<int> simulate_on(const Schedule& schedule, const Graph& graph) {
    SimulatedCall call = UNIRACK_TRY(call_of(schedule, call_));
    call.tile_bytes = tile_bytes_;
    Costs costs = assumed_costs();
    if (!costs_.empty()) costs = UNIRACK_TRY(read_costs_file(costs_));
    const Network network = UNIRACK_TRY(Network::of_graph(graph, costs));
    SimulateOptions options;
    options.record = path_ || !trace_.empty();
    UNIRACK_TRY(apply(what_if_, network, options));
    std::optional<Result<Simulation>> simulation;
    {
      const Progress progress(console_, "simulating " + schedule_title(schedule));
      simulation = simulate(schedule, network, call, options);
    }
    if (!*simulation) {
      (void)console_.fail(simulation->error());
      return kExitErrors;
    }
    const auto bound =
        schedule_bound(Bounds(graph), schedule.header().collective, schedule.header().root);
    const Schedule tiled = tile_bytes_ > 0 ? schedule.with_tiles(tile_bytes_) : schedule;
    const Told told{tiled, graph, network, call, **simulation, bound};
    if (!trace_.empty()) {
      UNIRACK_TRY(write_text(console_, trace_, trace_json(**simulation, schedule, network)));
    }
    if (!svg_.empty() || !fabric_svg_.empty()) {
      const PlanPictures pictures = UNIRACK_TRY(draw_plan(schedule, graph, network, call, options));
      if (!svg_.empty()) UNIRACK_TRY(write_text(console_, svg_, pictures.timeline));
      if (!fabric_svg_.empty()) UNIRACK_TRY(write_text(console_, fabric_svg_, pictures.fabric));
    }
    console_.print(json_ ? json_of(told) : text_of(console_, told, all_links_, path_));
    return kExitOk;
  }

  const Console& console_;
  ScheduleInput input_;
  Input topology_;
  CallOptions call_;
  WhatIf what_if_;
  uint64_t tile_bytes_ = 0;
  std::string trace_;
  std::string costs_;
  std::string svg_;
  std::string fabric_svg_;
  bool all_links_ = false;
  bool path_ = false;
  bool json_ = false;
};

}  // namespace

CommandPointer make_simulate(CLI::App& app, const Console& console) {
  return std::make_unique<SimulateCommand>(app, console);
}

}  // namespace unirack::topo
