#include "kernels/reduce.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "kernels/float_mode.h"
#include "kernels/fold.h"

namespace unirack {
namespace {

// A row holds partial results of one block. Eight of them and the sources' blocks stay in L1.
constexpr size_t kRowBytes = 2048;

// The widest vector of any instruction set Highway knows.
constexpr size_t kVectorBytesMax = 256;

FoldKernel select_fold(DataType type, ReduceOp op, size_t source_count) {
  if (!is_float(type)) return select_integer_fold(type, op, source_count);
  if (size_of(type) >= 4) return select_wide_fold(type, op, source_count);
  if (size_of(type) == 2) return select_half_fold(type, op, source_count);
  return select_fp8_fold(type, op, source_count);
}

// The accumulator's one.
uint64_t one_bits(DataType type) {
  if (!is_float(type)) return 1;
  return type == DataType::float64 ? std::bit_cast<uint64_t>(1.0) : std::bit_cast<uint32_t>(1.0f);
}

// The last elements, fewer than a vector: through buffers of one vector each, by the same kernel.
void fold_tail(const FoldKernel& kernel, DataType type, FoldPass pass, size_t source_count,
               uint64_t done, size_t rest) {
  alignas(64) std::byte sources[kFoldSourcesMax][kVectorBytesMax];
  alignas(64) std::byte target[kVectorBytesMax];
  for (size_t i = 0; i < source_count; ++i) {
    const size_t bytes = size_of(type, pass.forms[i]);
    std::memcpy(sources[i], pass.sources[i] + done * bytes, rest * bytes);
    std::memset(sources[i] + rest * bytes, 0, (kernel.lanes - rest) * bytes);
    pass.sources[i] = sources[i];
  }
  const size_t target_bytes = size_of(type, pass.target_form);
  std::byte* const destination = pass.target + done * target_bytes;
  pass.target = target;
  pass.count = kernel.lanes;
  kernel.run(pass);
  std::memcpy(destination, target, rest * target_bytes);
}

// One pass; there is a kernel for this number of sources.
void fold(const Reduction& reduction, ReduceTarget target, std::span<const ReduceSource> sources,
          uint64_t count) {
  const DataType type = reduction.type;
  const FoldKernel kernel = select_fold(type, reduction.op, sources.size());
  const bool is_average = reduction.op == ReduceOp::avg && target.form == Form::user;
  FoldPass pass{};
  for (size_t i = 0; i < sources.size(); ++i) {
    const bool is_user = sources[i].form == Form::user;
    pass.sources[i] = sources[i].data;
    pass.forms[i] = sources[i].form;
    pass.factors[i] = is_user ? reduction.scalar_bits : one_bits(type);
  }
  pass.target = target.data;
  pass.target_form = target.form;
  pass.divisor = is_average && is_float(type) ? reduction.rank_count : 1;
  pass.count = count & ~uint64_t{kernel.lanes - 1};
  if (pass.count > 0) kernel.run(pass);
  const auto rest = static_cast<size_t>(count - pass.count);
  if (rest > 0) fold_tail(kernel, type, pass, sources.size(), pass.count, rest);
}

ReduceSource advanced(const ReduceSource& source, DataType type, uint64_t elements) {
  return {source.data + elements * size_of(type, source.form), source.form};
}

// Folds elements [at, at + count) of any number of sources; they fit a row. With u a power of two,
// the tree over k sources is the tree over ceil(k / u) items, each the tree over u sources and the
// last one over those that are left: so eight at a time, or four where fewer than eight are left.
void fold_block(const Reduction& reduction, ReduceTarget target,
                std::span<const ReduceSource> sources, uint64_t at, uint64_t count) {
  ReduceSource items[kFoldSourcesMax];
  size_t item_count = 0;
  if (is_fold_width(sources.size())) {
    for (const ReduceSource& source : sources) {
      items[item_count++] = advanced(source, reduction.type, at);
    }
    return fold(reduction, target, {items, item_count}, count);
  }
  size_t unit = kFoldSourcesMax;
  while (unit * kFoldSourcesMax < sources.size()) unit *= kFoldSourcesMax;
  if (sources.size() < kFoldSourcesMax) unit = 4;

  alignas(64) std::byte rows[kFoldSourcesMax][kRowBytes];
  for (size_t first = 0; first < sources.size(); first += unit) {
    const auto part = sources.subspan(first, std::min(unit, sources.size() - first));
    std::byte* const row = rows[item_count];
    ReduceSource& item = items[item_count++];
    if (part.size() == 1) {
      item = advanced(part[0], reduction.type, at);
    } else {
      fold_block(reduction, {row, Form::partial}, part, at, count);
      item = {row, Form::partial};
    }
  }
  fold_block(reduction, target, {items, item_count}, 0, count);
}

// Through 64 bits, where a rank count fits beside any narrower element. Truncates toward zero.
template <class T, class Wide>
void divide(std::byte* data, uint64_t count, int divisor) {
  for (uint64_t i = 0; i < count; ++i) {
    T value;
    std::memcpy(&value, data + i * sizeof(T), sizeof(T));
    value = static_cast<T>(static_cast<Wide>(value) / static_cast<Wide>(divisor));
    std::memcpy(data + i * sizeof(T), &value, sizeof(T));
  }
}

void divide_integers(DataType type, std::byte* data, uint64_t count, int divisor) {
  switch (type) {
    case DataType::int8:
      return divide<int8_t, int64_t>(data, count, divisor);
    case DataType::uint8:
      return divide<uint8_t, uint64_t>(data, count, divisor);
    case DataType::int32:
      return divide<int32_t, int64_t>(data, count, divisor);
    case DataType::uint32:
      return divide<uint32_t, uint64_t>(data, count, divisor);
    case DataType::int64:
      return divide<int64_t, int64_t>(data, count, divisor);
    case DataType::uint64:
      return divide<uint64_t, uint64_t>(data, count, divisor);
    default:
      return;
  }
}

}  // namespace

void reduce(const Reduction& reduction, ReduceTarget target, std::span<const ReduceSource> sources,
            uint64_t count) {
  const DefaultFloatMode mode;
  const bool divides =
      reduction.op == ReduceOp::avg && target.form == Form::user && !is_float(reduction.type);
  if (is_fold_width(sources.size()) && !divides) return fold(reduction, target, sources, count);

  const uint64_t block = kRowBytes / size_of(accumulator_of(reduction.type));
  for (uint64_t at = 0; at < count; at += block) {
    const uint64_t part = std::min(block, count - at);
    const ReduceTarget to{target.data + at * size_of(reduction.type, target.form), target.form};
    fold_block(reduction, to, sources, at, part);
    if (divides) divide_integers(reduction.type, to.data, part, reduction.rank_count);
  }
}

}  // namespace unirack
