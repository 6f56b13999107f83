// Two levels, and three: what stays in a domain goes by load/store, what crosses goes once over the
// rails, every member's share over its own. Members sum their shares within the domain, owners of
// a column of chunks exchange it between the domains, and members gather the shares again.
#include <algorithm>
#include <map>

#include "collectives/algorithms/algorithms.h"
#include "collectives/algorithms/composition.h"
#include "collectives/algorithms/draft.h"
#include "collectives/algorithms/shares.h"
#include "collectives/algorithms/slot_map.h"

namespace unirack {

namespace {

// Scratch blocks of a composition, both of a member's share: its domain's sum, and for a rooted
// reduce the sum of all.
constexpr uint32_t kDomainSum = 0;
constexpr uint32_t kWholeSum = 1;

uint32_t share_max(const Topology& topology, const ColumnMap& map) {
  uint32_t most = 0;
  for (size_t domain = 0; domain < topology.domains().size(); ++domain) {
    for (const Parts& share : map.shares(domain)) most = std::max(most, share.end - share.begin);
  }
  return most;
}

std::vector<uint32_t> equal_weights(const Topology& topology) {
  return std::vector<uint32_t>(topology.domains().size(), 1);
}

// Domains in pods of a power of two, so that the sum over pods of sums over their domains is the
// sum over the domains.
std::vector<uint32_t> pods_of(size_t domains) {
  uint32_t size = 2;
  while (size_t{size} * size * 4 <= domains) size *= 2;
  std::vector<uint32_t> pods;
  for (size_t rest = domains; rest > 0; rest -= pods.back()) {
    pods.push_back(static_cast<uint32_t>(std::min<size_t>(size, rest)));
  }
  return pods;
}

class TwoLevel {
 public:
  TwoLevel(const Topology& topology, const Request& request, std::string_view name, ColumnMap map)
      : topology_(topology),
        request_(request),
        map_(std::move(map)),
        whole_(header(name), blocks()) {}

  // Every member has its share of its domain's sum.
  Status sum_in_domains() {
    std::map<size_t, Schedule> made;
    for (size_t index = 0; index < domains().size(); ++index) {
      const auto& domain = domains()[index];
      if (!made.contains(domain.size())) {
        Draft draft = vector_draft(domain.size(), map_.chunks());
        const Shares& shares = map_.shares(index);
        request_.symmetric ? sum_shares_pull(draft, shares) : sum_shares(draft, shares);
        made.emplace(domain.size(), std::move(draft).finish(1));
      }
      Embedding at{.scratch_at = first_, .ranks = domain, .parts = parts_of({0, map_.chunks()})};
      at.inputs = same_place(domain.size(), 1, kInputPlace);
      for (uint32_t i = 0; i < domain.size(); ++i) {
        at.outputs.push_back({share_place(kDomainSum, index, i)});
      }
      UNIRACK_TRY(whole_.add(made.at(domain.size()), std::move(at)));
    }
    return ok_status();
  }

  // Owners of each column sum theirs by two shots; all of them get it.
  Status exchange_columns() {
    const auto write = [](Draft& draft, const Shares& shares) {
      sum_shares(draft, shares);
      gather_shares(draft, shares, false);
    };
    return for_columns(write, [&](const Column&, Embedding& at) {
      at.outputs = same_place(domains().size(), 1, kOutputPlace);
    });
  }

  // The same by any all-reduce among the domains; columns have a multiple of its chunks.
  Status exchange_columns_by(const Schedule& exchange) {
    const uint32_t first = whole_.scratch_count();
    const auto stride = static_cast<uint32_t>(exchange.program_view(0).scratch.size());
    std::map<uint32_t, Schedule> made;
    std::vector<Composer::Addition> additions;
    for (const Column& column : map_.columns()) {
      const uint32_t factor = (column.parts.end - column.parts.begin) / exchange.header().chunks;
      if (!made.contains(factor)) made.emplace(factor, refine(exchange, factor));
      Embedding at = column_embedding(column, first + column.turn * stride);
      at.outputs = same_place(domains().size(), 1, kOutputPlace);
      additions.push_back({&made.at(factor), std::move(at)});
    }
    return whole_.add_side_by_side(std::move(additions));
  }

  // Owners in the root's domain get the sum of theirs; two domains need no second shot.
  Status reduce_columns(size_t root_domain) {
    const auto root = static_cast<Rank>(root_domain);
    const auto write = [&](Draft& draft, const Shares& shares) {
      if (shares.size() > 2) return sum_shares_for(draft, shares, root);
      std::vector<uint32_t> lengths(shares.size(), 0);
      lengths[root_domain] = draft.header().chunks;
      sum_shares_for(draft, consecutive_shares(lengths), root);
    };
    return for_columns(write, [&](const Column& column, Embedding& at) {
      const Place sum = share_place(kWholeSum, root_domain, column.owners[root_domain]);
      at.outputs = same_place(domains().size(), 1, sum);
    });
  }

