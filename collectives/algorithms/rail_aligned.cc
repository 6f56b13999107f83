// Two-level all-gather, reduce-scatter and all-to-all: a block crosses between two domains over the
// rails of those who hold it by the virtual slot map, which are counterparts where domains are of
// one size. So every rail carries the same, and what a domain has for a rank elsewhere travels
// together.
#include <algorithm>

#include "collectives/algorithms/algorithms.h"
#include "collectives/algorithms/draft.h"
#include "collectives/algorithms/slot_map.h"

namespace unirack {

namespace {

constexpr uint32_t kNone = ~uint32_t{0};

uint32_t block_of(Rank rank) { return static_cast<uint32_t>(rank); }

// Scratch blocks by a key of two numbers; those of one first number are equally long.
class Blocks {
 public:
  Blocks(Draft& draft, Form form, std::vector<uint32_t> lengths)
      : draft_(draft), form_(form), lengths_(std::move(lengths)), table_(lengths_.size()) {}

  // For parts of the rank's memory that start at `origin`.
  Slice at(Rank rank, size_t a, size_t b, uint32_t origin) {
    auto& row = table_[a];
    if (row.size() <= b) row.resize(b + 1, kNone);
    if (row[b] == kNone) row[b] = draft_.scratch(lengths_[a], form_);
    return {rank, BufferId::scratch, row[b], origin};
  }

