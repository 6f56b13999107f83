// The vector kernels behind kernels/fold.h, written once for every type, operator and number of
// sources. Included once for every instruction set.

#if defined(UNIRACK_KERNELS_FOLD_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef UNIRACK_KERNELS_FOLD_INL_H_
#undef UNIRACK_KERNELS_FOLD_INL_H_
#else
#define UNIRACK_KERNELS_FOLD_INL_H_
#endif

#include <bit>
#include <cstring>

#include "kernels/codec-inl.h"
#include "kernels/fold.h"

HWY_BEFORE_NAMESPACE();
namespace unirack {
namespace HWY_NAMESPACE {

// Low halves of products; 8-bit lanes, which no instruction multiplies, go through 16-bit ones.
template <class D>
HWY_INLINE hn::Vec<D> multiply([[maybe_unused]] D d, hn::Vec<D> a, hn::Vec<D> b) {
  if constexpr (sizeof(hn::TFromD<D>) == 1 && HWY_TARGET != HWY_SCALAR) {
    const hn::Repartition<uint16_t, D> pairs;
    const auto a2 = hn::BitCast(pairs, a);
    const auto b2 = hn::BitCast(pairs, b);
    const auto low = hn::And(hn::Mul(a2, b2), hn::Set(pairs, uint16_t{0xff}));
    const auto high = hn::ShiftLeft<8>(hn::Mul(hn::ShiftRight<8>(a2), hn::ShiftRight<8>(b2)));
    return hn::BitCast(d, hn::Or(low, high));
  } else {
    return hn::Mul(a, b);
  }
}

struct SumOp {
  static constexpr bool kPremultiplies = false;
  template <class D>
  static HWY_INLINE hn::Vec<D> apply(D, hn::Vec<D> a, hn::Vec<D> b) {
    return hn::Add(a, b);
  }
};

struct PremulSumOp : SumOp {
  static constexpr bool kPremultiplies = true;
};

struct ProdOp {
  static constexpr bool kPremultiplies = false;
  template <class D>
  static HWY_INLINE hn::Vec<D> apply(D d, hn::Vec<D> a, hn::Vec<D> b) {
    return multiply(d, a, b);
  }
};

// IEEE 754-2019 minimum and maximum: a NaN wins, and -0 is below +0. Equal values differ at most in
// the sign of zero, which an OR or an AND of their bits settles.
template <bool kMinimum>
struct ExtremeOp {
  static constexpr bool kPremultiplies = false;
  template <class D>
  static HWY_INLINE hn::Vec<D> apply(D, hn::Vec<D> a, hn::Vec<D> b) {
    if constexpr (hwy::IsFloat<hn::TFromD<D>>()) {
      const auto ordered = hn::IfThenElse(kMinimum ? hn::Lt(a, b) : hn::Gt(a, b), a, b);
      const auto equal = kMinimum ? hn::Or(a, b) : hn::And(a, b);
      const auto extreme = hn::IfThenElse(hn::Eq(a, b), equal, ordered);
      return hn::IfThenElse(hn::IsNaN(a), a, extreme);
    } else {
      return kMinimum ? hn::Min(a, b) : hn::Max(a, b);
    }
  }
};

template <class Codec, class Op, size_t kSource, class D>
HWY_INLINE hn::Vec<D> read(D d, const FoldPass& pass, uint64_t at) {
  const std::byte* data = pass.sources[kSource];
  hn::Vec<D> value;
  if (Codec::kBytes == sizeof(hn::TFromD<D>) || pass.forms[kSource] == Form::partial) {
    value = load(d, data + at * sizeof(hn::TFromD<D>));
  } else {
    value = Codec::decode(d, data + at * Codec::kBytes);
  }
  if constexpr (Op::kPremultiplies) {
    hn::TFromD<D> factor;
    std::memcpy(&factor, &pass.factors[kSource], sizeof(factor));
    value = multiply(d, value, hn::Set(d, factor));
  }
  return value;
}

// S over the sources [kLow, kHigh).
template <class Codec, class Op, size_t kLow, size_t kHigh, class D>
HWY_INLINE hn::Vec<D> subtree(D d, const FoldPass& pass, uint64_t at) {
  if constexpr (kHigh - kLow == 1) {
    return read<Codec, Op, kLow>(d, pass, at);
  } else {
    constexpr size_t kMiddle = kLow + std::bit_floor(kHigh - kLow - 1);
    const auto left = subtree<Codec, Op, kLow, kMiddle>(d, pass, at);
    const auto right = subtree<Codec, Op, kMiddle, kHigh>(d, pass, at);
    return Op::apply(d, left, right);
  }
}

template <class Codec, class Op, size_t kSources>
void fold(const FoldPass& caller_pass) {
  using Lane = typename Codec::Lane;
  const hn::ScalableTag<Lane> d;
  const FoldPass pass = caller_pass;  // a copy that stores to the target cannot alias
  const auto divisor = hn::Set(d, static_cast<Lane>(pass.divisor));
  for (uint64_t at = 0; at < pass.count; at += hn::Lanes(d)) {
    auto value = subtree<Codec, Op, 0, kSources>(d, pass, at);
    if (pass.target_form == Form::partial) {
      store(d, value, pass.target + at * sizeof(Lane));
      continue;
    }
    if constexpr (std::is_floating_point_v<Lane>) {
      if (pass.divisor != 1) value = hn::Div(value, divisor);
    }
    Codec::encode(d, value, pass.target + at * Codec::kBytes);
  }
}

template <class Codec, class Op>
FoldKernel kernel_of_width(size_t source_count) {
  const size_t lanes = hn::Lanes(hn::ScalableTag<typename Codec::Lane>());
  switch (source_count) {
    case 1:
      // One source is only converted, whatever the operator; a sum says so as well as any.
      return {&fold<Codec, std::conditional_t<Op::kPremultiplies, Op, SumOp>, 1>, lanes};
    case 2:
      return {&fold<Codec, Op, 2>, lanes};
    case 3:
      return {&fold<Codec, Op, 3>, lanes};
    case 4:
      return {&fold<Codec, Op, 4>, lanes};
    default:
      return {&fold<Codec, Op, kFoldSourcesMax>, lanes};
  }
}

// kOrdered is the codec min and max compare with; two's complement lets the rest ignore signs.
template <class Codec, class Ordered = Codec>
FoldKernel kernel_of(ReduceOp op, size_t source_count) {
  switch (op) {
    case ReduceOp::prod:
      return kernel_of_width<Codec, ProdOp>(source_count);
    case ReduceOp::max:
      return kernel_of_width<Ordered, ExtremeOp<false>>(source_count);
    case ReduceOp::min:
      return kernel_of_width<Ordered, ExtremeOp<true>>(source_count);
    case ReduceOp::premul_sum:
      return kernel_of_width<Codec, PremulSumOp>(source_count);
    case ReduceOp::sum:
    case ReduceOp::avg:
      break;
  }
  return kernel_of_width<Codec, SumOp>(source_count);
}

// NOLINTNEXTLINE(google-readability-namespace-comments)
}  // namespace HWY_NAMESPACE
}  // namespace unirack
HWY_AFTER_NAMESPACE();

#endif