  Status finish_at_root(size_t root_domain) {
    const auto& domain = domains()[root_domain];
    const Rank root = index_of(domain, request_.root);
    Draft draft = vector_draft(domain.size(), map_.chunks());
    finish_shares(draft, map_.shares(root_domain), root);
    Embedding at = whole_embedding(root_domain);
    at.scratch_at = whole_.scratch_count();
    at.input_form = Form::partial;
    for (uint32_t i = 0; i < domain.size(); ++i) {
      at.inputs.push_back({share_place(kWholeSum, root_domain, i)});
    }
    at.outputs = same_place(domain.size(), 1, kOutputPlace);
    return whole_.add(std::move(draft).finish(1), std::move(at));
  }

  Status deal_in_root_domain(size_t root_domain) {
    const auto& domain = domains()[root_domain];
    Draft draft = vector_draft(domain.size(), map_.chunks());
    deal_shares(draft, map_.shares(root_domain), index_of(domain, request_.root));
    Embedding at = whole_embedding(root_domain);
    at.inputs = same_place(domain.size(), 1, kInputPlace);
    at.outputs = same_place(domain.size(), 1, kOutputPlace);
    return whole_.add(std::move(draft).finish(1), std::move(at));
  }

  // Owners of the root's domain deal their columns to the other domains, which complete them.
  Status broadcast_columns(size_t root_domain) {
    const auto root = static_cast<Rank>(root_domain);
    const auto write = [&](Draft& draft, const Shares& shares) {
      deal_shares(draft, shares, root);
      gather_shares(draft, shares, true, root);
    };
    return for_columns(write, [&](const Column&, Embedding& at) {
      const bool is_root = at.ranks[root_domain] == request_.root;
      at.inputs = same_place(domains().size(), 1, is_root ? kInputPlace : kOutputPlace);
      at.outputs = same_place(domains().size(), 1, kOutputPlace);
    });
  }

  // `root`: has everything already, in its input; kNoRank where there is none.
  Status gather_in_domains(Rank root) {
    std::map<std::pair<size_t, Rank>, Schedule> made;
    for (size_t index = 0; index < domains().size(); ++index) {
      const auto& domain = domains()[index];
      const Rank place = index_of(domain, root);
      const bool has_root = place < static_cast<Rank>(domain.size());
      const std::pair key(domain.size(), has_root ? place : kNoRank);
      if (!made.contains(key)) {
        Draft draft = vector_draft(domain.size(), map_.chunks());
        // Who summed has heard of all others in the domain.
        gather_shares(draft, map_.shares(index), root != kNoRank, key.second);
        made.emplace(key, std::move(draft).finish(1));
      }
      Embedding at = whole_embedding(index);
      at.records_suffice = true;
      at.outputs = same_place(domain.size(), 1, kOutputPlace);
      if (has_root) at.outputs[static_cast<size_t>(place)] = {kInputPlace};
      UNIRACK_TRY(whole_.add(made.at(key), std::move(at)));
    }
    return ok_status();
  }

  Status copy_at_root() {
    Embedding at{.ranks = {request_.root}, .parts = parts_of({0, map_.chunks()})};
    at.inputs = same_place(1, 1, kInputPlace);
    at.outputs = same_place(1, 1, kOutputPlace);
    Draft draft = vector_draft(1, map_.chunks());
    draft.copy(0, draft.whole(), draft.output(0), draft.input(0));
    return whole_.add(std::move(draft).finish(1), std::move(at));
  }

  Schedule finish() && { return std::move(whole_).finish(); }

 private:
  const std::vector<std::vector<Rank>>& domains() const { return topology_.domains(); }

  ScheduleHeader header(std::string_view name) const {
    ScheduleHeader all = Draft(topology_, request_, name, map_.chunks()).header();
    const bool reduces = is_reduction(request_.collective);
    all.stages = reduces ? 2 : 1;
    all.symmetric = reduces && request_.symmetric;
    return all;
  }

  std::vector<ScratchBlock> blocks() {
    if (is_reduction(request_.collective)) first_ = 1;
    if (request_.collective == Collective::reduce) first_ = 2;
    return std::vector(first_, ScratchBlock{share_max(topology_, map_), Form::partial});
  }

  // Of one data block and flat sums.
  static Draft vector_draft(size_t ranks, uint32_t chunks) {
    Request request;
    request.collective = Collective::all_reduce;
    return {flat_pool(ranks), request, "part", chunks};
  }