 private:
  Draft& draft_;
  Form form_;
  std::vector<uint32_t> lengths_;
  std::vector<std::vector<uint32_t>> table_;
};

using Waits = std::vector<std::vector<Mark>>;  // by reader

Waits no_waits(const Draft& draft) { return Waits(static_cast<size_t>(draft.ranks())); }

void note(Waits& waits, Rank reader, Mark mark) {
  waits[static_cast<size_t>(reader)].push_back(mark);
}

void wait_all(Draft& draft, const Waits& waits) {
  for (Rank rank = 0; rank < draft.ranks(); ++rank) {
    draft.wait_each(rank, waits[static_cast<size_t>(rank)]);
  }
}

// Members of a rank's domain other than itself, starting after it.
std::vector<Rank> neighbours(const Topology& topology, const BlockMap& map, Rank rank) {
  const auto& domain = topology.domains()[static_cast<size_t>(topology.domain_of(rank))];
  std::vector<Rank> others;
  for (size_t i = 1; i < domain.size(); ++i) {
    others.push_back(domain[(map.place(rank) + i) % domain.size()]);
  }
  return others;
}

// Chunks of a data block.
Parts parts_in(const Draft& draft, uint32_t data, Parts chunks) {
  const uint32_t first = draft.whole(data).begin;
  return {first + chunks.begin, first + chunks.end};
}

// All blocks' pieces go to their holders, who sum them up over their domain.
void sum_in_domains(Draft& draft, const Topology& topology, const BlockMap& map, Blocks& sums) {
  Blocks raw(draft, Form::user, map.lengths());
  Waits waits = no_waits(draft);
  for (Rank rank = 0; rank < draft.ranks(); ++rank) {
    for (const Rank holder : neighbours(topology, map, rank)) {
      for (const Piece& piece : map.held_by(holder)) {
        const Parts parts = parts_in(draft, block_of(piece.owner), piece.chunks);
        draft.copy(rank, parts, raw.at(holder, piece.index, map.place(rank), parts.begin),
                   draft.input(rank, block_of(piece.owner)));
      }
      note(waits, holder, draft.signal(rank, holder));
    }
  }
  wait_all(draft, waits);
  std::vector<Slice> sources;
  for (Rank holder = 0; holder < draft.ranks(); ++holder) {
    const auto& domain = topology.domains()[static_cast<size_t>(topology.domain_of(holder))];
    for (const Piece& piece : map.held_by(holder)) {
      const Parts parts = parts_in(draft, block_of(piece.owner), piece.chunks);
      sources.clear();
      for (const Rank rank : domain) {
        sources.push_back(rank == holder
                              ? draft.input(holder, block_of(piece.owner))
                              : raw.at(holder, piece.index, map.place(rank), parts.begin));
      }
      draft.reduce(holder, parts, sums.at(holder, piece.index, 0, parts.begin), sources);
    }
  }
}

// Steps 2, written about (n - k) B within the domain and (k - 1) B as partial sums over the rails.
Draft reduce_scatter(const Topology& topology, const Request& request, std::string_view name) {
  const BlockMap map(topology);
  const size_t domains = topology.domains().size();
  Draft draft(topology, request, name, map.chunks());
  draft.header().stages = 2;
  Blocks sums(draft, Form::partial, map.lengths());
  Blocks arrived(draft, Form::partial, std::vector<uint32_t>(domains, map.chunks()));
  sum_in_domains(draft, topology, map, sums);
  Waits waits = no_waits(draft);
  for (Rank holder = 0; holder < draft.ranks(); ++holder) {
    const auto domain = static_cast<size_t>(topology.domain_of(holder));
    for (const Piece& piece : map.held_by(holder)) {
      if (piece.owner == holder) continue;
      const uint32_t data = block_of(piece.owner);
      const Parts parts = parts_in(draft, data, piece.chunks);
      draft.copy(holder, parts, arrived.at(piece.owner, domain, 0, draft.whole(data).begin),
                 sums.at(holder, piece.index, 0, parts.begin));
      note(waits, piece.owner, draft.signal(holder, piece.owner));
    }
  }
  wait_all(draft, waits);
  for (Rank rank = 0; rank < draft.ranks(); ++rank) {
    const Parts parts = draft.whole(block_of(rank));
    std::vector<Slice> terms;
    for (size_t domain = 0; domain < domains; ++domain) {
      const bool is_own = static_cast<int>(domain) == topology.domain_of(rank);
      terms.push_back(is_own ? sums.at(rank, map.held_by(rank)[0].index, 0, parts.begin)
                             : arrived.at(rank, domain, 0, parts.begin));
    }
    draft.reduce(rank, parts, draft.output(rank), terms);
  }
  return draft;
}

// Blocks that came over the rails are passed on as they come; a domain's own need not wait.
Draft all_gather(const Topology& topology, const Request& request, std::string_view name) {
  const BlockMap map(topology);
  const size_t domains = topology.domains().size();
  Draft draft(topology, request, name, map.chunks());
  const auto put = [&](Rank rank, Rank peer, Rank owner, Parts chunks) {
    const uint32_t data = block_of(owner);
    draft.copy(rank, parts_in(draft, data, chunks), draft.output(peer, data),
               draft.output(rank, data));
  };
  const Parts whole{0, map.chunks()};
  std::vector<std::vector<Mark>> marks(static_cast<size_t>(draft.ranks()));  // by owner and piece
  for (Rank rank = 0; rank < draft.ranks(); ++rank) {
    const uint32_t own = block_of(rank);
    draft.copy(rank, draft.whole(own), draft.output(rank, own), draft.input(rank));
    for (size_t step = 1; step < domains; ++step) {
      const size_t domain = (static_cast<size_t>(topology.domain_of(rank)) + step) % domains;
      for (const Piece& piece : map.of(rank, domain)) {
        draft.wait_record(rank, piece.holder);
        put(rank, piece.holder, rank, piece.chunks);
        marks[static_cast<size_t>(piece.holder)].push_back(draft.signal(rank, piece.holder));
      }
    }
    for (const Rank peer : neighbours(topology, map, rank)) {
      draft.wait_record(rank, peer);
      put(rank, peer, rank, whole);
    }
  }
  Waits last = no_waits(draft);
  for (Rank rank = 0; rank < draft.ranks(); ++rank) {
    const auto others = neighbours(topology, map, rank);
    auto& came = marks[static_cast<size_t>(rank)];
    // The nearest domain below sends first.
    const auto own = static_cast<size_t>(topology.domain_of(rank));
    const auto turn = [&](const Mark& mark) {
      const auto from = static_cast<size_t>(topology.domain_of(mark.writer));
      return (own + domains - from) % domains;
    };
    std::stable_sort(came.begin(), came.end(),
                     [&](const Mark& a, const Mark& b) { return turn(a) < turn(b); });
    for (const Mark& mark : came) {
      draft.wait(rank, mark);
      for (const Piece& piece : map.of(mark.writer, own)) {
        if (piece.holder != rank) continue;
        for (const Rank peer : others) put(rank, peer, piece.owner, piece.chunks);
      }
    }
    for (const Rank peer : others) note(last, peer, draft.signal(rank, peer));
  }
  wait_all(draft, last);
  return draft;
}

// Writes an all-to-all by two hops: to the member of one's domain that holds the target's place,
// and from there over its rail.
class TwoHops {
 public:
  // `is_staged`: blocks wait in scratch for their output, which may still be somebody's input.
  TwoHops(const Topology& topology, const Request& request, std::string_view name, bool is_staged)
      : topology_(topology),
        map_(topology),
        domains_(topology.domains().size()),
        is_staged_(is_staged),
        draft_(topology, request, name, map_.chunks()),
        passing_(draft_, Form::user, map_.lengths()),
        arrived_(draft_, Form::user,
                 std::vector<uint32_t>(static_cast<size_t>(draft_.ranks()), map_.chunks())),
        handed_(static_cast<size_t>(draft_.ranks()), std::vector<std::vector<Mark>>(domains_)),
        waits_(no_waits(draft_)) {
    draft_.header().stages = 2;
    draft_.header().in_place = is_staged;
  }

