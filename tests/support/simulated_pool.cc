#include "tests/support/simulated_pool.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>

#include "kernels/reduce.h"
#include "lib/base/random.h"

namespace unirack::testing {

namespace {

constexpr std::byte kBefore{0x5a};
constexpr std::byte kAfter{0xa7};

// A value whose float sums depend on the order, in the caller's type.
void write_value(DataType type, uint64_t random, std::byte* target) {
  if (!is_float(type)) {
    std::memcpy(target, &random, unirack::size_of(type));
    return;
  }
  // Exponents differ by up to 2^7, so low bits are lost at every addition.
  const auto mantissa = static_cast<float>(1.0 + static_cast<double>(random & 0xffff) / 65536.0);
  const float sign = (random >> 20 & 1) != 0 ? -1.0F : 1.0F;
  const float value = sign * std::ldexp(mantissa, static_cast<int>(random >> 24 & 7));
  if (type == DataType::float64) {
    const double wide = value * (1.0 + 1e-9);
    std::memcpy(target, &wide, sizeof(wide));
  } else if (type == DataType::float32) {
    std::memcpy(target, &value, sizeof(value));
  } else if (type == DataType::bfloat16) {
    const auto half = static_cast<uint16_t>(std::bit_cast<uint32_t>(value) >> 16);
    std::memcpy(target, &half, sizeof(half));
  } else {
    const auto small = static_cast<uint16_t>(random & 0x3bff);  // finite in every small type
    std::memcpy(target, &small, unirack::size_of(type));
  }
}

}  // namespace

SimulatedPool::SimulatedPool(const Schedule& schedule, const Interleaving& how)
    : schedule_(schedule),
      how_(how),
      layout_(schedule.layout()),
      geometry_(schedule.geometry(how.count, how.type)),
      plan_(plan_scratch(schedule.program_view(0), geometry_, how.type)),
      block_bytes_(how.count * unirack::size_of(how.type)) {
  for (Rank rank = 0; rank < schedule.header().rank_count; ++rank) {
    Buffers& own = ranks_.emplace_back();
    own.input.assign(layout_.blocks(rank, BufferId::input) * block_bytes_, kBefore);
    own.output.assign(layout_.blocks(rank, BufferId::output) * block_bytes_, kBefore);
    own.scratch.assign(plan_.stage_bytes * schedule.header().stages, kBefore);
  }
}

std::byte* SimulatedPool::block(Rank rank, BufferId buffer, uint32_t index) {
  Buffers& own = ranks_[static_cast<size_t>(rank)];
  if (buffer == BufferId::input && how_.in_place) {
    if (const auto alias = layout_.aliased_output(rank, index)) {
      return own.output.data() + *alias * block_bytes_;
    }
  }
  return (buffer == BufferId::input ? own.input : own.output).data() + index * block_bytes_;
}

Extent SimulatedPool::find(const Slice& slice, uint64_t tile, uint32_t begin, uint32_t end) {
  Extent extent;
  const uint64_t elements = geometry_.distance(tile, begin, end);
  const uint64_t from = geometry_.distance(tile, slice.origin, begin);
  if (slice.buffer != BufferId::scratch) {
    const uint64_t element = unirack::size_of(how_.type);
    const uint64_t offset = (geometry_.tile_begin(tile) + from) * element;
    extent.bytes = elements * element;
    if (slice.block >= layout_.blocks(slice.rank, slice.buffer)) return extent;
    if (offset + extent.bytes > block_bytes_) return extent;
    extent.data = block(slice.rank, slice.buffer, slice.block) + offset;
    return extent;
  }
  extent.form = schedule_.program_view(0).scratch[slice.block].form;
  const uint64_t element = unirack::size_of(how_.type, extent.form);
  extent.bytes = elements * element;
  const uint64_t offset = plan_.offsets[slice.block] + from * element;
  const uint64_t limit =
      slice.block + 1 < plan_.offsets.size() ? plan_.offsets[slice.block + 1] : plan_.stage_bytes;
  if (offset + extent.bytes > limit) return extent;
  extent.data = ranks_[static_cast<size_t>(slice.rank)].scratch.data() +
                tile % schedule_.header().stages * plan_.stage_bytes + offset;
  return extent;
}

void SimulatedPool::reduce(const Extent& target, const std::vector<Extent>& sources) const {
  std::vector<ReduceSource> read;
  for (const Extent& source : sources) read.push_back({source.data, source.form});
  unirack::reduce({how_.type, how_.op, schedule_.header().rank_count, 0},
                  {target.data, target.form}, read,
                  target.bytes / unirack::size_of(how_.type, target.form));
}

std::vector<std::byte> SimulatedPool::contribution(Rank rank, uint32_t data) const {
  std::vector<std::byte> bytes(block_bytes_);
  Random random(how_.seed << 32 ^ static_cast<uint64_t>(rank) << 16 ^ data);
  const size_t element = unirack::size_of(how_.type);
  for (size_t at = 0; at < bytes.size(); at += element) {
    write_value(how_.type, random(), bytes.data() + at);
  }
  return bytes;
}

void SimulatedPool::enter(Rank rank) {
  for (uint32_t i = 0; i < layout_.blocks(rank, BufferId::output); ++i) {
    std::fill_n(block(rank, BufferId::output, i), block_bytes_, kBefore);
  }
  for (uint32_t i = 0; i < layout_.blocks(rank, BufferId::input); ++i) {
    const auto bytes = contribution(rank, layout_.data_block(rank, BufferId::input, i));
    std::copy(bytes.begin(), bytes.end(), block(rank, BufferId::input, i));
  }
}

void SimulatedPool::leave(Rank rank) {
  Buffers& own = ranks_[static_cast<size_t>(rank)];
  own.result = own.output;
  own.has_left = true;
  for (auto* const buffer : {&own.input, &own.output, &own.scratch}) {
    std::fill(buffer->begin(), buffer->end(), kAfter);
  }
}

std::string SimulatedPool::check() {
  for (size_t i = 0; i < ranks_.size(); ++i) {
    const Buffers& own = ranks_[i];
    const auto rank = static_cast<Rank>(i);
    const std::string name = "rank " + std::to_string(rank);
    if (!own.has_left) return name + " did not end";
    for (const auto* const buffer : {&own.input, &own.output, &own.scratch}) {
      if (!std::all_of(buffer->begin(), buffer->end(), [](std::byte b) { return b == kAfter; })) {
        return name + " was written to after its program had ended";
      }
    }
    for (uint32_t b = 0; b < layout_.blocks(rank, BufferId::output); ++b) {
      const auto& right = expected(layout_.data_block(rank, BufferId::output, b));
      if (!std::equal(right.begin(), right.end(),
                      own.result.begin() + static_cast<ptrdiff_t>(b * block_bytes_))) {
        return name + " has wrong bits in output block " + std::to_string(b);
      }
    }
  }
  return "";
}

const std::vector<std::byte>& SimulatedPool::expected(uint32_t data) {
  const auto [at, is_new] = expected_.try_emplace(data);
  if (!is_new) return at->second;
  const ScheduleHeader& header = schedule_.header();
  if (!is_reduction(header.collective)) {
    Rank from = 0;
    while (!layout_.contributes(from, data)) ++from;
    return at->second = contribution(from, data);
  }
  // Ordered by the sum shape: each group into a partial sum, the groups into the result.
  std::vector<std::vector<std::byte>> sums;
  std::vector<ReduceSource> groups;
  const Reduction reduction{how_.type, how_.op, header.rank_count, 0};
  for (const auto& group : header.sum_groups) {
    std::vector<std::vector<std::byte>> inputs;
    std::vector<ReduceSource> members;
    for (const Rank member : group) {
      inputs.push_back(contribution(member, data));
      members.push_back({inputs.back().data(), Form::user});
    }
    sums.emplace_back(how_.count * unirack::size_of(how_.type, Form::partial));
    unirack::reduce(reduction, {sums.back().data(), Form::partial}, members, how_.count);
    groups.push_back({sums.back().data(), Form::partial});
  }
  at->second.resize(block_bytes_);
  unirack::reduce(reduction, {at->second.data(), Form::user}, groups, how_.count);
  return at->second;
}

}  // namespace unirack::testing
