// What each collective means, in one place: which data lies where before and after, and who
// contributes to it. Generators build towards it, the verifier checks against it, the executor
// sizes buffers by it.
//
// A *data block* is a vector of `count` elements with a meaning of its own: the one vector of an
// all-reduce, the n blocks of an all-gather, the n * n blocks of an all-to-all.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "kernels/program.h"
#include "lib/base/result.h"
#include "lib/base/types.h"

namespace unirack {

enum class Collective : uint8_t {
  all_reduce,
  reduce,
  reduce_scatter,
  all_gather,
  broadcast,
  all_to_all,
  all_to_all_v,
  gather,
  scatter,
  send_recv,  // rank 0 of the pair sends, rank 1 receives
  barrier,
};
inline constexpr int kCollectiveCount = 11;

std::string_view collective_name(Collective collective);
std::optional<Collective> collective_from_name(std::string_view name);

struct Request {
  Collective collective = Collective::barrier;
  Rank root = 0;
  DataType type = DataType::uint8;
  ReduceOp op = ReduceOp::sum;
  uint64_t count = 0;      // elements a block; 0 for all_to_all_v
  bool symmetric = false;  // every rank's input and output is symmetric memory
  bool in_place = false;   // only all_to_all asks: its plan depends on it
};

constexpr bool is_reduction(Collective collective) {
  return collective == Collective::all_reduce || collective == Collective::reduce ||
         collective == Collective::reduce_scatter;
}

// The layout of one collective over `ranks` ranks.
class Layout {
 public:
  Layout(Collective collective, int ranks, Rank root)
      : collective_(collective), ranks_(static_cast<uint32_t>(ranks)), root_(root) {}

  uint32_t data_blocks() const;
  // Blocks of the buffer at `rank`; 0 where the buffer has no meaning (output of a non-root).
  uint32_t blocks(Rank rank, BufferId buffer) const;
  // Which data block lies in block `block` of that buffer.
  uint32_t data_block(Rank rank, BufferId buffer, uint32_t block) const;
  // Whether `rank`'s input adds to data block `data`.
  bool contributes(Rank rank, uint32_t data) const;
  // In place: the output block that shares memory with this input block.
  std::optional<uint32_t> aliased_output(Rank rank, uint32_t input_block) const;

 private:
  uint32_t input_block_data(Rank rank, uint32_t block) const;

  Collective collective_;
  uint32_t ranks_;
  Rank root_;
};

}  // namespace unirack
