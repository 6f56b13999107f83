// Two levels with one leader a domain: few messages over the rails, for small ones.
#include <algorithm>

#include "collectives/algorithms/algorithms.h"
#include "collectives/algorithms/composition.h"
#include "collectives/algorithms/draft.h"

namespace unirack {

namespace {

constexpr Place kDomainSum{BufferId::scratch, 0, 0};

// Ranks of a domain, or one of each domain; which of them leads.
struct Members {
  std::vector<Rank> ranks;
  Rank leader = 0;  // index
};

Rank leader_of(const std::vector<Rank>& domain, Rank root) {
  return std::find(domain.begin(), domain.end(), root) != domain.end() ? root : domain[0];
}

Members members_of(const std::vector<Rank>& domain, Rank root) {
  return {domain, index_of(domain, leader_of(domain, root))};
}

Members leaders_of(const Topology& topology, Rank root) {
  std::vector<Rank> leaders;
  for (const auto& domain : topology.domains()) leaders.push_back(leader_of(domain, root));
  return {leaders, index_of(leaders, root)};
}

Embedding whole_of(const Members& members, Place from, Place to) {
  Embedding at{.ranks = members.ranks, .parts = {0}};
  at.inputs = same_place(members.ranks.size(), 1, from);
  at.outputs = same_place(members.ranks.size(), 1, to);
  return at;
}

Composer start(const Topology& topology, const Request& request, std::string_view name) {
  ScheduleHeader header = Draft(topology, request, name, 1).header();
  if (!is_reduction(request.collective)) return {std::move(header), {}};
  header.stages = 2;
  return {std::move(header), {{1, Form::partial}}};
}

Status reduce_to_leaders(Composer& whole, const Topology& topology, const Request& request) {
  const uint32_t first = whole.scratch_count();
  for (const auto& domain : topology.domains()) {
    const Members members = members_of(domain, request.root);
    Embedding at = whole_of(members, kInputPlace, kDomainSum);
    at.scratch_at = first;
    const Schedule small =
        UNIRACK_TRY(reduce_direct(flat_pool(domain.size()), with_root(request, members.leader), 1));
    UNIRACK_TRY(whole.add(small, std::move(at)));
  }
  return ok_status();
}

Status broadcast_from(Composer& whole, const Members& members, const Request& request, Place from) {
  const Schedule small = UNIRACK_TRY(
      broadcast_direct(flat_pool(members.ranks.size()), with_root(request, members.leader), 1));
  return whole.add(small, whole_of(members, from, kOutputPlace));
}

Status broadcast_in_domains(Composer& whole, const Topology& topology, const Request& request) {
  for (const auto& domain : topology.domains()) {
    UNIRACK_TRY(broadcast_from(whole, members_of(domain, request.root), request, kOutputPlace));
  }
  return ok_status();
}

Embedding between_leaders(const Composer& whole, const Members& leaders) {
  Embedding at = whole_of(leaders, kDomainSum, kOutputPlace);
  at.scratch_at = whole.scratch_count();
  at.input_form = Form::partial;
  return at;
}

}  // namespace

// Steps 3, written (s - 1) B by a leader within its domain and (k - 1) B over its rails.
Result<Schedule> all_reduce_single_leader(const Topology& topology, const Request& request,
                                          int lanes) {
  Request from_first = request;
  from_first.root = 0;
  Composer whole = start(topology, from_first, "single_leader");
  UNIRACK_TRY(reduce_to_leaders(whole, topology, from_first));
  const Members leaders = leaders_of(topology, 0);
  const Schedule exchange =
      UNIRACK_TRY(all_reduce_one_shot(flat_pool(leaders.ranks.size()), request, 1));
  UNIRACK_TRY(whole.add(exchange, between_leaders(whole, leaders)));
  UNIRACK_TRY(broadcast_in_domains(whole, topology, from_first));
  return stripe(std::move(whole).finish(), lanes);
}

// Steps 2, written B; one partial sum a domain crosses the rails.
Result<Schedule> reduce_two_level(const Topology& topology, const Request& request, int lanes) {
  Composer whole = start(topology, request, "two_level");
  UNIRACK_TRY(reduce_to_leaders(whole, topology, request));
  const Members leaders = leaders_of(topology, request.root);
  const Schedule exchange = UNIRACK_TRY(
      reduce_direct(flat_pool(leaders.ranks.size()), with_root(request, leaders.leader), 1));
  UNIRACK_TRY(whole.add(exchange, between_leaders(whole, leaders)));
  return stripe(std::move(whole).finish(), lanes);
}

// Steps 2, written (k - 1) B by the root over rails and (s - 1) B by each leader in its domain.
Result<Schedule> broadcast_two_level(const Topology& topology, const Request& request, int lanes) {
  Composer whole = start(topology, request, "two_level");
  UNIRACK_TRY(broadcast_from(whole, leaders_of(topology, request.root), request, kInputPlace));
  UNIRACK_TRY(broadcast_in_domains(whole, topology, request));
  return stripe(std::move(whole).finish(), lanes);
}

}  // namespace unirack
