#include "perf/topo/call.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "lib/topology/render/text.h"
#include "perf/topo/command_line.h"

namespace unirack::topo {

void add_call(CommandLine& command, CallOptions& options) {
  command.bytes("--size", options.bytes, 1, uint64_t{1} << 44,
                "bytes of the larger buffer of one rank, as nccl-tests counts; default: 1M");
  command.option("--type", "TYPE", options.type, "element type, as in nccl-tests; default: float");
  command.option("--op", "OP", options.op, "sum, prod, max, min, avg or mulsum; default: sum");
}

Result<DataType> data_type_of(const CallOptions& options) {
  std::string names;
  for (int i = 0; i < kDataTypeCount; ++i) {
    const auto type = static_cast<DataType>(i);
    if (type_name(type) == options.type) return type;
    names += (i > 0 ? ", " : "") + std::string(type_name(type));
  }
  return make_error(Code::invalid_argument,
                    fmt::format("'{}' is no type: expected one of {}", options.type, names));
}

Result<ReduceOp> reduce_op_of(const CallOptions& options) {
  std::string names;
  for (int i = 0; i < kReduceOpCount; ++i) {
    const auto op = static_cast<ReduceOp>(i);
    if (op_name(op) == options.op) return op;
    names += (i > 0 ? ", " : "") + std::string(op_name(op));
  }
  return make_error(Code::invalid_argument,
                    fmt::format("'{}' is no operation: expected one of {}", options.op, names));
}

uint32_t blocks_of(const Layout& layout, int rank_count) {
  uint32_t most = 1;
  for (Rank rank = 0; rank < rank_count; ++rank) {
    for (const BufferId buffer : {BufferId::input, BufferId::output}) {
      most = std::max(most, layout.blocks(rank, buffer));
    }
  }
  return most;
}

uint64_t count_of(const Layout& layout, int rank_count, uint64_t bytes, DataType type) {
  return std::max<uint64_t>(1, bytes / blocks_of(layout, rank_count) / size_of(type));
}

Result<SimulatedCall> call_of(const Schedule& schedule, const CallOptions& options) {
  SimulatedCall call;
  call.type = UNIRACK_TRY(data_type_of(options));
  call.op = UNIRACK_TRY(reduce_op_of(options));
  call.count = count_of(schedule.layout(), schedule.header().rank_count, options.bytes, call.type);
  return call;
}

uint64_t bytes_of(const Schedule& schedule, const SimulatedCall& call) {
  return call.count * size_of(call.type) *
         blocks_of(schedule.layout(), schedule.header().rank_count);
}

double bus_factor(Collective collective, int rank_count) {
  const double share = static_cast<double>(rank_count - 1) / static_cast<double>(rank_count);
  switch (collective) {
    case Collective::all_reduce:
      return 2 * share;
    case Collective::reduce_scatter:
    case Collective::all_gather:
    case Collective::all_to_all:
    case Collective::all_to_all_v:
    case Collective::gather:
    case Collective::scatter:
      return share;
    default:
      return 1;
  }
}

std::optional<uint64_t> bytes_in(std::string_view text) {
  constexpr std::string_view kLetters = "KMGT";
  uint64_t value = 0;
  const char* const last = text.data() + text.size();
  const auto [end, problem] = std::from_chars(text.data(), last, value);
  if (problem != std::errc() || value > uint64_t{1} << 44) return std::nullopt;
  std::string_view unit(end, static_cast<size_t>(last - end));
  if (unit.ends_with('B')) unit.remove_suffix(unit.ends_with("iB") ? 2 : 1);
  if (unit.empty()) return value;
  const size_t place = kLetters.find(static_cast<char>(unit[0] & ~0x20));
  if (unit.size() != 1 || place == std::string_view::npos) return std::nullopt;
  value <<= 10 * (place + 1);
  return value > uint64_t{1} << 44 ? std::nullopt : std::optional(value);
}

std::string size_text(uint64_t bytes) {
  constexpr std::array<std::string_view, 5> kUnits = {"B", "KiB", "MiB", "GiB", "TiB"};
  size_t unit = 0;
  uint64_t scale = 1;
  while (unit + 1 < kUnits.size() && bytes >= scale * 1024) {
    scale *= 1024;
    ++unit;
  }
  // Whole numbers and quarters are exact; all else is told to the byte, or rounded.
  if (bytes % (scale / 4 + (scale == 1)) == 0) {
    return fmt::format("{:.4g} {}", static_cast<double>(bytes) / static_cast<double>(scale),
                       kUnits[unit]);
  }
  if (bytes < 10'000'000) return grouped(bytes) + " B";
  return fmt::format("{:.2f} {}", static_cast<double>(bytes) / static_cast<double>(scale),
                     kUnits[unit]);
}

std::string duration_text(uint64_t ps) {
  const auto value = static_cast<double>(ps);
  if (ps < 1'000'000'000) return fmt::format("{:.3f} us", value * 1e-6);
  if (ps < 1'000'000'000'000) return fmt::format("{:.3f} ms", value * 1e-9);
  return fmt::format("{:.3f} s", value * 1e-12);
}

}  // namespace unirack::topo
