// How a vector of accumulators is read from and written to memory in the caller's type.
//
// Included once for every instruction set. A codec names its accumulator lane and has two
// functions: decode converts exactly; encode rounds to nearest even, makes every NaN canonical and
// saturates where the type has no infinity to give. Highway 1.0.3 truncates float32 to bfloat16,
// and to float16 where F16C is missing, so the roundings here are our own.

#if defined(UNIRACK_KERNELS_CODEC_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef UNIRACK_KERNELS_CODEC_INL_H_
#undef UNIRACK_KERNELS_CODEC_INL_H_
#else
#define UNIRACK_KERNELS_CODEC_INL_H_
#endif

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include "kernels/simd_targets.h"
// Highway after the choice of targets.
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace unirack {
namespace HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

// The callers' pointers need not be aligned for the lane, so vectors travel as bytes.
#if HWY_TARGET == HWY_SCALAR

template <class D>
HWY_INLINE hn::Vec<D> load(D d, const std::byte* from) {
  hn::TFromD<D> lane;
  std::memcpy(&lane, from, sizeof(lane));
  return hn::Set(d, lane);
}

template <class D>
HWY_INLINE void store(D, hn::Vec<D> value, std::byte* to) {
  const hn::TFromD<D> lane = hn::GetLane(value);
  std::memcpy(to, &lane, sizeof(lane));
}

#else

template <class D>
HWY_INLINE hn::Vec<D> load(D d, const std::byte* from) {
  const hn::Repartition<uint8_t, D> bytes;
  return hn::BitCast(d, hn::LoadU(bytes, reinterpret_cast<const uint8_t*>(from)));
}

template <class D>
HWY_INLINE void store(D, hn::Vec<D> value, std::byte* to) {
  const hn::Repartition<uint8_t, D> bytes;
  hn::StoreU(hn::BitCast(bytes, value), bytes, reinterpret_cast<uint8_t*>(to));
}

#endif

// Positive, quiet, empty payload: 0x7fc00000 and its float64 equal.
template <class D>
HWY_INLINE hn::Vec<D> canonical(D d, hn::Vec<D> value) {
  using Bits = hwy::MakeUnsigned<hn::TFromD<D>>;
  constexpr int kQuietBit = hwy::MantissaBits<hn::TFromD<D>>() - 1;
  constexpr Bits kNan =
      static_cast<Bits>(hwy::ExponentMask<hn::TFromD<D>>() | (Bits{1} << kQuietBit));
  const hn::RebindToUnsigned<D> bits;
  return hn::IfThenElse(hn::IsNaN(value), hn::BitCast(d, hn::Set(bits, kNan)), value);
}

// Types that are their own accumulator.
template <class T>
struct NativeCodec {
  using Lane = T;
  static constexpr size_t kBytes = sizeof(T);

  template <class D>
  static HWY_INLINE hn::Vec<D> decode(D d, const std::byte* from) {
    return load(d, from);
  }
  template <class D>
  static HWY_INLINE void encode(D d, hn::Vec<D> value, std::byte* to) {
    if constexpr (std::is_floating_point_v<T>) value = canonical(d, value);
    store(d, value, to);
  }
};

struct Bfloat16Codec {
  using Lane = float;
  static constexpr size_t kBytes = 2;

  template <class D>
  static HWY_INLINE hn::Vec<D> decode(D d, const std::byte* from) {
    const hn::RebindToUnsigned<D> bits;
    const hn::Rebind<uint16_t, D> narrow;
    return hn::BitCast(d, hn::ShiftLeft<16>(hn::PromoteTo(bits, load(narrow, from))));
  }
  // A carry out of the mantissa rounds up to the next binade or to infinity, as it should.
  template <class D>
  static HWY_INLINE void encode(D d, hn::Vec<D> value, std::byte* to) {
    const hn::RebindToUnsigned<D> bits;
    const hn::RebindToSigned<D> integer;
    const hn::Rebind<uint16_t, D> narrow;
    const auto exact = hn::BitCast(bits, canonical(d, value));
    const auto odd = hn::And(hn::ShiftRight<16>(exact), hn::Set(bits, 1u));
    const auto rounded = hn::Add(hn::Add(exact, hn::Set(bits, 0x7fffu)), odd);
    store(narrow, hn::DemoteTo(narrow, hn::BitCast(integer, hn::ShiftRight<16>(rounded))), to);
  }
};

// Small floats by integer arithmetic. Codes without the sign: kFirstSpecial is the first that is
// infinity or NaN, kMax is infinity or the largest finite value, which any larger magnitude
// becomes.
template <class Code, int kExponentBits, int kMantissaBits, int kFirstSpecial, int kMax, int kNan>
struct SmallFloatCodec {
  using Lane = float;
  static constexpr size_t kBytes = sizeof(Code);
  static constexpr int kBias = (1 << (kExponentBits - 1)) - 1;
  static constexpr int kMagnitudeBits = kExponentBits + kMantissaBits;
  static constexpr int kMagnitudeMask = (1 << kMagnitudeBits) - 1;
  static constexpr int kDropped = 23 - kMantissaBits;
  static constexpr int kRebias = 127 - kBias;
  static constexpr int kFloatInfinity = 0x7f800000;

  // 2^exponent as float bits; both uses are normal numbers.
  static constexpr int power_of_two_bits(int exponent) { return (exponent + 127) << 23; }
  static constexpr int kSubnormalUnit = power_of_two_bits(1 - kBias - kMantissaBits);
  static constexpr int kSubnormalMagic = power_of_two_bits(1 - kBias - kMantissaBits + 23);

  template <class D>
  static HWY_INLINE hn::Vec<D> decode(D d, const std::byte* from) {
    const hn::RebindToUnsigned<D> bits;
    const hn::RebindToSigned<D> integer;
    const hn::Rebind<Code, D> narrow;
    const auto code = hn::BitCast(integer, hn::PromoteTo(bits, load(narrow, from)));
    const auto magnitude = hn::And(code, hn::Set(integer, kMagnitudeMask));
    const auto sign = hn::ShiftLeft<31 - kMagnitudeBits>(hn::Xor(code, magnitude));
    const auto normal =
        hn::Add(hn::ShiftLeft<kDropped>(magnitude), hn::Set(integer, kRebias << 23));
    const auto subnormal = hn::BitCast(
        integer,
        hn::Mul(hn::ConvertTo(d, magnitude), hn::BitCast(d, hn::Set(integer, kSubnormalUnit))));
    const auto is_subnormal = hn::Lt(magnitude, hn::Set(integer, 1 << kMantissaBits));
    const auto finite = hn::IfThenElse(is_subnormal, subnormal, normal);
    const auto is_special = hn::Gt(magnitude, hn::Set(integer, kFirstSpecial - 1));
    const auto special = hn::IfThenElseZero(is_special, hn::Set(integer, kFloatInfinity));
    return hn::BitCast(d, hn::Or(hn::Or(finite, special), sign));
  }

  template <class D>
  static HWY_INLINE void encode(D d, hn::Vec<D> value, std::byte* to) {
    const hn::RebindToUnsigned<D> bits;
    const hn::RebindToSigned<D> integer;
    const hn::Rebind<Code, D> narrow;
    const auto exact = hn::BitCast(integer, canonical(d, value));
    const auto magnitude = hn::And(exact, hn::Set(integer, 0x7fffffff));
    const auto sign =
        hn::ShiftRight<31 - kMagnitudeBits>(hn::BitCast(bits, hn::Xor(exact, magnitude)));
    const auto odd = hn::And(hn::ShiftRight<kDropped>(magnitude), hn::Set(integer, 1));
    const auto bumped =
        hn::Add(hn::Add(magnitude, hn::Set(integer, (1 << (kDropped - 1)) - 1)), odd);
    const auto normal = hn::Min(
        hn::Sub(hn::ShiftRight<kDropped>(bumped), hn::Set(integer, kRebias << kMantissaBits)),
        hn::Set(integer, kMax));
    // Beside a number whose last place is the type's smallest, the adder does the rounding.
    const auto magic = hn::Set(integer, kSubnormalMagic);
    const auto subnormal = hn::Sub(
        hn::BitCast(integer, hn::Add(hn::BitCast(d, magnitude), hn::BitCast(d, magic))), magic);
    const auto is_subnormal = hn::Lt(magnitude, hn::Set(integer, (kRebias + 1) << 23));
    const auto is_nan = hn::Gt(magnitude, hn::Set(integer, kFloatInfinity));
    const auto number = hn::IfThenElse(is_subnormal, subnormal, normal);
    const auto code = hn::IfThenElse(is_nan, hn::Set(integer, kNan), number);
    store(narrow, hn::DemoteTo(narrow, hn::Or(code, hn::BitCast(integer, sign))), to);
  }
};

using Float8E4m3Codec = SmallFloatCodec<uint8_t, 4, 3, 0x7f, 0x7e, 0x7f>;
using Float8E5m2Codec = SmallFloatCodec<uint8_t, 5, 2, 0x7c, 0x7b, 0x7f>;

// F16C and AArch64 convert exactly in one instruction, with nearest even fixed in the instruction
// or in the default mode.
#if (HWY_ARCH_X86 && HWY_TARGET <= HWY_AVX2) || HWY_ARCH_ARM_A64

struct Float16Codec {
  using Lane = float;
  static constexpr size_t kBytes = 2;

  template <class D>
  static HWY_INLINE hn::Vec<D> decode(D d, const std::byte* from) {
    const hn::Rebind<hwy::float16_t, D> narrow;
    const hn::Rebind<uint16_t, D> code;
    return hn::PromoteTo(d, hn::BitCast(narrow, load(code, from)));
  }
  template <class D>
  static HWY_INLINE void encode(D d, hn::Vec<D> value, std::byte* to) {
    const hn::Rebind<hwy::float16_t, D> narrow;
    const hn::Rebind<uint16_t, D> code;
    store(code, hn::BitCast(code, hn::DemoteTo(narrow, canonical(d, value))), to);
  }
};

#else

using Float16Codec = SmallFloatCodec<uint16_t, 5, 10, 0x7c00, 0x7c00, 0x7e00>;

#endif

// NOLINTNEXTLINE(google-readability-namespace-comments)
}  // namespace HWY_NAMESPACE
}  // namespace unirack
HWY_AFTER_NAMESPACE();

#endif
