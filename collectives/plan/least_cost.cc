#include "collectives/plan/least_cost.h"

#include <algorithm>
#include <cmath>
#include <set>
#include <vector>

namespace unirack {

namespace {

// So many ranks of a kind are asked for their routes.
constexpr size_t kSample = 8;
constexpr double kPsPerSecond = 1e12;
constexpr double kFar = 1e18;

// Some of `all`, the first and the last among them.
std::vector<Rank> sample(const std::vector<Rank>& all) {
  std::vector<Rank> some;
  const size_t step = std::max<size_t>(1, all.size() / kSample);
  for (size_t i = 0; i < all.size(); i += step) some.push_back(all[i]);
  if (!all.empty() && some.back() != all.back()) some.push_back(all.back());
  return some;
}

// What every one of several routes has to pass.
class CommonWay {
 public:
  void add(const MessageRoute& route) {
    if (is_first_) uses_ = route.uses;
    std::erase_if(uses_, [&](ResourceUse& use) {
      const auto same =
          std::find_if(route.uses.begin(), route.uses.end(),
                       [&](const ResourceUse& each) { return each.resource == use.resource; });
      if (same == route.uses.end()) return true;
      use.share = std::min(use.share, same->share);
      return false;
    });
    is_first_ = false;
  }
  // The narrowest resource of the way and bytes/s through it; 0: there is none.
  std::pair<uint32_t, double> narrowest(const Network& network) const {
    std::pair<uint32_t, double> found{0, 0};
    for (const ResourceUse& use : uses_) {
      const auto bandwidth = static_cast<double>(network.resources()[use.resource].bandwidth);
      const double rate = bandwidth * kWholeShare / use.share;
      if (found.second == 0 || rate < found.second) found = {use.resource, rate};
    }
    return found;
  }

 private:
  bool is_first_ = true;
  std::vector<ResourceUse> uses_;
};

// Looks at the routes of some ranks to some others.
class RouteSurvey {
 public:
  RouteSurvey(const Topology& topology, const Network& network, int lanes)
      : topology_(topology), network_(network), lanes_(lanes) {}

  void look() {
    const auto& domains = topology_.domains();
    std::vector<Rank> firsts;
    for (const auto& domain : domains) firsts.push_back(domain[0]);
    for (const Rank first : {firsts.front(), firsts.back()}) {
      const auto& members = domains[static_cast<size_t>(topology_.domain_of(first))];
      const std::vector<Rank> others = sample(outside(topology_.domain_of(first)));
      double domain_rate = 0;
      bool is_limited = !others.empty();
      std::set<uint32_t> counted;
      for (const Rank member : members) {
        if (member == members[0]) widen(inner_rate, inner_limited, rate_of(member, members, 0));
        double rate = 0;
        for (int lane = 0; lane < lanes_ && !others.empty(); ++lane) {
          const auto [resource, narrow] = way_of(member, others, lane).narrowest(network_);
          if (narrow == 0) is_limited = false;
          rate += narrow;
          if (counted.insert(resource).second) domain_rate += narrow;
        }
        if (!others.empty()) widen(outer_rate, outer_limited, is_limited ? rate : 0);
      }
      if (!others.empty()) widen(domain_rate_max, domain_limited, is_limited ? domain_rate : 0);
    }
  }

  struct Nearest {
    double latency_ps = kFar;
    double gap_ps = kFar;
  };
  Nearest inner, outer;
  double inner_rate = 0, outer_rate = 0, domain_rate_max = 0;
  bool inner_limited = true, outer_limited = true, domain_limited = true;

 private:
  static void widen(double& rate, bool& limited, double found) {
    if (found == 0) limited = false;
    rate = std::max(rate, found);
  }

  std::vector<Rank> outside(int domain) const {
    std::vector<Rank> ranks;
    for (Rank rank = 0; rank < topology_.rank_count(); ++rank) {
      if (topology_.domain_of(rank) != domain) ranks.push_back(rank);
    }
    return ranks;
  }