  Place share_place(uint32_t block, size_t domain, uint32_t member) const {
    return {BufferId::scratch, block, map_.shares(domain)[member].begin};
  }

  Embedding whole_embedding(size_t domain) const {
    return {.ranks = domains()[domain], .parts = parts_of({0, map_.chunks()})};
  }

  Embedding column_embedding(const Column& column, uint32_t scratch_at) const {
    Embedding at{
        .scratch_at = scratch_at, .input_form = Form::partial, .parts = parts_of(column.parts)};
    for (size_t domain = 0; domain < domains().size(); ++domain) {
      at.ranks.push_back(domains()[domain][column.owners[domain]]);
      at.inputs.push_back({share_place(kDomainSum, domain, column.owners[domain])});
    }
    return at;
  }

  // Writes one small schedule for columns of one kind; the domains are its ranks, and finish what
  // the map says.
  template <class Write, class Arrange>
  Status for_columns(const Write& write, const Arrange& arrange) {
    const uint32_t first = whole_.scratch_count();
    std::map<std::vector<uint32_t>, Schedule> made;
    std::vector<Composer::Addition> additions;
    for (const Column& column : map_.columns()) {
      if (!made.contains(column.finished)) {
        Draft draft = vector_draft(domains().size(), column.parts.end - column.parts.begin);
        write(draft, consecutive_shares(column.finished));
        made.emplace(column.finished, std::move(draft).finish(1));
      }
      const Schedule& small = made.at(column.finished);
      const auto stride = static_cast<uint32_t>(small.program_view(0).scratch.size());
      Embedding at = column_embedding(column, first + column.turn * stride);
      arrange(column, at);
      additions.push_back({&small, std::move(at)});
    }
    return whole_.add_side_by_side(std::move(additions));
  }

