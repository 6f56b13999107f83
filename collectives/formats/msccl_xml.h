// MSCCL's algorithm files as data: GPUs, their thread blocks, and the steps of each, as the file
// says them. Reading is bounded and checks what can be said of a step alone; msccl_order.h finds
// whether the whole comes to an end and races.
//
// A thread block sends to at most one peer and receives from at most one, over a channel; the k-th
// message that it is sent is taken by its k-th step that receives. Steps run in order, and may wait
// for a step of another block of the same GPU that announces itself (hasdep).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "collectives/layout.h"

namespace unirack {

enum class MscclOp : uint8_t {
  send,
  receive,
  receive_copy_send,
  receive_reduce_send,
  receive_reduce_copy,
  receive_reduce_copy_send,
  copy,
  reduce,
  nop,
};

constexpr bool receives(MscclOp op) {
  return op >= MscclOp::receive && op <= MscclOp::receive_reduce_copy_send;
}
constexpr bool sends(MscclOp op) {
  return op == MscclOp::send || op == MscclOp::receive_copy_send ||
         op == MscclOp::receive_reduce_send || op == MscclOp::receive_reduce_copy_send;
}
constexpr bool reduces(MscclOp op) {
  return op == MscclOp::reduce ||
         (op >= MscclOp::receive_reduce_send && op <= MscclOp::receive_reduce_copy_send);
}
constexpr bool reads_source(MscclOp op) {
  return op == MscclOp::send || op == MscclOp::copy || reduces(op);
}
constexpr bool writes_target(MscclOp op) {
  return op != MscclOp::send && op != MscclOp::nop && op != MscclOp::receive_reduce_send;
}

struct MscclPlace {
  BufferId buffer = BufferId::input;
  uint32_t chunk = 0;
};

struct MscclStep {
  MscclOp op = MscclOp::nop;
  MscclPlace source;
  MscclPlace target;
  uint32_t count = 1;        // chunks
  int32_t after_block = -1;  // waits for a step of that block; -1: for none
  int32_t after_step = -1;
  bool announces = false;  // others may wait for it
  size_t offset = 0;       // in the file
};

struct MscclBlock {
  int32_t send = -1;
  int32_t receive = -1;
  int32_t channel = -1;
  std::vector<MscclStep> steps;
  size_t offset = 0;
};

struct MscclGpu {
  std::vector<MscclBlock> blocks;
};

struct MscclAlgorithm {
  std::string name;
  Collective collective = Collective::all_reduce;
  bool in_place = false;  // input and output share memory
  uint32_t chunks = 1;    // of a block of a buffer
  std::vector<MscclGpu> gpus;

  int rank_count() const { return static_cast<int>(gpus.size()); }
  Layout layout() const { return {collective, rank_count(), 0}; }
  // The place that stands for all places that share its memory.
  MscclPlace own_place(Rank gpu, MscclPlace place) const;
  // "line 12, gpu 3, tb 2, step 5: why"
  Error error(std::string_view text, uint32_t gpu, uint32_t block, uint32_t step,
              std::string_view why) const;
};

Result<MscclAlgorithm> read_msccl_xml(std::string_view text);

}  // namespace unirack