  double rate_of(Rank from, const std::vector<Rank>& members, int lane) {
    std::vector<Rank> others;
    for (const Rank other : sample(members)) {
      if (other != from) others.push_back(other);
    }
    if (others.empty()) return 0;
    return way_of(from, others, lane).narrowest(network_).second;
  }

  CommonWay way_of(Rank from, const std::vector<Rank>& to, int lane) {
    CommonWay way;
    MessageRoute route;
    for (const Rank other : to) {
      if (!network_.find(from, other, lane, route)) continue;
      Nearest& nearest = topology_.domain_of(from) == topology_.domain_of(other) ? inner : outer;
      nearest.latency_ps =
          std::min(nearest.latency_ps, static_cast<double>(route.costs.latency_ps));
      nearest.gap_ps = std::min(nearest.gap_ps, static_cast<double>(route.costs.gap_ps));
      way.add(route);
    }
    return way;
  }

  const Topology& topology_;
  const Network& network_;
  const int lanes_;
};

// "knomial_4" -> 4; 2 where the name says none.
double radix_of(std::string_view name) {
  const size_t at = name.find_last_of('_');
  if (at == std::string_view::npos || at + 1 == name.size()) return 2;
  const char digit = name[at + 1];
  return digit >= '2' && digit <= '9' ? digit - '0' : 2;
}

bool begins(std::string_view name, std::string_view with) {
  return name.substr(0, with.size()) == with;
}

}  // namespace

LeastCost LeastCost::of(const Topology& topology, const Network& network, int lanes) {
  LeastCost least;
  least.costs_ = &network.costs();
  least.ranks_ = topology.rank_count();
  least.domains_ = static_cast<double>(topology.domains().size());
  size_t members = SIZE_MAX;
  size_t members_max = 0;
  for (const auto& domain : topology.domains()) {
    members = std::min(members, domain.size());
    members_max = std::max(members_max, domain.size());
  }
  least.members_ = static_cast<double>(members);
  least.members_max_ = static_cast<double>(members_max);
  least.call_ps_ = static_cast<double>(network.costs().call_ps);
  if (topology.rank_count() < 2) return least;
  RouteSurvey survey(topology, network, lanes);
  survey.look();
  const auto step_ps = static_cast<double>(network.costs().step_ps);
  const auto known = [](double ps) { return ps < kFar ? ps : 0; };
  least.latency_ps_ = known(std::min(survey.inner.latency_ps, survey.outer.latency_ps));
  least.outer_latency_ps_ = std::max(least.latency_ps_, known(survey.outer.latency_ps));
  least.inner_message_ps_ = known(survey.inner.gap_ps) + step_ps;
  least.outer_message_ps_ = known(survey.outer.gap_ps) + step_ps;
  least.inner_rate_ = survey.inner_limited ? survey.inner_rate : 0;
  least.outer_rate_ = survey.outer_limited ? survey.outer_rate : 0;
  least.domain_rate_ = survey.domain_limited ? survey.domain_rate_max : 0;
  return least;
}

// One message to each of the others, each of so many blocks.
PlanEffort LeastCost::to_everyone(double times, double blocks) const {
  PlanEffort effort;
  effort.rounds = times;
  effort.inner_messages = times * (members_ - 1);
  effort.outer_messages = times * (ranks_ - members_);
  effort.inner_blocks = times * (members_ - 1) * blocks;
  effort.outer_blocks = times * (ranks_ - members_) * blocks;
  effort.domain_blocks = members_ * effort.outer_blocks;
  effort.steps = ranks_ * times * (ranks_ - 1) * 3;
  return effort;
}

PlanEffort LeastCost::of_root(double blocks) const {
  PlanEffort effort = to_everyone(1, blocks);
  // It may be in the largest domain.
  effort.outer_messages = ranks_ - members_max_;
  effort.outer_blocks = (ranks_ - members_max_) * blocks;
  effort.domain_blocks = effort.outer_blocks;
  effort.steps = ranks_ * 3;
  return effort;
}

// Along trees and cubes of that radix; what they send to whom depends on where ranks are.
PlanEffort LeastCost::in_rounds(double sweeps, double radix) const {
  PlanEffort effort;
  effort.rounds = sweeps * std::floor(std::log(ranks_) / std::log(radix) + 1e-9);
  if (domains_ > 1) effort.outer_rounds = sweeps;
  effort.steps = ranks_ * (effort.rounds + 1) * radix * 3;
  return effort;
}

PlanEffort LeastCost::around(double times, double blocks) const {
  PlanEffort effort;
  effort.rounds = times * (ranks_ - 1);
  effort.steps = ranks_ * effort.rounds * 4;
  const bool is_within = domains_ == 1;
  (is_within ? effort.inner_blocks : effort.outer_blocks) = effort.rounds * blocks;
  if (!is_within && members_ < 2) effort.domain_blocks = effort.outer_blocks;
  return effort;
}

PlanEffort LeastCost::over_domains(double times) const {
  PlanEffort effort;
  effort.outer_rounds = domains_ > 1 ? times : 0;
  effort.rounds = effort.outer_rounds + (members_ > 1 ? times : 0);
  effort.inner_messages = times * (members_ - 1);
  effort.steps = ranks_ * times * (members_ + domains_) * 3;
  return effort;
}

// Whatever the way, this much has to leave a rank or its domain.
void LeastCost::raise_to_least(Collective collective, PlanEffort& effort) const {
  const auto raise = [](double& blocks, double least) { blocks = std::max(blocks, least); };
  if (collective == Collective::all_to_all) {
    raise(effort.inner_blocks, members_ - 1);
    raise(effort.outer_blocks, ranks_ - members_);
    raise(effort.domain_blocks, members_ * (ranks_ - members_));
  } else if (collective == Collective::reduce_scatter) {
    if (domains_ == 1) raise(effort.inner_blocks, ranks_ - 1);
    raise(effort.domain_blocks, ranks_ - members_);
  } else if (collective == Collective::all_reduce) {
    if (domains_ == 1) raise(effort.inner_blocks, 1);
    if (domains_ > 1) raise(effort.domain_blocks, 1);
  }
}

PlanEffort LeastCost::effort(Collective collective, std::string_view algorithm) const {
  const double n = ranks_;
  const bool reduces = is_reduction(collective);
  if (n < 2 || collective == Collective::send_recv || collective == Collective::barrier) return {};
  PlanEffort effort;
  if (algorithm == "one_shot") {
    effort = to_everyone(1, 1);
    effort.folded_blocks = n;
  } else if (begins(algorithm, "two_shot")) {
    const bool is_all = collective == Collective::all_reduce;
    effort = to_everyone(is_all ? 2 : 1, 1 / n);
    // Pulled bytes are read when a rank folds them.
    if (algorithm == "two_shot_pull") effort.inner_messages = n - 1;
  } else if (algorithm == "scatter_all_gather") {
    effort = to_everyone(1, 1 / n);
  } else if (begins(algorithm, "direct") || begins(algorithm, "pairwise")) {
    const bool by_all = collective == Collective::reduce_scatter ||
                        collective == Collective::all_gather ||
                        collective == Collective::all_to_all;
    const bool by_root = collective == Collective::broadcast || collective == Collective::scatter;
    if (by_all) effort = to_everyone(1, 1);
    if (by_root) effort = of_root(1);
    if (!by_all && !by_root) effort = in_rounds(1, n);
  } else if (algorithm == "ring") {
    effort = collective == Collective::all_reduce ? around(2, 1 / n) : around(1, 1);
  } else if (algorithm == "recursive_doubling" || begins(algorithm, "binomial") ||
             begins(algorithm, "knomial") || begins(algorithm, "bruck") ||
             begins(algorithm, "halving")) {
    const bool is_all = collective == Collective::all_reduce;
    const bool twice = is_all && algorithm != "recursive_doubling";
    effort = in_rounds(twice ? 2 : 1, radix_of(algorithm));
    if (is_all && !twice) effort.any_blocks = effort.rounds;
    // The root of a tree sends everything to all its children.
    const bool is_tree = begins(algorithm, "binomial") || begins(algorithm, "knomial");
    if (is_tree && is_all) effort.any_blocks = effort.rounds / 2 * (radix_of(algorithm) - 1);
    // Of n blocks, every rank sends all but one itself.
    const bool moves_all = collective == Collective::all_gather ||
                           collective == Collective::reduce_scatter ||
                           collective == Collective::all_to_all;
    if (moves_all) effort.steps = n * n * 2;
  } else if (begins(algorithm, "two_level") || begins(algorithm, "three_level")) {
    const bool is_all = collective == Collective::all_reduce;
    effort = over_domains(is_all ? 2 : 1);
    if (algorithm.ends_with("_pipelined")) effort.steps *= 2;
    // Every member of equal domains is a leader.
    if (is_all && n == members_ * domains_) {
      if (begins(algorithm, "two_level") && algorithm != "two_level_halving") {
        effort.outer_messages = 2 * (domains_ - 1);
      }
      effort.inner_blocks = 2 * (members_ - 1) / members_;
      effort.outer_blocks = 2 / members_ * (domains_ - 1) / domains_;
    }
  } else if (begins(algorithm, "single_leader") || begins(algorithm, "multi_leader")) {
    effort = over_domains(1);
    effort.inner_messages = 0;
    if (collective == Collective::all_reduce) effort.outer_blocks = domains_ - 1;
  } else if (begins(algorithm, "forest")) {
    effort.rounds = 1;
    effort.steps = n * n * (algorithm == "forest_exact" ? 20 : 6);
    effort.is_vague = true;
  }
  if (!reduces) effort.folded_blocks = 0;
  raise_to_least(collective, effort);
  return effort;
}

uint64_t LeastCost::at_least_ps(const PlanEffort& effort, uint64_t bytes, DataType type) const {
  if (ranks_ < 2 || effort.steps == 0) return 0;
  const double block_ps = static_cast<double>(bytes) * kPsPerSecond;
  const double message_ps = domains_ == 1        ? inner_message_ps_
                            : ranks_ == domains_ ? outer_message_ps_
                                                 : std::min(inner_message_ps_, outer_message_ps_);
  double most = effort.rounds * (latency_ps_ + message_ps) +
                effort.outer_rounds * (outer_latency_ps_ - latency_ps_);
  most = std::max(most, effort.inner_messages * inner_message_ps_ +
                            effort.outer_messages * outer_message_ps_ + latency_ps_);
  const auto through = [&](double blocks, double rate) {
    if (rate > 0) most = std::max(most, blocks * block_ps / rate);
  };
  through(effort.inner_blocks, inner_rate_);
  through(effort.outer_blocks, outer_rate_);
  through(effort.domain_blocks, domain_rate_);
  const bool goes_both_ways = domains_ > 1 && ranks_ > domains_;
  const bool is_known =
      (domains_ == 1 || outer_rate_ > 0) && (ranks_ == domains_ || inner_rate_ > 0);
  if (is_known) {
    through(effort.any_blocks, goes_both_ways ? inner_rate_ + outer_rate_
                               : domains_ > 1 ? outer_rate_
                                              : inner_rate_);
  }
  through(effort.folded_blocks,
          static_cast<double>(costs_->reduce_bandwidth[static_cast<size_t>(type)]));
  // A little less, for shares that are rounded.
  return static_cast<uint64_t>((most + call_ps_) * 0.999);
}

}  // namespace unirack
