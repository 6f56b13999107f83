// Two levels: what stays in a domain goes by load/store, what crosses goes once over the rails.
// All-reduce, reduce and broadcast are composed of one-level schedules by embed() and then().
#include <algorithm>
#include <numeric>

#include "collectives/algorithms/algorithms.h"
#include "collectives/algorithms/draft.h"

namespace unirack {

namespace {

uint32_t size_of(const std::vector<Rank>& ranks) { return static_cast<uint32_t>(ranks.size()); }

Topology flat(size_t ranks) { return Topology::of_domains({static_cast<uint32_t>(ranks)}); }

// Grows a large schedule by embedding one small one after the other.
class Composition {
 public:
  Composition(const Draft& draft, std::vector<ScratchBlock> scratch)
      : scratch_(std::move(scratch)), next_(static_cast<size_t>(draft.ranks()), first_free()) {
    Draft empty(draft);
    whole_.push_back(std::move(empty).finish(1));
  }

  // The small one's scratch lies above that of its ranks in this phase, and is shared with others.
  Status add(const Schedule& small, Embedding embedding) {
    const ScheduleHeader& header = whole_.back().header();
    embedding.header = header;
    embedding.scratch = scratch_;
    for (const Rank rank : embedding.ranks) {
      embedding.scratch_at = std::max(embedding.scratch_at, next_[static_cast<size_t>(rank)]);
    }
    const Schedule part = UNIRACK_TRY(embed(small, embedding));
    scratch_ = part.program_view(0).scratch;
    const auto added = static_cast<uint32_t>(small.program_view(0).scratch.size());
    for (const Rank rank : embedding.ranks) {
      next_[static_cast<size_t>(rank)] = embedding.scratch_at + added;
    }
    whole_.back() = UNIRACK_TRY(then(whole_.back(), part));
    return ok_status();
  }

  // Scratch of the next phase is not shared with what came before.
  void next_phase() { std::fill(next_.begin(), next_.end(), first_free()); }

  Schedule finish(int lanes) && { return stripe(whole_.back(), lanes); }

 private:
  uint32_t first_free() const { return static_cast<uint32_t>(scratch_.size()); }

