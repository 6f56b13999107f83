// unirack-topo plan: every candidate for a collective with its price, the one that runs, and why.
#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <utility>

#include "collectives/algorithms/algorithms.h"
#include "collectives/calibrate/costs_file.h"
#include "collectives/planner.h"
#include "perf/topo/call.h"
#include "perf/topo/command_line.h"
#include "perf/topo/commands.h"
#include "perf/topo/input.h"
#include "perf/topo/plan_pictures.h"
#include "perf/topo/plan_report.h"
#include "perf/topo/pool_graph.h"
#include "perf/topo/schedule_bound.h"
#include "perf/topo/schedule_input.h"
#include "perf/topo/star.h"

namespace unirack::topo {

namespace {

constexpr int kRanksByDefault = 8;

class Plan : public Command {
 public:
  Plan(CLI::App& app, const Console& console) : console_(console) {
    CommandLine command(app, "plan", "what a collective costs, which algorithm runs, and why");
    command.option("--collective", "NAME", collective_,
                   "all_reduce, all_gather, reduce_scatter, all_to_all, broadcast, reduce, ...; "
                   "default: all_reduce");
    command.option("--topology", "FILE", topology_.source,
                   "a file of a topology or a generator's specification; its GPUs are the ranks; "
                   "default: 8 ranks on one NVSwitch at 450 GB/s each");
    add_faults(command, topology_);
    add_call(command, call_);
    command.option("--sizes", "FROM-TO", sizes_,
                   "also what runs at what size, such as 1K-1G, with the break points");
    command.number("--root", root_, 0, 1 << 20,
                   "of broadcast, reduce, gather, scatter; default: 0");
    command.flag("--symmetric", symmetric_, "buffers are symmetric memory: peers may read them");
    command.flag("--in-place", in_place_, "input and output share memory");
    command.flag("--reassociate", reassociate_,
                 "also what sums floats in another order, as UNIRACK_REASSOCIATE=1");
    command.option("--algorithm", "NAME", algorithm_, "only this one, as UNIRACK_ALGORITHM");
    command.number("--lanes", lanes_, 1, kLanesMax, "at most so many; default: 1");
    command.bytes("--scratch", scratch_bytes_, 1, uint64_t{1} << 40,
                  "of one operation, and the largest tile; default: 64M on GPUs; else 2M, and "
                  "tiles of at most 4M");
    command.bytes("--tile", tile_bytes_, 1, uint64_t{1} << 40, "instead of the best");
    command.option("--costs", "PATH", costs_, "calibrated costs; default: published ones");
    command.option("-o,--output", "PATH", output_, "write the chosen schedule, for verify and all");
    command.flag("--json", json_, "the same as JSON");
    command.option("--html", "PATH", html_, "write a page: candidates, sizes, and both pictures");
    command.option("--svg", "PATH", svg_, "write the plan over time as a picture");
    command.option("--fabric-svg", "PATH", fabric_svg_, "write the fabric with its links' loads");
    command.footer(
        "Every algorithm that fits is simulated at this size, in several tiles, and the cheapest\n"
        "runs. ratio: the bound's time of the predicted one. limited by: what is busy longest, "
        "and\n"
        "for how much of the time. Over sizes, a plan keeps its place while it is hardly slower "
        "than\n"
        "the best, so that plans do not flip back and forth. docs/planning.md explains the "
        "model.\n\n"
        "EXIT STATUS\n  0 planned, 3 bad usage or input, or nothing fits\n\n"
        "EXAMPLES\n"
        "  unirack-topo plan --collective all_reduce --size 1M --topology dgx-h100\n"
        "  unirack-topo plan --topology nvl72:racks=2 --size 64M --html plan.html\n"
        "  unirack-topo plan --collective all_gather --sizes 1K-1G --topology fabric.json --json\n"
        "  unirack-topo plan --algorithm ring --reassociate --output ring.schedule\n"
        "  unirack-topo plan --topology dgx-h100 --kill nic:3 --size 16M");
  }

  int run() override {
    const Status status = plan();
    return status ? kExitOk : console_.fail(status.error());
  }

 private:
  Result<Request> request_for(int ranks) {
    Request request;
    std::string name = collective_;
    std::replace(name.begin(), name.end(), '-', '_');
    const auto known = collective_from_name(name);
    const bool is_plannable = known && *known != Collective::all_to_all_v &&
                              *known != Collective::send_recv && *known != Collective::barrier;
    if (!is_plannable) {
      return make_error(Code::invalid_argument,
                        fmt::format("'{}' is no collective: expected all_reduce, all_gather, "
                                    "reduce_scatter, all_to_all, broadcast, reduce, gather or "
                                    "scatter",
                                    collective_));
    }
    if (root_ >= static_cast<uint64_t>(ranks)) {
      return make_error(Code::invalid_argument,
                        fmt::format("--root {}: expected a rank below {}", root_, ranks));
    }
    request.collective = *known;
    request.root = static_cast<Rank>(root_);
    request.type = UNIRACK_TRY(data_type_of(call_));
    request.op = UNIRACK_TRY(reduce_op_of(call_));
    request.symmetric = symmetric_;
    request.in_place = in_place_;
    request.count = count_of(layout_of(request, ranks), ranks, call_.bytes, request.type);
    return request;
  }

