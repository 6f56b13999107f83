#include "collectives/planner.h"

#include <algorithm>
#include <span>
#include <string_view>

#include "collectives/algorithms/algorithms.h"

namespace unirack {

namespace {

constexpr uint64_t kKiB = 1024;
// Large enough to amortise a signal, small enough that two tiles overlap in a shared cache.
constexpr uint64_t kTileBytes = 512 * kKiB;
constexpr uint64_t kTileBytesMin = kKiB;
// Below this, more lanes only add signals.
constexpr uint64_t kStripeBytes = 256 * kKiB;
// With more ranks than this, messages to everyone cost more than extra rounds.
constexpr int kDirectRanksMax = 16;

// How the pool hangs together, as far as choices depend on it.
enum class Shape { one_domain, racks, flat };  // flat: no two ranks share memory

Shape shape_of(const Topology& topology) {
  const auto& domains = topology.domains();
  if (domains.size() == 1) return Shape::one_domain;
  const bool flat = static_cast<int>(domains.size()) == topology.rank_count();
  return flat ? Shape::flat : Shape::racks;
}

using Names = std::vector<std::string_view>;

Names prefer_all_reduce(Shape shape, int ranks, uint64_t bytes) {
  if (bytes <= 4 * kKiB) {
    return ranks <= kDirectRanksMax ? Names{"one_shot", "recursive_doubling"}
                                    : Names{"recursive_doubling", "one_shot"};
  }
  if (shape == Shape::one_domain) return {"two_shot_pull", "two_shot"};
  if (shape == Shape::racks) return {"two_level", "two_shot"};
  if (bytes <= 16 * kKiB) return {"recursive_doubling", "two_shot"};
  return {"two_shot", "halving_doubling"};
}

Names prefer_broadcast(Shape shape, int ranks, uint64_t bytes) {
  if (shape == Shape::racks) return {"two_level", "binomial"};
  if (bytes <= 16 * kKiB) return ranks <= 4 ? Names{"direct"} : Names{"binomial"};
  return {"scatter_all_gather"};
}

// Best first; whatever fits stands behind them.
Names prefer(const Request& request, Shape shape, int ranks) {
  const uint64_t bytes = request.count * size_of(request.type);
  const bool racks = shape == Shape::racks && bytes > 4 * kKiB;
  const bool many_small = ranks > kDirectRanksMax && bytes <= 4 * kKiB;
  switch (request.collective) {
    case Collective::all_reduce:
      return prefer_all_reduce(shape, ranks, bytes);
    case Collective::reduce:
      if (racks) return {"two_level", "direct"};
      return bytes <= 64 * kKiB ? Names{"direct_pull", "direct"} : Names{"direct_pull", "two_shot"};
    case Collective::reduce_scatter:
      if (racks) return {"two_level", "direct"};
      return many_small ? Names{"halving"} : Names{"direct_pull", "direct"};
    case Collective::all_gather:
      if (racks) return {"two_level", "direct"};
      return many_small ? Names{"bruck"} : Names{"direct"};
    case Collective::broadcast:
      return prefer_broadcast(shape, ranks, bytes);
    case Collective::all_to_all:
      if (many_small) return {"bruck", "pairwise"};
      return {"pairwise", "pairwise_staged"};
    default:
      return many_small ? Names{"binomial"} : Names{};
  }
}

std::vector<const Algorithm*> candidates(const Request& request, const Names& preferred) {
  std::vector<const Algorithm*> ordered;
  for (const std::string_view name : preferred) {
    if (const Algorithm* found = find_algorithm(request.collective, name)) ordered.push_back(found);
  }
  for (const Algorithm& each : algorithms()) {
    const bool is_listed = std::find(ordered.begin(), ordered.end(), &each) != ordered.end();
    if (each.collective == request.collective && !is_listed) ordered.push_back(&each);
  }
  return ordered;
}

// Cuts the schedule into tiles whose scratch fits; the reason if none do.
std::string cut(Schedule& schedule, const Request& request, const Policy& policy) {
  // Counts of an all_to_all_v are known only at run time: one tile, no scratch.
  if (request.collective == Collective::all_to_all_v) return "";
  const uint64_t block_bytes = request.count * size_of(request.type);
  uint64_t tile_bytes = policy.tile_bytes > 0 ? policy.tile_bytes : kTileBytes;
  const uint32_t values = schedule.program_view(0).values_per_tile;
  const uint64_t tiles_max = ((uint64_t{1} << kCounterBits) - 1) / values;
  tile_bytes = std::max(tile_bytes, block_bytes / tiles_max + 1);
  while (true) {
    schedule = schedule.with_tiles(tile_bytes);
    if (schedule.scratch_bytes(request.count, request.type) <= policy.scratch_bytes) return "";
    if (tile_bytes / 2 < kTileBytesMin || block_bytes / (tile_bytes / 2) + 1 > tiles_max) {
      return "needs " + std::to_string(schedule.scratch_bytes(request.count, request.type)) +
             " bytes of scratch, " + std::to_string(policy.scratch_bytes) + " are there";
    }
    tile_bytes /= 2;
  }
}

std::string headline(const Schedule& schedule, const Request& request) {
  const Program& program = schedule.program_view(0);
  return "algorithm=" + schedule.header().algorithm +
         " tiles=" + std::to_string(schedule.tile_count(request.count * size_of(request.type))) +
         " chunks=" + std::to_string(schedule.header().chunks) +
         " lanes=" + std::to_string(program.lanes.size()) +
         " steps=" + std::to_string(schedule.step_count()) + "\n";
}

// Why the candidate cannot or must not serve; empty: it may.
std::string objection(const Algorithm& algorithm, const Topology& topology, const Request& request,
                      const Policy& policy, bool is_forced) {
  std::string unfit = algorithm.unfit(topology, request);
  if (!unfit.empty()) return unfit;
  const bool shows = algorithm.reassociates && topology.rank_count() > 2 &&
                     is_order_visible(request.type, request.op);
  if (shows && !policy.reassociate) {
    return is_forced ? "it changes the bits of float sums: allow that with UNIRACK_REASSOCIATE=1"
                     : "changes the bits of float sums";
  }
  return "";
}

const std::string* forced_name(const Request& request, const Policy& policy) {
  for (const auto& [collective, algorithm] : policy.forced) {
    if (collective == collective_name(request.collective)) return &algorithm;
  }
  return nullptr;
}

}  // namespace

Result<Choice> choose(const Topology& topology, const Request& request, const Policy& policy) {
  const uint64_t bytes = request.count * size_of(request.type);
  const Shape shape = shape_of(topology);
  const int lanes = shape != Shape::one_domain && bytes >= kStripeBytes ? policy.lanes : 1;
  auto ordered = candidates(request, prefer(request, shape, topology.rank_count()));
  const std::string* forced = forced_name(request, policy);
  if (forced != nullptr) {
    const Algorithm* found = find_algorithm(request.collective, *forced);
    if (found == nullptr) {
      return make_error(Code::invalid_argument,
                        "UNIRACK_ALGORITHM: no algorithm \"" + *forced + "\" for " +
                            std::string(collective_name(request.collective)));
    }
    ordered = {found};
  }
  Choice choice;
  std::string lines;
  for (const Algorithm* algorithm : ordered) {
    std::string reason = objection(*algorithm, topology, request, policy, forced != nullptr);
    if (reason.empty() && choice.schedule != nullptr) reason = "stands behind it at this size";
    if (reason.empty()) {
      Result<Schedule> schedule = algorithm->generate(topology, request, lanes);
      reason = schedule ? cut(*schedule, request, policy) : schedule.error().detail;
      if (reason.empty()) {
        choice.schedule = std::make_shared<const Schedule>(std::move(schedule).value());
        reason = forced != nullptr ? "chosen: forced" : "chosen";
      }
    }
    lines += "  " + std::string(algorithm->name) + " (" + std::string(algorithm->cost) +
             "): " + reason + "\n";
  }
  if (choice.schedule == nullptr) {
    return make_error(
        forced != nullptr ? Code::invalid_argument : Code::resource_exhausted,
        "no plan for " + std::string(collective_name(request.collective)) + ":\n" + lines);
  }
  choice.explain = headline(*choice.schedule, request) + lines;
  return choice;
}

}  // namespace unirack
