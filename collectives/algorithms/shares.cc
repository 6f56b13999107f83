#include "collectives/algorithms/shares.h"

#include <algorithm>

namespace unirack {

namespace {

using Marks = std::vector<std::vector<Mark>>;  // by reader

Parts share_of(const Shares& shares, Rank rank) { return shares[static_cast<size_t>(rank)]; }

uint32_t longest(const Shares& shares) {
  uint32_t length = 0;
  for (const Parts& share : shares) length = std::max(length, share.end - share.begin);
  return length;
}

void wait_all(Draft& draft, Rank rank, const Marks& marks) {
  draft.wait_each(rank, marks[static_cast<size_t>(rank)]);
}

// Everyone's share goes to its scratch; the first of the blocks, one for each other rank.
uint32_t put_shares(Draft& draft, const Shares& shares, Marks& marks) {
  const uint32_t first = draft.scratches(static_cast<size_t>(draft.ranks()) - 1, longest(shares));
  marks.resize(static_cast<size_t>(draft.ranks()));
  for (Rank rank = 0; rank < draft.ranks(); ++rank) {
    for (const Rank peer : draft.peers(rank)) {
      const Parts share = share_of(shares, peer);
      if (is_empty(share)) continue;
      draft.copy(rank, share, Draft::at(peer, first + Draft::slot(peer, rank), share),
                 draft.input(rank));
      marks[static_cast<size_t>(peer)].push_back(draft.signal(rank, peer));
    }
  }
  return first;
}

}  // namespace

Shares chunk_shares(int ranks) {
  return consecutive_shares(std::vector<uint32_t>(static_cast<size_t>(ranks), 1));
}

Shares consecutive_shares(const std::vector<uint32_t>& lengths) {
  Shares shares;
  uint32_t begin = 0;
  for (const uint32_t length : lengths) {
    shares.push_back({begin, begin + length});
    begin += length;
  }
  return shares;
}

std::vector<Slice> contributions(const Draft& draft, Rank rank, Slice own, uint32_t first,
                                 Parts parts) {
  std::vector<Slice> by_rank;
  for (Rank peer = 0; peer < draft.ranks(); ++peer) {
    by_rank.push_back(peer == rank ? own : Draft::at(rank, first + Draft::slot(rank, peer), parts));
  }
  return by_rank;
}

void sum_shares(Draft& draft, const Shares& shares) {
  Marks marks;
  const uint32_t first = put_shares(draft, shares, marks);
  for (Rank rank = 0; rank < draft.ranks(); ++rank) {
    const Parts share = share_of(shares, rank);
    wait_all(draft, rank, marks);
    draft.fold(rank, share, draft.output(rank),
               contributions(draft, rank, draft.input(rank), first, share));
  }
}

void sum_shares_pull(Draft& draft, const Shares& shares) {
  for (Rank rank = 0; rank < draft.ranks(); ++rank) {
    std::vector<Slice> inputs;
    for (Rank peer = 0; peer < draft.ranks(); ++peer) inputs.push_back(draft.input(peer));
    for (const Rank peer : draft.peers(rank)) draft.wait_record(rank, peer);
    draft.fold(rank, share_of(shares, rank), draft.output(rank), inputs);
  }
  meet(draft);
}

void sum_shares_for(Draft& draft, const Shares& shares, Rank root) {
  Marks marks;
  const uint32_t first = put_shares(draft, shares, marks);
  const uint32_t sums = draft.scratches(shares.size(), longest(shares), Form::partial);
  std::vector<Mark> summed(shares.size());
  for (Rank rank = 0; rank < draft.ranks(); ++rank) {
    const Parts share = share_of(shares, rank);
    if (is_empty(share)) continue;
    wait_all(draft, rank, marks);
    const auto sources = contributions(draft, rank, draft.input(rank), first, share);
    if (rank == root) {
      draft.fold(rank, share, draft.output(rank), sources);
      continue;
    }
    const uint32_t block = sums + static_cast<uint32_t>(rank);
    draft.fold(rank, share, Draft::at(rank, block, share), sources);
    draft.copy(rank, share, Draft::at(root, block, share), Draft::at(rank, block, share));
    summed[static_cast<size_t>(rank)] = draft.signal(rank, root);
  }
  for (const Rank rank : draft.peers(root)) {
    const Parts share = share_of(shares, rank);
    if (is_empty(share)) continue;
    const Slice sum = Draft::at(root, sums + static_cast<uint32_t>(rank), share);
    draft.wait(root, summed[static_cast<size_t>(rank)]);
    draft.reduce(root, share, draft.output(root), std::span(&sum, 1));
  }
  // Who sums nothing does not know otherwise that the stage may be written again.
  for (const Rank rank : draft.peers(root)) {
    if (is_empty(share_of(shares, rank))) draft.wait(rank, draft.signal(root, rank), 1);
  }
}

void finish_shares(Draft& draft, const Shares& shares, Rank root) {
  const uint32_t first = draft.scratches(shares.size() - 1, longest(shares));
  std::vector<std::pair<Rank, Mark>> sent;
  for (const Rank rank : draft.peers(root)) {
    const Parts share = share_of(shares, rank);
    if (is_empty(share)) continue;
    draft.copy(rank, share, Draft::at(root, first + Draft::slot(root, rank), share),
               draft.input(rank));
    sent.emplace_back(rank, draft.signal(rank, root));
  }
  const Slice own = draft.input(root);
  draft.reduce(root, share_of(shares, root), draft.output(root), std::span(&own, 1));
  for (const auto& [rank, mark] : sent) {
    const Parts share = share_of(shares, rank);
    const Slice sum = Draft::at(root, first + Draft::slot(root, rank), share);
    draft.wait(root, mark);
    draft.reduce(root, share, draft.output(root), std::span(&sum, 1));
  }
  // The stage may be written again.
  for (const auto& [rank, mark] : sent) draft.wait(rank, draft.signal(root, rank), 1);
}

void deal_shares(Draft& draft, const Shares& shares, Rank root) {
  for (const Rank peer : draft.peers(root)) {
    const Parts share = share_of(shares, peer);
    if (is_empty(share)) continue;
    draft.wait_record(root, peer);
    draft.copy(root, share, draft.output(peer), draft.input(root));
    draft.wait(peer, draft.signal(root, peer));
  }
}

void gather_shares(Draft& draft, const Shares& shares, bool records, Rank satisfied) {
  Marks marks(shares.size());
  for (Rank rank = 0; rank < draft.ranks(); ++rank) {
    const Parts share = share_of(shares, rank);
    if (is_empty(share)) continue;
    for (const Rank peer : draft.peers(rank)) {
      if (peer == satisfied) continue;
      if (records) draft.wait_record(rank, peer);
      draft.copy(rank, share, draft.output(peer), draft.output(rank));
      marks[static_cast<size_t>(peer)].push_back(draft.signal(rank, peer));
    }
  }
  for (Rank rank = 0; rank < draft.ranks(); ++rank) wait_all(draft, rank, marks);
}

void meet(Draft& draft) {
  Marks marks(static_cast<size_t>(draft.ranks()));
  for (Rank rank = 0; rank < draft.ranks(); ++rank) {
    for (const Rank peer : draft.peers(rank)) {
      marks[static_cast<size_t>(peer)].push_back(draft.signal(rank, peer));
    }
  }
  for (Rank rank = 0; rank < draft.ranks(); ++rank) wait_all(draft, rank, marks);
}

}  // namespace unirack
