// The candidates for requests that differ in size alone, written out and simulated as sizes are
// asked for, and which of them runs at what size.
//
// The chosen plan of a power of two is the best there, or the one of the power before, while that
// is hardly slower; every fourth power begins anew, so that a size is planned without those below
// it. Between two powers with different plans the change is found by bisection. Nothing depends on
// what was asked for before. Owned by a Planner; borrows its topology, network and policy.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include "collectives/algorithms/algorithms.h"
#include "collectives/plan/least_cost.h"
#include "collectives/planner.h"
#include "collectives/simulate/simulate.h"

namespace unirack {

// A candidate, cut into tiles.
struct PlanId {
  uint32_t candidate = 0;
  uint64_t tile_bytes = 0;

  friend auto operator<=>(const PlanId&, const PlanId&) = default;
};

class PlanFamily {
 public:
  // Fails for a forced algorithm that does not exist.
  static Result<std::unique_ptr<PlanFamily>> make(const Topology& topology, const Network& network,
                                                  const Policy& policy, const LeastCost& least,
                                                  const Request& request);
  bool serves(const Request& request) const;

  // What runs for blocks of so many elements.
  Result<PlanId> find(uint64_t count);
  Result<std::shared_ptr<const Schedule>> schedule(PlanId id);
  // All candidates at that size, as planner.h has them, in no order.
  Result<std::vector<PricedPlan>> price_all(uint64_t count);
  // What runs from `count_min` to below `count_max` elements.
  Result<std::vector<PlanRange>> ranges(uint64_t count_min, uint64_t count_max);
  // Forgets schedules that were written to be priced, if they are large.
  void trim();

 private:
  // Of more than `most` tiles `some` are simulated, and what one takes is told from those that
  // repeat, else from the step from `few` to `some`.
  struct Sample {
    uint64_t few = 8;
    uint64_t some = 20;
    uint64_t most = 24;
  };
  struct Candidate {
    const Algorithm* algorithm = nullptr;
    int lanes = 1;
    std::string objection;  // empty: it may serve
    std::string failure;    // why it could not be simulated
    PlanEffort effort;
    uint64_t steps = 0;     // of all ranks, as written
    uint64_t tile_max = 0;  // the largest that fits into scratch
    uint64_t values = 1;    // of a counter, for one tile
    uint64_t chunks = 1;    // of a tile
    std::unique_ptr<const Schedule> schedule;
    std::unique_ptr<Simulator> simulator;
    Sample sample;
  };
  struct Price {
    uint64_t time_ps = 0;     // 0: it cannot be priced
    uint64_t work = 0;        // what simulating it took
    bool is_stopped = false;  // it takes longer than that, or is too long to simulate
    uint64_t period_tiles = 0;
    uint64_t period_ps = 0;
    uint32_t resource = kNoIndex;
    uint32_t percent = 0;
  };
  struct Best {
    PlanId id;
    uint64_t time_ps = 0;
    bool is_stopped = false;
    bool is_too_long = false;
  };
  struct Range {
    uint64_t begin = 0;
    PlanId id;
  };

  PlanFamily(const Topology& topology, const Network& network, const Policy& policy,
             const LeastCost& least, const Request& request);

  Status list_candidates();
  bool write(Candidate& candidate);
  void prepare(Candidate& candidate) const;
  void measure_scratch(Candidate& candidate) const;
  uint64_t bytes_of(uint64_t count) const { return count * size_of(request_.type); }
  uint64_t tile_count(PlanId id, uint64_t count) const;
  // Counters can count no more.
  static uint64_t tiles_max(const Candidate& candidate);
  std::vector<uint64_t> tiles_for(const Candidate& candidate, uint64_t count) const;
  // Where it takes longer than `stop_ps`, or too long to simulate, that is all that is found out;
  // 0: it is not stopped.
  Price price(PlanId id, uint64_t count, uint64_t stop_ps = 0);
  Price look_up(PlanId id, uint64_t count, uint64_t stop_ps);
  bool is_too_long(const Price& price) const { return price.work > policy_.work_max; }
  Price price_many(Candidate& candidate, SimulatedCall call, uint64_t tiles);
  Price simulate(Candidate& candidate, const SimulatedCall& call) const;
  std::optional<Best> best_tile(uint32_t index, uint64_t count, uint64_t rival_ps);
  uint64_t at_least_ps(const Candidate& candidate, uint64_t bytes) const;
  // Candidates by what they take at least, and those that are soon priced before others.
  std::vector<uint32_t> order(uint64_t bytes) const;
  std::optional<Best> best(uint64_t count, std::optional<PlanId> before,
                           std::vector<PricedPlan>* report);
  std::string why_not(const Candidate& candidate, uint64_t count) const;
  PricedPlan describe(uint32_t index, const std::optional<Best>& own, uint64_t count,
                      uint64_t at_least_ps, const std::string& reason);
  bool keeps(uint64_t time_ps, uint64_t best_ps) const;
  Result<PlanId> choose_at(uint64_t count, std::optional<PlanId> before);
  Result<PlanId> anything(uint64_t count);
  Result<PlanId> at_power(uint32_t power);
  Result<const std::vector<Range>*> bucket(uint32_t power);
  void bisect(uint64_t low, PlanId first, uint64_t high, PlanId last, std::vector<Range>& ranges);

  const Topology& topology_;
  const Network& network_;
  const Policy& policy_;
  const LeastCost& least_;
  const Request request_;
  bool is_forced_ = false;
  std::vector<Candidate> candidates_;
  std::map<std::tuple<PlanId, uint64_t>, Price> prices_;  // by plan and count
  std::map<uint32_t, PlanId> powers_;                     // by power of two
  std::map<uint32_t, std::vector<Range>> buckets_;        // from it to the next
  std::map<PlanId, std::shared_ptr<const Schedule>> schedules_;
};

}  // namespace unirack
