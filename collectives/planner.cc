#include "collectives/planner.h"

#include <algorithm>
#include <cstdio>
#include <string_view>

#include "collectives/plan/plan_family.h"
#include "lib/base/hash.h"

namespace unirack {

namespace {

// Changes whenever equal inputs may give other plans than before.
constexpr uint64_t kPlannerVersion = 4;

constexpr uint64_t kDeviceScratchBytes = uint64_t{64} << 20;

bool has_ranks(const Graph& graph) {
  return std::any_of(graph.nodes().begin(), graph.nodes().end(),
                     [](const Node& node) { return node.kind == NodeKind::rank; });
}

uint64_t hash_of(const Topology& topology, const Network& network, const Policy& policy) {
  Hash64 hash;
  hash.add(kPlannerVersion).add(topology.hash()).add(topology.graph().hash());
  hash.add(network.costs().hash()).add(policy.hash());
  for (const Resource& resource : network.resources()) {
    hash.add(std::string_view(resource.name)).add(resource.bandwidth);
  }
  return hash.value();
}

std::string headline(const Schedule& schedule, const Request& request) {
  const Program& program = schedule.program_view(0);
  return "algorithm=" + schedule.header().algorithm +
         " tiles=" + std::to_string(schedule.tile_count(request.count * size_of(request.type))) +
         " chunks=" + std::to_string(schedule.header().chunks) +
         " lanes=" + std::to_string(program.lanes.size()) +
         " steps=" + std::to_string(schedule.step_count()) + "\n";
}

std::string microseconds(uint64_t ps) {
  char text[40];
  std::snprintf(text, sizeof(text), "%llu.%03llu us",
                static_cast<unsigned long long>(ps / 1'000'000),
                static_cast<unsigned long long>(ps / 1'000 % 1'000));
  return text;
}

std::string line_of(const PricedPlan& plan) {
  std::string line = "  " + plan.algorithm + " (" + plan.cost + ")";
  if (plan.lanes > 1) line += " lanes=" + std::to_string(plan.lanes);
  if (plan.is_priced) {
    if (plan.tile_bytes > 0) line += " tile=" + std::to_string(plan.tile_bytes);
    line += " " + microseconds(plan.time_ps);
    if (!plan.limit.empty()) {
      line += ", " + plan.limit + " busy " + std::to_string(plan.limit_percent) + "%";
    }
  } else if (plan.at_least_ps > 0) {
    line += " at least " + microseconds(plan.at_least_ps);
  }
  return line + ": " + plan.reason + "\n";
}

// By what their ranks may want to read first.
bool stands_before(const PricedPlan& a, const PricedPlan& b) {
  if (a.is_priced != b.is_priced) return a.is_priced;
  if (a.is_chosen != b.is_chosen) return a.is_chosen;
  return a.time_ps < b.time_ps;
}

// Says of those who were priced and lost by how much.
void give_reasons(std::vector<PricedPlan>& plans) {
  std::stable_sort(plans.begin(), plans.end(), stands_before);
  if (plans.empty() || !plans.front().is_chosen) return;
  const uint64_t chosen_ps = plans.front().time_ps;
  for (PricedPlan& plan : plans) {
    if (!plan.is_priced || !plan.reason.empty() || chosen_ps == 0) continue;
    const bool is_slower = plan.time_ps >= chosen_ps;
    const uint64_t by = is_slower ? plan.time_ps - chosen_ps : chosen_ps - plan.time_ps;
    const auto tenths =
        static_cast<uint64_t>(static_cast<unsigned __int128>(by) * 1000 / chosen_ps);
    plan.reason = std::to_string(tenths / 10) + "." + std::to_string(tenths % 10) + "% " +
                  (is_slower ? "slower" : "faster: too little to change the plan");
  }
}

}  // namespace

uint64_t Policy::hash() const {
  Hash64 hash;
  hash.add(uint64_t{reassociate}).add(forced.size());
  for (const auto& [collective, algorithm] : forced) {
    hash.add(std::string_view(collective)).add(std::string_view(algorithm));
  }
  hash.add(scratch_bytes).add(tile_bytes).add(tile_bytes_max).add(static_cast<uint64_t>(lanes));
  hash.add(uint64_t{keep_percent}).add(steps_max).add(work_max).add(rail_piece_bytes);
  return hash.value();
}

Policy default_policy(const Graph& graph) {
  Policy policy;
  const bool are_gpus =
      !graph.members().empty() &&
      std::all_of(graph.members().begin(), graph.members().end(),
                  [&](NodeIndex member) { return graph.node(member).kind == NodeKind::gpu; });
  if (!are_gpus) return policy;
  policy.scratch_bytes = kDeviceScratchBytes;
  policy.tile_bytes_max = kDeviceScratchBytes;
  return policy;
}

Result<Network> network_of(const Topology& topology, const Costs& costs) {
  const Graph& graph = topology.graph();
  const bool is_of_ranks = static_cast<int>(graph.members().size()) == topology.rank_count();
  if (is_of_ranks && !has_ranks(graph)) return Network::of_graph(graph, costs);
  return Network::of_topology(topology, costs);
}

// What families refer to; its place in memory does not change.
struct PlannerState {
  PlannerState(const Topology& its_topology, Network its_network, Policy its_policy)
      : topology(its_topology),
        network(std::move(its_network)),
        policy(std::move(its_policy)),
        least(LeastCost::of(topology, network, policy.lanes)),
        hash(hash_of(topology, network, policy)) {}

