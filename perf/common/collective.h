// What a perf test has to say about its collective: how big its buffers are, which blocks of data
// go in and which must come out, and how to call it. Everything else (options, launching, timing,
// checking, tables) is common.
//
// One object a process, made in main and read by all rank threads at once: methods are const.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "perf/common/types.h"
#include "unirack/unirack.h"

namespace unirack::perf {

// One call as one rank sees it.
struct Call {
  int rank = 0;
  int rank_count = 1;
  size_t count = 0;  // as passed to the library, in elements
  unirackDataType_t type = unirackFloat32;
  Op op = Op::sum;
  unirackRedOp_t op_handle = unirackSum;
  int root = 0;
};

inline constexpr int kReduced = -1;

// `count` elements from element `offset` of a buffer: block `id` of what rank `source` sends, or
// the reduction of block `id` over all ranks (kReduced).
struct Block {
  size_t offset = 0;
  size_t count = 0;
  int source = 0;
  int id = 0;
};
using Blocks = std::vector<Block>;

// Where the two sides lie in the one buffer of an in-place call, in elements.
struct InPlace {
  size_t send_offset = 0;
  size_t recv_offset = 0;
};

// An option that only this test has.
struct ExtraOption {
  std::string name;  // "--experts"
  std::string help;
  std::variant<size_t*, double*, std::string*> value;
};

class Collective {
 public:
  virtual ~Collective() = default;

  virtual std::string_view name() const = 0;     // "all_reduce_perf"
  virtual std::string_view summary() const = 0;  // one sentence for --help
  virtual std::string_view bus_formula() const = 0;
  virtual double bus_factor(int rank_count) const = 0;

  virtual bool reduces() const { return false; }
  virtual bool rooted() const { return false; }
  virtual bool has_in_place() const { return true; }
  // Whether no rank can finish a call before all have entered it.
  virtual bool synchronizes() const { return true; }
  virtual bool supports(int /*rank_count*/) const { return true; }
  // The bytes of a row are this many blocks of `count` elements.
  virtual int blocks_per_size(int /*rank_count*/) const { return 1; }
  // The bytes of a row that count for the algorithm bandwidth.
  virtual double moved_bytes(double size_bytes, int /*rank_count*/) const { return size_bytes; }
  // Non-zero: the only element count there is; the options -b and -e have no meaning.
  virtual size_t fixed_count() const { return 0; }
  virtual std::vector<ExtraOption> extra_options() { return {}; }
  // Why the extra options make no sense for this many ranks; empty when they do.
  virtual std::string validate(int /*rank_count*/) { return {}; }

  virtual Blocks inputs(const Call& call) const = 0;   // in the send buffer
  virtual Blocks outputs(const Call& call) const = 0;  // in the receive buffer
  virtual InPlace in_place(const Call& /*call*/) const { return {}; }
  virtual unirackResult_t run(const Call& call, const void* send, void* recv,
                              unirackComm_t comm) const = 0;
};

// One block of each rank, one after the other; in sends `id` is the target.
Blocks blocks_to_all(const Call& call);
Blocks blocks_from_all(const Call& call, int id);

// The elements a buffer must hold.
size_t extent_of(const Blocks& blocks);

}  // namespace unirack::perf
