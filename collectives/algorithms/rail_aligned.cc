// Two-level all-gather, reduce-scatter and all-to-all: rank i of a domain talks over the rails only
// to the ranks that share its place in their domains (modulo their sizes), so every rail carries
// the same.
#include <algorithm>
#include <map>
#include <utility>

#include "collectives/algorithms/algorithms.h"
#include "collectives/algorithms/draft.h"

namespace unirack {

namespace {

uint32_t block_of(Rank rank) { return static_cast<uint32_t>(rank); }

// Who stands for `rank` in a domain: itself in its own, else its counterpart.
class Counterparts {
 public:
  explicit Counterparts(const Topology& topology)
      : domains_(topology.domains()), place_(static_cast<size_t>(topology.rank_count())) {
    for (const auto& domain : domains_) {
      for (size_t i = 0; i < domain.size(); ++i) place_[static_cast<size_t>(domain[i])] = i;
    }
  }
  Rank find(Rank rank, size_t domain) const {
    const auto& members = domains_[domain];
    return members[place(rank) % members.size()];
  }
  // Index of `rank` in its domain.
  size_t place(Rank rank) const { return place_[static_cast<size_t>(rank)]; }

 private:
  const std::vector<std::vector<Rank>>& domains_;
  std::vector<size_t> place_;
};

// Scratch blocks by a key of two numbers.
class Blocks {
 public:
  Blocks(Draft& draft, Form form) : draft_(draft), form_(form) {}

  Slice at(Rank rank, size_t a, size_t b, Parts parts) {
    const auto [block, is_new] = blocks_.try_emplace({a, b}, 0);
    if (is_new) block->second = draft_.scratch(parts.end - parts.begin, form_);
    return Draft::at(rank, block->second, parts);
  }

