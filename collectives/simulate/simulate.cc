#include "collectives/simulate/simulate.h"

#include <algorithm>
#include <utility>

#include "collectives/simulate/simulation_run.h"

namespace unirack {

namespace {

// From what ended last back to what nothing had to wait for.
std::vector<uint32_t> trace_back(const std::vector<SimulatedActivity>& activities, uint32_t last) {
  std::vector<uint32_t> path;
  for (uint32_t at = last; at != kNoIndex; at = activities[at].cause) path.push_back(at);
  std::reverse(path.begin(), path.end());
  return path;
}

Simulation unfold(const PlanFacts& facts, const RankClasses& classes, const Model& model,
                  RunOutcome outcome) {
  Simulation simulation;
  simulation.time_ps = outcome.time_ps;
  simulation.is_stopped = outcome.is_stopped;
  simulation.event_count = outcome.event_count;
  simulation.work = outcome.work;
  simulation.tiles_skipped = outcome.tiles_skipped;
  simulation.period_tiles = outcome.period_tiles;
  simulation.period_ps = outcome.period_ps;
  simulation.class_count = static_cast<uint32_t>(classes.lowest.size());
  for (const uint32_t index : classes.class_of) {
    simulation.represents.push_back(static_cast<uint32_t>(classes.lowest[index]));
  }
  for (size_t i = 0; i < facts.bandwidths().size(); ++i) {
    const uint32_t index = classes.resource_class_of[i];
    simulation.loads.push_back({model.bytes[index], outcome.busy_ps[index]});
  }
  simulation.activities = std::move(outcome.activities);
  for (SimulatedActivity& activity : simulation.activities) {
    if (activity.resource != kNoIndex) activity.resource = model.resource_of[activity.resource];
  }
  simulation.critical_path = trace_back(simulation.activities, outcome.last_activity);
  return simulation;
}

}  // namespace

Simulator::Simulator(SimulateOptions options, PlanFacts facts, RankClasses classes)
    : options_(std::move(options)),
      facts_(std::make_unique<PlanFacts>(std::move(facts))),
      classes_(std::make_unique<RankClasses>(std::move(classes))) {}

Simulator::Simulator(Simulator&&) noexcept = default;
Simulator& Simulator::operator=(Simulator&&) noexcept = default;
Simulator::~Simulator() = default;

Result<Simulator> Simulator::make(const Schedule& schedule, const Network& network,
                                  const SimulateOptions& options) {
  PlanFacts facts = UNIRACK_TRY(PlanFacts::collect(schedule, network, options));
  RankClasses classes = options.fold ? UNIRACK_TRY(find_rank_classes(facts, options.classes_max))
                                     : separate_classes(facts);
  return Simulator(options, std::move(facts), std::move(classes));
}

Result<Simulation> Simulator::run(const SimulatedCall& call) {
  facts_->set_call(call);
  const Model model = UNIRACK_TRY(make_model(*facts_, *classes_));
  RunOutcome outcome = UNIRACK_TRY(SimulationRun(model, options_, call).run());
  return unfold(*facts_, *classes_, model, std::move(outcome));
}

uint32_t Simulator::class_count() const { return static_cast<uint32_t>(classes_->lowest.size()); }

bool Simulator::is_rough() const { return classes_->is_rough; }

Result<Simulation> simulate(const Schedule& schedule, const Network& network,
                            const SimulatedCall& call, const SimulateOptions& options) {
  Simulator simulator = UNIRACK_TRY(Simulator::make(schedule, network, options));
  return simulator.run(call);
}

double algorithm_bandwidth(const Schedule& schedule, const SimulatedCall& call, uint64_t time_ps) {
  const Layout layout = schedule.layout();
  uint64_t blocks = 0;
  for (Rank rank = 0; rank < schedule.header().rank_count; ++rank) {
    blocks = std::max<uint64_t>(blocks, layout.blocks(rank, BufferId::input));
    blocks = std::max<uint64_t>(blocks, layout.blocks(rank, BufferId::output));
  }
  if (time_ps == 0) return 0;
  const auto bytes = static_cast<double>(blocks * call.count * size_of(call.type));
  return bytes * 1e12 / static_cast<double>(time_ps);
}

}  // namespace unirack