  const Topology& topology_;
  const Request& request_;
  const ColumnMap map_;
  uint32_t first_ = 0;  // scratch block after those of members' shares
  Composer whole_;
};

size_t root_domain_of(const Topology& topology, const Request& request) {
  return static_cast<size_t>(topology.domain_of(request.root));
}

Result<Schedule> all_reduce(const Topology& topology, const Request& request, std::string_view name,
                            const std::vector<uint32_t>& weights) {
  const auto sizes = domain_sizes(topology);
  TwoLevel plan(topology, request, name,
                ColumnMap(sizes, weights, static_cast<uint32_t>(sizes.size())));
  UNIRACK_TRY(plan.sum_in_domains());
  UNIRACK_TRY(plan.exchange_columns());
  UNIRACK_TRY(plan.gather_in_domains(kNoRank));
  return std::move(plan).finish();
}

Result<Schedule> all_reduce_by(const Topology& topology, const Request& request,
                               std::string_view name, const Schedule& exchange, int lanes) {
  TwoLevel plan(
      topology, request, name,
      ColumnMap(domain_sizes(topology), equal_weights(topology), exchange.header().chunks));
  UNIRACK_TRY(plan.sum_in_domains());
  UNIRACK_TRY(plan.exchange_columns_by(exchange));
  UNIRACK_TRY(plan.gather_in_domains(kNoRank));
  return stripe(std::move(plan).finish(), lanes);
}

// An all-reduce among the domains reads partial sums in scratch, whatever the buffers are.
Request between_domains(Request request) {
  request.symmetric = false;
  return request;
}

uint32_t partial_factor(DataType type) {
  return static_cast<uint32_t>(size_of(type, Form::partial) / size_of(type));
}

}  // namespace

std::string two_level_unfit(const Topology& topology, const Request& request) {
  const auto sizes = domain_sizes(topology);
  if (sizes.size() < 2) return "there is only one domain";
  if (is_reduction(request.collective) && !same_sum(topology.domains(), topology.sum_groups())) {
    return "the sum shape is not that of the domains";
  }
  // Less than two chunks a member are no shares.
  if (*std::max_element(sizes.begin(), sizes.end()) > kChunksMax / 2) {
    return "a domain has more ranks than a vector has chunks";
  }
  return {};
}

std::string two_level_weighted_unfit(const Topology& topology, const Request& request) {
  std::string why = two_level_unfit(topology, request);
  if (!why.empty()) return why;
  const auto sizes = domain_sizes(topology);
  const auto weights = finishing_weights(sizes, partial_factor(request.type));
  const bool are_equal =
      std::all_of(weights.begin(), weights.end(), [&](uint32_t w) { return w == weights[0]; });
  return are_equal ? "no domain had better finish more than another" : "";
}

std::string two_level_halving_unfit(const Topology& topology, const Request& request) {
  std::string why = two_level_unfit(topology, request);
  if (!why.empty()) return why;
  const auto sizes = domain_sizes(topology);
  if (sizes.size() < 3) return "two domains exchange in one step anyway";
  const bool is_exact = ColumnMap::is_exact(sizes, static_cast<uint32_t>(sizes.size()));
  return is_exact ? "" : "the domain sizes need too many chunks";
}

std::string three_level_unfit(const Topology& topology, const Request& request) {
  std::string why = two_level_unfit(topology, request);
  if (!why.empty()) return why;
  const auto sizes = domain_sizes(topology);
  if (sizes.size() < 3) return "two domains make no pods";
  const auto pods = pods_of(sizes.size());
  const ColumnMap exchange(pods, std::vector<uint32_t>(pods.size(), 1),
                           static_cast<uint32_t>(pods.size()));
  return ColumnMap::is_exact(sizes, exchange.chunks()) ? ""
                                                       : "the domain sizes need too many chunks";
}

// Steps 4, written within a domain of s ranks 2 B (s - 1) / s, over rails 2 B / s (k - 1) / k of k
// domains, the first half as partial sums.
Result<Schedule> all_reduce_two_level(const Topology& topology, const Request& request, int lanes) {
  return stripe(UNIRACK_TRY(all_reduce(topology, request, "two_level", equal_weights(topology))),
                lanes);
}

// The same; one lane is within the domains while the other is on the rails.
Result<Schedule> all_reduce_two_level_pipelined(const Topology& topology, const Request& request,
                                                int lanes) {
  return stripe_staggered(
      UNIRACK_TRY(all_reduce(topology, request, "two_level_pipelined", equal_weights(topology))),
      std::max(lanes, 2));
}

// The same; small domains, whose members have more to carry, finish less.
Result<Schedule> all_reduce_two_level_weighted(const Topology& topology, const Request& request,
                                               int lanes) {
  const auto weights = finishing_weights(domain_sizes(topology), partial_factor(request.type));
  return stripe(UNIRACK_TRY(all_reduce(topology, request, "two_level_weighted", weights)), lanes);
}

// Steps 2 + 2 log2 k; written as two_level, in log2 k messages over the rails, not k - 1, each way.
Result<Schedule> all_reduce_two_level_halving(const Topology& topology, const Request& request,
                                              int lanes) {
  const Schedule exchange = UNIRACK_TRY(all_reduce_halving_doubling(
      flat_pool(topology.domains().size()), between_domains(request), 1));
  return all_reduce_by(topology, request, "two_level_halving", exchange, lanes);
}

// Steps 6; written as two_level, in about 2 sqrt k messages over the rails each way: domains
// exchange within pods of a power of two, then pods with each other.
Result<Schedule> all_reduce_three_level(const Topology& topology, const Request& request,
                                        int lanes) {
  const Topology pods = Topology::of_domains(pods_of(topology.domains().size()));
  const Schedule exchange = UNIRACK_TRY(all_reduce_two_level(pods, between_domains(request), 1));
  return all_reduce_by(topology, request, "three_level", exchange, lanes);
}

// Steps 4 (3 with two domains), written B within and B / s over the rails of a domain of s ranks,
// as partial sums after the first step. Rails of the root's domain bring up to 2 B / s (k - 1) / k.
Result<Schedule> reduce_multi_leader(const Topology& topology, const Request& request, int lanes) {
  const auto sizes = domain_sizes(topology);
  const size_t root_domain = root_domain_of(topology, request);
  TwoLevel plan(topology, request, "multi_leader",
                ColumnMap(sizes, equal_weights(topology), static_cast<uint32_t>(sizes.size())));
  UNIRACK_TRY(plan.sum_in_domains());
  UNIRACK_TRY(plan.reduce_columns(root_domain));
  UNIRACK_TRY(plan.finish_at_root(root_domain));
  return stripe(std::move(plan).finish(), lanes);
}

// Steps 4 (3 with two domains), written B / s over each rail of a domain of s ranks and B within.
Result<Schedule> broadcast_multi_leader(const Topology& topology, const Request& request,
                                        int lanes) {
  const size_t root_domain = root_domain_of(topology, request);
  auto weights = equal_weights(topology);
  weights[root_domain] = 0;
  TwoLevel plan(
      topology, request, "multi_leader",
      ColumnMap(domain_sizes(topology), weights, static_cast<uint32_t>(weights.size() - 1)));
  UNIRACK_TRY(plan.deal_in_root_domain(root_domain));
  UNIRACK_TRY(plan.broadcast_columns(root_domain));
  UNIRACK_TRY(plan.gather_in_domains(request.root));
  UNIRACK_TRY(plan.copy_at_root());
  return stripe(std::move(plan).finish(), lanes);
}

}  // namespace unirack
