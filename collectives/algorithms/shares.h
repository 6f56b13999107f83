// A vector dealt out in shares: who sums which part of it, and how the parts come together again.
// What two-shot plans consist of, written on a draft of one data block; two-level plans embed
// them. Shares are by rank, disjoint, of any length, and may be empty.
#pragma once

#include <vector>

#include "collectives/algorithms/draft.h"

namespace unirack {

using Shares = std::vector<Parts>;

constexpr bool is_empty(Parts parts) { return parts.begin == parts.end; }
// Rank r has chunk r.
Shares chunk_shares(int ranks);
// Shares of these lengths, one after the other.
Shares consecutive_shares(const std::vector<uint32_t>& lengths);

// Everyone's contribution to `parts` at `rank`, by rank: its own, the peers' in the scratch blocks
// from `first` on.
std::vector<Slice> contributions(const Draft& draft, Rank rank, Slice own, uint32_t first,
                                 Parts parts);

// Every rank's share is put to it by all and summed into its output. With one more call that ends
// when all have summed, one stage of scratch is enough, else two.
void sum_shares(Draft& draft, const Shares& shares);
// The same by reading the peers' symmetric inputs, until all have read.
void sum_shares_pull(Draft& draft, const Shares& shares);
// Sums that only the root gets: others' travel there unfinished.
void sum_shares_for(Draft& draft, const Shares& shares, Rank root);
// Each rank holds its share as an unfinished sum in its input; the root's output gets all of them.
void finish_shares(Draft& draft, const Shares& shares, Rank root);

// The root gives every rank its share; its own output is left alone.
void deal_shares(Draft& draft, const Shares& shares, Rank root);
// Everyone passes the share in its output to everyone's output, but not to `satisfied`. `records`:
// nothing before told the ranks that others have begun.
void gather_shares(Draft& draft, const Shares& shares, bool records, Rank satisfied = kNoRank);

// Everyone tells everyone, and waits for all.
void meet(Draft& draft);

}  // namespace unirack