  static Layout layout_of(const Request& request, int ranks) {
    return {request.collective, ranks, request.root};
  }

  Result<Graph> find_graph() {
    if (topology_.source.empty() && topology_.kills.empty()) return star_of(kRanksByDefault);
    return load(console_, topology_);
  }

  Policy policy_for(const Graph& graph, Collective collective) const {
    Policy policy = default_policy(graph);
    policy.reassociate = reassociate_;
    if (lanes_ > 0) policy.lanes = static_cast<int>(lanes_);
    if (scratch_bytes_ > 0) {
      policy.scratch_bytes = scratch_bytes_;
      policy.tile_bytes_max = std::max(Policy{}.tile_bytes_max, scratch_bytes_);
    }
    policy.tile_bytes = tile_bytes_;
    if (!algorithm_.empty()) {
      policy.forced = {{std::string(collective_name(collective)), algorithm_}};
    }
    return policy;
  }

  Status plan() {
    const Graph graph = UNIRACK_TRY(find_graph());
    const Topology pool = UNIRACK_TRY(pool_of_graph(graph));
    const Request request = UNIRACK_TRY(request_for(pool.rank_count()));
    Costs costs = assumed_costs();
    if (!costs_.empty()) costs = UNIRACK_TRY(read_costs_file(costs_));
    const Policy policy = policy_for(graph, request.collective);
    Network network = UNIRACK_TRY(Network::of_graph(graph, costs));
    Planner planner = UNIRACK_TRY(Planner::make(pool, std::move(network), policy));
    std::optional<Result<Choice>> choice;
    {
      const Progress progress(console_, "planning");
      choice = planner.choose(request);
    }
    if (!*choice) return choice->error();
    PlanReport report{.title = "", .graph = graph, .request = request, .choice = **choice};
    report.blocks = blocks_of(layout_of(request, pool.rank_count()), pool.rank_count());
    report.bytes = request.count * size_of(request.type) * report.blocks;
    report.title = fmt::format("{} of {} of {} on {}", collective_name(request.collective),
                               size_text(report.bytes), type_name(request.type), graph.origin());
    report.bound = schedule_bound(Bounds(graph), request.collective, request.root);
    if (!sizes_.empty()) report.ranges = UNIRACK_TRY(find_ranges(planner, report));
    UNIRACK_TRY(write_files(report, planner.network()));
    if (output_ != "-") console_.print(json_ ? report_json(report) : report_text(console_, report));
    return ok_status();
  }

  Result<std::vector<PlanRange>> find_ranges(Planner& planner, const PlanReport& report) {
    const size_t dash = sizes_.find('-');
    const auto from = dash == std::string::npos ? std::nullopt : bytes_in(sizes_.substr(0, dash));
    const auto to = dash == std::string::npos ? std::nullopt : bytes_in(sizes_.substr(dash + 1));
    if (!from || !to || *from == 0 || *from >= *to) {
      return make_error(Code::invalid_argument,
                        fmt::format("--sizes '{}': expected FROM-TO, such as 1K-1G", sizes_));
    }
    const Progress progress(console_, "planning all sizes");
    const uint64_t element = size_of(report.request.type);
    return planner.envelope(report.request, std::max(element, *from / report.blocks),
                            std::max(element, *to / report.blocks));
  }

  Status write_files(const PlanReport& report, const Network& network) {
    const Schedule& schedule = *report.choice.schedule;
    if (!output_.empty()) UNIRACK_TRY(write_text(console_, output_, to_text(schedule)));
    if (html_.empty() && svg_.empty() && fabric_svg_.empty()) return ok_status();
    const Progress progress(console_, "drawing");
    const SimulatedCall call{report.request.count, report.request.type, report.request.op, 0};
    const PlanPictures pictures = UNIRACK_TRY(draw_plan(schedule, report.graph, network, call, {}));
    if (!svg_.empty()) UNIRACK_TRY(write_text(console_, svg_, pictures.timeline));
    if (!fabric_svg_.empty()) UNIRACK_TRY(write_text(console_, fabric_svg_, pictures.fabric));
    if (html_.empty()) return ok_status();
    return write_text(console_, html_, report_html(report, pictures));
  }

  const Console& console_;
  Input topology_;
  CallOptions call_;
  bool reassociate_ = false;
  uint64_t scratch_bytes_ = 0;
  uint64_t tile_bytes_ = 0;
  std::string collective_ = "all_reduce";
  std::string sizes_;
  uint64_t root_ = 0;
  bool symmetric_ = false;
  bool in_place_ = false;
  std::string algorithm_;
  uint64_t lanes_ = 0;
  std::string costs_;
  std::string output_;
  bool json_ = false;
  std::string html_;
  std::string svg_;
  std::string fabric_svg_;
};

}  // namespace

CommandPointer make_plan(CLI::App& app, const Console& console) {
  return std::make_unique<Plan>(app, console);
}

}  // namespace unirack::topo
