// The call that a schedule is priced for, as options of a command, and quantities as people read
// them. Sizes are counted as nccl-tests counts them: the bytes of the larger buffer of one rank.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "collectives/simulate/simulate.h"

namespace unirack::topo {

class CommandLine;

struct CallOptions {
  uint64_t bytes = uint64_t{1} << 20;
  std::string type = "float";
  std::string op = "sum";
};

// --size, --type and --op.
void add_call(CommandLine& command, CallOptions& options);

Result<DataType> data_type_of(const CallOptions& options);
Result<ReduceOp> reduce_op_of(const CallOptions& options);

// Blocks of the larger of a rank's buffers; 1 where blocks have no size.
uint32_t blocks_of(const Layout& layout, int rank_count);
// Elements a block of a call of `bytes`; at least one.
uint64_t count_of(const Layout& layout, int rank_count, uint64_t bytes, DataType type);

Result<SimulatedCall> call_of(const Schedule& schedule, const CallOptions& options);
// Bytes of the larger buffer.
uint64_t bytes_of(const Schedule& schedule, const SimulatedCall& call);

// What nccl-tests multiplies the algorithm bandwidth with.
double bus_factor(Collective collective, int rank_count);

// "64K", "1M", "1.5G", "100"; nothing: no such size.
std::optional<uint64_t> bytes_in(std::string_view text);

// "1 MiB", "1.5 KiB", "1,000,001 B"
std::string size_text(uint64_t bytes);
// "12.345 us"
std::string duration_text(uint64_t ps);

}  // namespace unirack::topo