  Draft write() && {
    for (Rank rank = 0; rank < draft_.ranks(); ++rank) hand_over(rank);
    for (Rank rank = 0; rank < draft_.ranks(); ++rank) cross(rank);
    for (Rank rank = 0; rank < draft_.ranks(); ++rank) deliver_within(rank);
    wait_all(draft_, waits_);
    for (Rank rank = 0; rank < draft_.ranks(); ++rank) unstage(rank);
    return std::move(draft_);
  }

 private:
  Parts parts(Rank from, Rank to, Parts chunks) const {
    return parts_in(draft_, block_of(from) * block_of(draft_.ranks()) + block_of(to), chunks);
  }

  size_t domain_of(Rank rank) const { return static_cast<size_t>(topology_.domain_of(rank)); }

  // The pieces that a holder has for ranks of the domain `step` after its own.
  std::span<const Piece> pieces_for(Rank holder, size_t step) const {
    const auto& held = map_.held_by(holder);
    const auto step_of = [&](const Piece& piece) {
      return (domain_of(piece.owner) + domains_ - domain_of(holder)) % domains_;
    };
    const auto begin = std::partition_point(
        held.begin(), held.end(), [&](const Piece& piece) { return step_of(piece) < step; });
    const auto end = std::partition_point(
        begin, held.end(), [&](const Piece& piece) { return step_of(piece) == step; });
    return {begin, end};
  }

  // Target by target domain, so that rails are busy from the first on.
  void hand_over(Rank rank) {
    for (size_t step = 1; step < domains_; ++step) {
      for (const Rank holder : neighbours(topology_, map_, rank)) {
        const auto pieces = pieces_for(holder, step);
        for (const Piece& piece : pieces) {
          const Parts moved = parts(rank, piece.owner, piece.chunks);
          draft_.copy(rank, moved, passing_.at(holder, piece.index, map_.place(rank), moved.begin),
                      draft_.input(rank, block_of(piece.owner)));
        }
        if (pieces.empty()) continue;
        handed_[static_cast<size_t>(holder)][step].push_back(draft_.signal(rank, holder));
      }
    }
  }