 private:
  Draft& draft_;
  Form form_;
  std::map<std::pair<size_t, size_t>, uint32_t> blocks_;
};

// For whom each rank stands in its domain, itself included.
std::vector<std::vector<Rank>> duties(const Topology& topology, const Counterparts& counterparts) {
  std::vector<std::vector<Rank>> all(static_cast<size_t>(topology.rank_count()));
  for (size_t domain = 0; domain < topology.domains().size(); ++domain) {
    for (Rank data = 0; data < topology.rank_count(); ++data) {
      all[static_cast<size_t>(counterparts.find(data, domain))].push_back(data);
    }
  }
  return all;
}

size_t index_of(const std::vector<Rank>& ranks, Rank rank) {
  return static_cast<size_t>(std::find(ranks.begin(), ranks.end(), rank) - ranks.begin());
}

// Everyone's blocks go to those who sum them up in their domain.
void sum_in_domain(Draft& draft, const std::vector<Rank>& domain, const Counterparts& counterparts,
                   const std::vector<std::vector<Rank>>& duty, Blocks& raw, Blocks& sums) {
  std::vector<std::pair<Rank, Mark>> waits;
  for (const Rank rank : domain) {
    for (const Rank owner : domain) {
      if (owner == rank) continue;
      const auto& mine = duty[static_cast<size_t>(owner)];
      for (size_t i = 0; i < mine.size(); ++i) {
        const Parts parts = draft.whole(block_of(mine[i]));
        draft.copy(rank, parts, raw.at(owner, i, counterparts.place(rank), parts),
                   draft.input(rank, block_of(mine[i])));
      }
      waits.emplace_back(owner, draft.signal(rank, owner));
    }
  }
  for (const auto& [rank, mark] : waits) draft.wait(rank, mark);
  for (const Rank owner : domain) {
    const auto& mine = duty[static_cast<size_t>(owner)];
    for (size_t i = 0; i < mine.size(); ++i) {
      const Parts parts = draft.whole(block_of(mine[i]));
      std::vector<Slice> sources;
      for (const Rank rank : domain) {
        sources.push_back(rank == owner ? draft.input(owner, block_of(mine[i]))
                                        : raw.at(owner, i, counterparts.place(rank), parts));
      }
      draft.reduce(owner, parts, sums.at(owner, i, 0, parts), sources);
    }
  }
}

}  // namespace

// Steps 2, written about (n - k) B within the domain and (k - 1) B as partial sums over the rails.
Result<Schedule> reduce_scatter_two_level(const Topology& topology, const Request& request,
                                          int lanes) {
  Draft draft(topology, request, "two_level", 1);
  draft.header().stages = 2;
  const auto& domains = topology.domains();
  const Counterparts counterparts(topology);
  const auto duty = duties(topology, counterparts);
  Blocks raw(draft, Form::user);
  Blocks sums(draft, Form::partial);
  Blocks arrived(draft, Form::partial);
  for (const auto& domain : domains) sum_in_domain(draft, domain, counterparts, duty, raw, sums);
  std::vector<std::vector<Slice>> terms(static_cast<size_t>(draft.ranks()));
  std::vector<std::pair<Rank, Mark>> waits;
  for (size_t domain = 0; domain < domains.size(); ++domain) {
    for (Rank data = 0; data < draft.ranks(); ++data) {
      const Rank owner = counterparts.find(data, domain);
      const auto& mine = duty[static_cast<size_t>(owner)];
      const size_t index = index_of(mine, data);
      const Parts parts = draft.whole(block_of(data));
      const Slice sum = sums.at(owner, index, 0, parts);
      auto& term = terms[static_cast<size_t>(data)].emplace_back(sum);
      if (owner == data) continue;
      term = arrived.at(data, domain, 0, parts);
      draft.copy(owner, parts, term, sum);
      waits.emplace_back(data, draft.signal(owner, data));
    }
  }
  for (const auto& [rank, mark] : waits) draft.wait(rank, mark);
  for (Rank rank = 0; rank < draft.ranks(); ++rank) {
    draft.reduce(rank, draft.whole(block_of(rank)), draft.output(rank),
                 terms[static_cast<size_t>(rank)]);
  }
  return std::move(draft).finish(lanes);
}

// Steps 2, written (k - 1) B over the rails, each block once a domain, and the rest within.
Result<Schedule> all_gather_two_level(const Topology& topology, const Request& request, int lanes) {
  Draft draft(topology, request, "two_level", 1);
  const auto& domains = topology.domains();
  const Counterparts counterparts(topology);
  std::vector<std::vector<Rank>> arrived(static_cast<size_t>(draft.ranks()));
  std::vector<std::pair<Rank, Mark>> waits;
  const auto put = [&](Rank rank, Rank peer, Rank data) {
    draft.wait_record(rank, peer);
    draft.copy(rank, draft.whole(block_of(data)), draft.output(peer, block_of(data)),
               draft.output(rank, block_of(data)));
  };
  for (Rank rank = 0; rank < draft.ranks(); ++rank) {
    const uint32_t own = block_of(rank);
    draft.copy(rank, draft.whole(own), draft.output(rank, own), draft.input(rank));
    for (size_t domain = 0; domain < domains.size(); ++domain) {
      if (static_cast<int>(domain) == topology.domain_of(rank)) continue;
      const Rank peer = counterparts.find(rank, domain);
      put(rank, peer, rank);
      arrived[static_cast<size_t>(peer)].push_back(rank);
      waits.emplace_back(peer, draft.signal(rank, peer));
    }
  }
  // Blocks of the domain itself need not wait for those that come over the rails.
  std::vector<std::pair<Rank, Mark>> later;
  for (const bool foreign : {false, true}) {
    if (foreign) {
      for (const auto& [rank, mark] : waits) draft.wait(rank, mark);
    }
    for (Rank rank = 0; rank < draft.ranks(); ++rank) {
      const auto& came = arrived[static_cast<size_t>(rank)];
      if (foreign && came.empty()) continue;
      for (const Rank peer : domains[static_cast<size_t>(topology.domain_of(rank))]) {
        if (peer == rank) continue;
        for (const Rank data : foreign ? came : std::vector{rank}) put(rank, peer, data);
        later.emplace_back(peer, draft.signal(rank, peer));
      }
    }
  }
  for (const auto& [rank, mark] : later) draft.wait(rank, mark);
  return std::move(draft).finish(lanes);
}

// Steps 2, written (n - 1) B over rails and within, but in n - s messages over the rails for s
// ranks of a domain together: what all of them have for a rank elsewhere leaves in one message.
Result<Schedule> all_to_all_two_level(const Topology& topology, const Request& request, int lanes) {
  Draft draft(topology, request, "two_level", 1);
  draft.header().stages = 2;
  draft.header().in_place = false;
  const auto& domains = topology.domains();
  const Counterparts counterparts(topology);
  const auto duty = duties(topology, counterparts);
  const auto parts_of = [&](Rank from, Rank to) {
    return draft.whole(block_of(from) * block_of(draft.ranks()) + block_of(to));
  };
  Blocks staged(draft, Form::user);
  std::vector<std::pair<Rank, Mark>> waits;
  // Within the domain: the peer's own block, and those that it sends on.
  for (Rank rank = 0; rank < draft.ranks(); ++rank) {
    const auto domain = static_cast<size_t>(topology.domain_of(rank));
    draft.copy(rank, parts_of(rank, rank), draft.output(rank, block_of(rank)),
               draft.input(rank, block_of(rank)));
    for (const Rank peer : domains[domain]) {
      if (peer == rank) continue;
      draft.wait_record(rank, peer);
      for (Rank to = 0; to < draft.ranks(); ++to) {
        if (counterparts.find(to, domain) != peer) continue;
        const Parts parts = parts_of(rank, to);
        const Slice target = to == peer
                                 ? draft.output(peer, block_of(rank))
                                 : staged.at(peer, index_of(duty[static_cast<size_t>(peer)], to),
                                             counterparts.place(rank), parts);
        draft.copy(rank, parts, target, draft.input(rank, block_of(to)));
      }
      waits.emplace_back(peer, draft.signal(rank, peer));
    }
  }
  for (const auto& [rank, mark] : waits) draft.wait(rank, mark);
  waits.clear();
  for (Rank to = 0; to < draft.ranks(); ++to) {
    for (size_t domain = 0; domain < domains.size(); ++domain) {
      if (static_cast<int>(domain) == topology.domain_of(to)) continue;
      const Rank sender = counterparts.find(to, domain);
      draft.wait_record(sender, to);
      for (const Rank from : domains[domain]) {
        const Parts parts = parts_of(from, to);
        const Slice source =
            from == sender ? draft.input(sender, block_of(to))
                           : staged.at(sender, index_of(duty[static_cast<size_t>(sender)], to),
                                       counterparts.place(from), parts);
        draft.copy(sender, parts, draft.output(to, block_of(from)), source);
      }
      waits.emplace_back(to, draft.signal(sender, to));
    }
  }
  for (const auto& [rank, mark] : waits) draft.wait(rank, mark);
  return std::move(draft).finish(lanes);
}

}  // namespace unirack