  Result<PlanFamily*> find_family(const Request& request) {
    for (const auto& family : families) {
      if (family->serves(request)) return family.get();
    }
    families.push_back(UNIRACK_TRY(PlanFamily::make(topology, network, policy, least, request)));
    return families.back().get();
  }

  const Topology& topology;
  const Network network;
  const Policy policy;
  const LeastCost least;
  const uint64_t hash;
  std::vector<std::unique_ptr<PlanFamily>> families;
};

Planner::Planner(std::unique_ptr<PlannerState> state) : state_(std::move(state)) {}
Planner::Planner(Planner&&) noexcept = default;
Planner& Planner::operator=(Planner&&) noexcept = default;
Planner::~Planner() = default;

Result<Planner> Planner::make(const Topology& topology, const Costs& costs, const Policy& policy) {
  return make(topology, UNIRACK_TRY(network_of(topology, costs)), policy);
}

Result<Planner> Planner::make(const Topology& topology, Network network, const Policy& policy) {
  if (network.rank_count() != topology.rank_count()) {
    return make_error(Code::invalid_argument,
                      "the topology has " + std::to_string(topology.rank_count()) +
                          " ranks, its network " + std::to_string(network.rank_count()));
  }
  return Planner(std::make_unique<PlannerState>(topology, std::move(network), policy));
}

uint64_t Planner::hash() const { return state_->hash; }
const Network& Planner::network() const { return state_->network; }

Result<std::shared_ptr<const Schedule>> Planner::plan(const Request& request) {
  PlanFamily* const family = UNIRACK_TRY(state_->find_family(request));
  const PlanId id = UNIRACK_TRY(family->find(request.count));
  auto schedule = UNIRACK_TRY(family->schedule(id));
  family->trim();
  return schedule;
}

Result<Choice> Planner::choose(const Request& request) {
  PlanFamily* const family = UNIRACK_TRY(state_->find_family(request));
  const PlanId id = UNIRACK_TRY(family->find(request.count));
  Choice choice;
  choice.schedule = UNIRACK_TRY(family->schedule(id));
  choice.candidates = UNIRACK_TRY(family->price_all(request.count));
  family->trim();
  give_reasons(choice.candidates);
  choice.explain = headline(*choice.schedule, request);
  for (const PricedPlan& plan : choice.candidates) choice.explain += line_of(plan);
  return choice;
}

Result<std::vector<PlanRange>> Planner::envelope(const Request& request, uint64_t bytes_min,
                                                 uint64_t bytes_max) {
  PlanFamily* const family = UNIRACK_TRY(state_->find_family(request));
  const uint64_t element = size_of(request.type);
  auto ranges = UNIRACK_TRY(family->ranges(bytes_min / element, bytes_max / element));
  family->trim();
  return ranges;
}

Result<Choice> choose(const Topology& topology, const Request& request, const Policy& policy,
                      const Costs& costs) {
  Planner planner = UNIRACK_TRY(Planner::make(topology, costs, policy));
  return planner.choose(request);
}

}  // namespace unirack