  std::vector<ScratchBlock> scratch_;
  std::vector<uint32_t> next_;  // by rank: its first free scratch block
  std::vector<Schedule> whole_;
};

std::vector<uint32_t> parts_from(uint32_t first, uint32_t count) {
  std::vector<uint32_t> parts(count);
  std::iota(parts.begin(), parts.end(), first);
  return parts;
}

std::vector<std::vector<Place>> same_place(size_t ranks, size_t blocks, Place place) {
  return std::vector(ranks, std::vector<Place>(blocks, place));
}

uint32_t common_multiple(const std::vector<std::vector<Rank>>& domains) {
  uint32_t multiple = 1;
  for (const auto& domain : domains) {
    multiple = std::lcm(multiple, size_of(domain));
    if (multiple > kChunksMax) return kChunksMax + 1;
  }
  return multiple;
}

constexpr Place kInput{BufferId::input, 0, 0};
constexpr Place kOutput{BufferId::output, 0, 0};
constexpr Place kPartial{BufferId::scratch, 0, 0};  // the sum of a domain

Rank leader_of(const std::vector<Rank>& domain, Rank root) {
  return std::find(domain.begin(), domain.end(), root) != domain.end() ? root : domain[0];
}

// Ranks of a domain, or one of each domain; which of them leads.
struct Members {
  std::vector<Rank> ranks;
  Rank leader = 0;  // index
};

Members members_of(const std::vector<Rank>& domain, Rank leader) {
  return {domain,
          static_cast<Rank>(std::find(domain.begin(), domain.end(), leader) - domain.begin())};
}

Members leaders_of(const Topology& topology, Rank root) {
  std::vector<Rank> leaders;
  for (const auto& domain : topology.domains()) leaders.push_back(leader_of(domain, root));
  return members_of(leaders, root);
}

Request with_root(Request request, Rank root) {
  request.root = root;
  return request;
}

}  // namespace

std::string two_level_unfit(const Topology& topology, const Request& request) {
  const auto& domains = topology.domains();
  if (domains.size() < 2) return "there is only one domain";
  if (is_reduction(request.collective) && !same_sum(domains, topology.sum_groups())) {
    return "the sum shape is not that of the domains";
  }
  if (request.collective == Collective::all_reduce &&
      common_multiple(domains) * domains.size() > kChunksMax) {
    return "the domain sizes need too many chunks";
  }
  return {};
}

// Steps 4, written within a domain of s ranks 2 B (s - 1) / s, over rails 2 B / s (k - 1) / k of k
// domains, the first half as partial sums. lcm(sizes) * k chunks; chunk c is finished in domain
// c mod k; its owner in a domain is one of the member's consecutive chunks.
Result<Schedule> all_reduce_two_level(const Topology& topology, const Request& request, int lanes) {
  const auto& domains = topology.domains();
  const auto count = static_cast<uint32_t>(domains.size());
  const uint32_t columns = common_multiple(domains);
  const uint32_t chunks = columns * count;
  Draft draft(topology, request, "two_level", chunks);
  draft.header().stages = 2;
  draft.header().symmetric = request.symmetric;
  uint32_t share_max = 0;
  for (const auto& domain : domains) share_max = std::max(share_max, chunks / size_of(domain));
  Composition whole(draft, {{share_max, Form::partial}});

  for (const auto& domain : domains) {
    const auto reduce_scatter =
        request.symmetric ? reduce_scatter_direct_pull : reduce_scatter_direct;
    Request small = request;
    small.collective = Collective::reduce_scatter;
    Embedding at{.ranks = domain, .parts = parts_from(0, chunks)};
    const uint32_t share = chunks / size_of(domain);
    at.inputs = same_place(domain.size(), domain.size(), kInput);
    for (uint32_t i = 0; i < domain.size(); ++i) {
      at.outputs.push_back({{BufferId::scratch, 0, i * share}});
    }
    const Schedule direct = UNIRACK_TRY(reduce_scatter(flat(domain.size()), small, 1));
    UNIRACK_TRY(whole.add(refine(direct, share), std::move(at)));
  }
  whole.next_phase();
  const Schedule exchange = UNIRACK_TRY(all_reduce_two_shot(flat(count), request, 1));
  for (uint32_t column = 0; column < columns; ++column) {
    Embedding at{.input_form = Form::partial, .parts = parts_from(column * count, count)};
    for (const auto& domain : domains) {
      const uint32_t width = columns / size_of(domain);
      const uint32_t owner = column / width;
      at.ranks.push_back(domain[owner]);
      at.inputs.push_back({{BufferId::scratch, 0, owner * width * count}});
    }
    at.outputs = same_place(count, 1, kOutput);
    UNIRACK_TRY(whole.add(exchange, std::move(at)));
  }
  whole.next_phase();
  for (const auto& domain : domains) {
    Request small = request;
    small.collective = Collective::all_gather;
    Embedding at{.ranks = domain, .parts = parts_from(0, chunks)};
    at.inputs = same_place(domain.size(), 1, kOutput);
    at.outputs = same_place(domain.size(), domain.size(), kOutput);
    const Schedule direct = UNIRACK_TRY(all_gather_direct(flat(domain.size()), small, 1));
    UNIRACK_TRY(whole.add(refine(direct, chunks / size_of(domain)), std::move(at)));
  }
  return std::move(whole).finish(lanes);
}

// Steps 2, written B; one partial sum a domain crosses the rails.
Result<Schedule> reduce_two_level(const Topology& topology, const Request& request, int lanes) {
  Draft draft(topology, request, "two_level", 1);
  draft.header().stages = 2;
  Composition whole(draft, {{1, Form::partial}});
  for (const auto& domain : topology.domains()) {
    const Members members = members_of(domain, leader_of(domain, request.root));
    Embedding at{.ranks = members.ranks, .parts = {0}};
    at.inputs = same_place(domain.size(), 1, kInput);
    at.outputs = same_place(domain.size(), 1, kPartial);
    const Schedule small =
        UNIRACK_TRY(reduce_direct(flat(domain.size()), with_root(request, members.leader), 1));
    UNIRACK_TRY(whole.add(small, std::move(at)));
  }
  whole.next_phase();
  const Members leaders = leaders_of(topology, request.root);
  Embedding at{.input_form = Form::partial, .ranks = leaders.ranks, .parts = {0}};
  at.inputs = same_place(leaders.ranks.size(), 1, kPartial);
  at.outputs = same_place(leaders.ranks.size(), 1, kOutput);
  const Schedule small =
      UNIRACK_TRY(reduce_direct(flat(leaders.ranks.size()), with_root(request, leaders.leader), 1));
  UNIRACK_TRY(whole.add(small, std::move(at)));
  return std::move(whole).finish(lanes);
}

// Steps 2, written (k - 1) B by the root over rails and (s - 1) B by each leader in its domain.
Result<Schedule> broadcast_two_level(const Topology& topology, const Request& request, int lanes) {
  Draft draft(topology, request, "two_level", 1);
  Composition whole(draft, {});
  const Members leaders = leaders_of(topology, request.root);
  const auto add = [&](const Members& members, Place from) -> Status {
    Embedding at{.ranks = members.ranks, .parts = {0}};
    at.inputs = same_place(members.ranks.size(), 1, from);
    at.outputs = same_place(members.ranks.size(), 1, kOutput);
    const Schedule small = UNIRACK_TRY(
        broadcast_direct(flat(members.ranks.size()), with_root(request, members.leader), 1));
    return whole.add(small, std::move(at));
  };
  UNIRACK_TRY(add(leaders, kInput));
  for (const auto& domain : topology.domains()) {
    UNIRACK_TRY(add(members_of(domain, leader_of(domain, request.root)), kOutput));
  }
  return std::move(whole).finish(lanes);
}

}  // namespace unirack