  void cross(Rank holder) {
    auto senders = neighbours(topology_, map_, holder);
    senders.insert(senders.begin(), holder);
    for (size_t step = 1; step < domains_; ++step) {
      draft_.wait_each(holder, handed_[static_cast<size_t>(holder)][step]);
      for (const Piece& piece : pieces_for(holder, step)) {
        if (!is_staged_) draft_.wait_record(holder, piece.owner);
        for (const Rank from : senders) {
          const Parts moved = parts(from, piece.owner, piece.chunks);
          const Slice source =
              from == holder ? draft_.input(holder, block_of(piece.owner))
                             : passing_.at(holder, piece.index, map_.place(from), moved.begin);
          draft_.copy(holder, moved, target(from, piece.owner), source);
        }
        note(waits_, piece.owner, draft_.signal(holder, piece.owner));
      }
    }
  }

  void deliver_within(Rank rank) {
    for (const Rank peer : neighbours(topology_, map_, rank)) {
      if (!is_staged_) draft_.wait_record(rank, peer);
      draft_.copy(rank, parts(rank, peer, {0, map_.chunks()}), target(rank, peer),
                  draft_.input(rank, block_of(peer)));
      note(waits_, peer, draft_.signal(rank, peer));
    }
    if (!is_staged_) copy_own(rank);
  }

  void copy_own(Rank rank) {
    draft_.copy(rank, parts(rank, rank, {0, map_.chunks()}), draft_.output(rank, block_of(rank)),
                draft_.input(rank, block_of(rank)));
  }

  Slice target(Rank from, Rank to) {
    if (!is_staged_) return draft_.output(to, block_of(from));
    return arrived_.at(to, block_of(from), 0, parts(from, to, {0, map_.chunks()}).begin);
  }

  void unstage(Rank rank) {
    if (!is_staged_) return;
    copy_own(rank);
    for (const Rank from : draft_.peers(rank)) {
      draft_.copy(rank, parts(from, rank, {0, map_.chunks()}), draft_.output(rank, block_of(from)),
                  target(from, rank));
    }
  }

  const Topology& topology_;
  const BlockMap map_;
  const size_t domains_;
  const bool is_staged_;
  Draft draft_;
  Blocks passing_;
  Blocks arrived_;
  std::vector<std::vector<std::vector<Mark>>> handed_;  // by holder and step
  Waits waits_;
};

}  // namespace

Result<Schedule> reduce_scatter_two_level(const Topology& topology, const Request& request,
                                          int lanes) {
  return reduce_scatter(topology, request, "two_level").finish(lanes);
}

Result<Schedule> reduce_scatter_two_level_pipelined(const Topology& topology,
                                                    const Request& request, int lanes) {
  return stripe_staggered(reduce_scatter(topology, request, "two_level_pipelined").finish(1),
                          std::max(lanes, 2));
}

// Steps 2, written (k - 1) B over the rails, each block once a domain, and the rest within.
Result<Schedule> all_gather_two_level(const Topology& topology, const Request& request, int lanes) {
  return all_gather(topology, request, "two_level").finish(lanes);
}

Result<Schedule> all_gather_two_level_pipelined(const Topology& topology, const Request& request,
                                                int lanes) {
  return stripe_staggered(all_gather(topology, request, "two_level_pipelined").finish(1),
                          std::max(lanes, 2));
}

// Steps 2, written (n - s) B over the rails and (n - 1) B within, but in n - s messages over the
// rails for s ranks of a domain together: what all of them have for a rank elsewhere leaves in one.
Result<Schedule> all_to_all_two_level(const Topology& topology, const Request& request, int lanes) {
  return TwoHops(topology, request, "two_level", false).write().finish(lanes);
}

// The same in place, and (n - 1) B copied out of scratch.
Result<Schedule> all_to_all_two_level_staged(const Topology& topology, const Request& request,
                                             int lanes) {
  return TwoHops(topology, request, "two_level_staged", true).write().finish(lanes);
}

}  // namespace unirack
