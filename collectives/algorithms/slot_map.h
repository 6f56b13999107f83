// The virtual slot map: who of a domain's members stands for what when domains differ in size. A
// vector, or the blocks of another domain's ranks, is laid out as one line of equal chunks, and
// each domain deals the line to its members in consecutive shares that differ by at most one chunk.
// So every member, and with it every rail, carries the same, and a slot that another domain lacks
// is no hole but a shift. Immutable values, a pure function of the sizes.
#pragma once

#include <cstdint>
#include <vector>

#include "collectives/schedule.h"
#include "lib/topology/topology.h"

namespace unirack {

// A run of chunks that has one owner in every domain.
struct Column {
  Parts parts;
  std::vector<uint32_t> owners;    // by domain: place of the member
  std::vector<uint32_t> finished;  // by domain: how many of its chunks are finished there
  uint32_t turn = 0;               // differs between columns that have an owner in common
};

// A vector, dealt to the members of every domain.
class ColumnMap {
 public:
  // By domain: its size, and its weight in finishing chunks. Columns have a multiple of `unit`
  // chunks if is_exact(). Every size is between 1 and kChunksMax.
  ColumnMap(const std::vector<uint32_t>& sizes, const std::vector<uint32_t>& weights,
            uint32_t unit);

  // Whether few enough chunks serve all sizes without a remainder. If not, the smallest domain has
  // none, which is the one whose members carry most.
  static bool is_exact(const std::vector<uint32_t>& sizes, uint32_t unit);

  uint32_t chunks() const { return chunks_; }
  const std::vector<Column>& columns() const { return columns_; }
  uint32_t turns() const { return turns_; }
  // By place: the shares of a domain's members.
  const std::vector<Parts>& shares(size_t domain) const { return shares_[domain]; }

 private:
  void cut();
  void deal_finishing(const std::vector<uint32_t>& weights);

  uint32_t chunks_ = 1;
  uint32_t turns_ = 1;
  std::vector<std::vector<Parts>> shares_;  // by domain and place
  std::vector<Column> columns_;
};

// How many of every `sum of weights` chunks each domain had better finish, so that the members of
// the domain with most to carry per member carry least. `partial_factor`: bytes of a partial sum
// over those of a finished one.
std::vector<uint32_t> finishing_weights(const std::vector<uint32_t>& sizes,
                                        uint32_t partial_factor);

// What one rank stands for in its domain: chunks of the block of a rank.
struct Piece {
  Rank holder = kNoRank;
  Rank owner = kNoRank;  // of the block; a holder of its own domain's blocks is their owner
  Parts chunks;          // within the block
  uint32_t index = 0;    // among the holder's pieces
};

// The blocks of all ranks, dealt to the members of every domain.
class BlockMap {
 public:
  explicit BlockMap(const Topology& topology);

  // Chunks of a block.
  uint32_t chunks() const { return chunks_; }
  // Index of a rank in its domain.
  uint32_t place(Rank rank) const { return places_[static_cast<size_t>(rank)]; }
  // Own block first, then by domains, starting after the own one.
  const std::vector<Piece>& held_by(Rank holder) const {
    return held_[static_cast<size_t>(holder)];
  }
  // The pieces of a rank's block in a domain, in order.
  const std::vector<Piece>& of(Rank owner, size_t domain) const {
    return pieces_[static_cast<size_t>(owner) * domains_ + domain];
  }
  // By index: the most chunks that a piece of it has.
  const std::vector<uint32_t>& lengths() const { return lengths_; }

 private:
  void deal(const Topology& topology, size_t from, size_t to);

  size_t domains_ = 1;
  uint32_t chunks_ = 1;
  std::vector<uint32_t> places_;
  std::vector<std::vector<Piece>> held_;
  std::vector<std::vector<Piece>> pieces_;  // by owner and domain
  std::vector<uint32_t> lengths_;
};

std::vector<uint32_t> domain_sizes(const Topology& topology);

}  // namespace unirack
