// The values: conversions and roundings exhaustively, special values, the order of the tree and the
// floating-point mode. Shapes and alignments are in reduce_shape_test.cc.
#include "kernels/reduce.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <vector>

#include "tests/support/reduce_oracle.h"
#include "tests/support/simd_targets.h"

#if defined(__x86_64__)
#include <xmmintrin.h>
#endif

namespace unirack {
namespace {

using testing::decode_small;
using testing::encode_small;

constexpr DataType kSmallFloats[] = {DataType::float16, DataType::bfloat16, DataType::float8_e4m3,
                                     DataType::float8_e5m2};
constexpr ReduceOp kPairOps[] = {ReduceOp::sum, ReduceOp::prod, ReduceOp::min, ReduceOp::max};

template <class T>
const std::byte* bytes(const std::vector<T>& values) {
  return reinterpret_cast<const std::byte*>(values.data());
}

// Reduces the sources, all in one form, into a fresh buffer of T.
template <class T, class S>
std::vector<T> reduced(const Reduction& reduction, Form to, Form from,
                       const std::vector<std::vector<S>>& sources) {
  const size_t count = sources[0].size();
  std::vector<T> target(count);
  std::memset(target.data(), 0xa5, count * sizeof(T));
  std::vector<ReduceSource> list;
  for (const auto& source : sources) list.push_back({bytes(source), from});
  reduce(reduction, {reinterpret_cast<std::byte*>(target.data()), to}, list, count);
  return target;
}

// The codes of a small float that a list of float32 is rounded to.
std::vector<uint32_t> rounded(DataType type, const std::vector<float>& values) {
  const Reduction one{type, ReduceOp::sum, 1, 0};
  std::vector<uint32_t> codes;
  if (size_of(type) == 1) {
    for (uint8_t code : reduced<uint8_t, float>(one, Form::user, Form::partial, {values})) {
      codes.push_back(code);
    }
  } else {
    for (uint16_t code : reduced<uint16_t, float>(one, Form::user, Form::partial, {values})) {
      codes.push_back(code);
    }
  }
  return codes;
}

template <class Code>
void check_every_code(DataType type) {
  std::vector<Code> codes(size_t{1} << (8 * sizeof(Code)));
  for (size_t i = 0; i < codes.size(); ++i) codes[i] = static_cast<Code>(i);
  const Reduction one{type, ReduceOp::sum, 1, 0};
  const auto floats = reduced<float, Code>(one, Form::partial, Form::user, {codes});
  const auto round_trip = reduced<Code, Code>(one, Form::user, Form::user, {codes});
  for (size_t i = 0; i < codes.size(); ++i) {
    const float expected = decode_small(type, static_cast<uint32_t>(i));
    if (std::isnan(expected)) {
      ASSERT_TRUE(std::isnan(floats[i])) << i;
    } else {
      ASSERT_EQ(std::bit_cast<uint32_t>(floats[i]), std::bit_cast<uint32_t>(expected)) << i;
    }
    ASSERT_EQ(round_trip[i], encode_small(type, expected)) << i;
    // Only NaN and the infinity of e5m2 are not their own round trip.
    if (std::isfinite(expected)) {
      ASSERT_EQ(round_trip[i], i);
    }
  }
}

TEST(Reduce, ConvertsEveryCodeExactly) {
  testing::for_each_simd_target([] {
    check_every_code<uint16_t>(DataType::float16);
    check_every_code<uint16_t>(DataType::bfloat16);
    check_every_code<uint8_t>(DataType::float8_e4m3);
    check_every_code<uint8_t>(DataType::float8_e5m2);
  });
}

// Between two neighbouring codes: the middle goes to the even one, anything else to the nearer one.
TEST(Reduce, RoundsTheMiddleToEven) {
  for (const DataType type : kSmallFloats) {
    const uint32_t sign = 1u << (8 * size_of(type) - 1);
    std::vector<float> values;
    std::vector<uint32_t> expected;
    for (uint32_t code = 0; std::isfinite(decode_small(type, code + 1)) && code + 1 < sign;
         ++code) {
      const float low = decode_small(type, code);
      const float high = decode_small(type, code + 1);
      const auto middle = static_cast<float>((double{low} + double{high}) / 2);
      const float below = std::nextafter(middle, -1.0f);
      const float above = std::nextafter(middle, std::numeric_limits<float>::infinity());
      values.insert(values.end(), {below, middle, above, -below, -middle, -above});
      const uint32_t even = code + (code & 1);
      for (const uint32_t s : {0u, sign}) {
        expected.insert(expected.end(), {code | s, even | s, (code + 1) | s});
      }
    }
    testing::for_each_simd_target([&] { EXPECT_EQ(rounded(type, values), expected); });
  }
}

TEST(Reduce, OverflowsByTheRuleOfTheType) {
  const float infinity = std::numeric_limits<float>::infinity();
  const float bfloat16_edge = std::ldexp(2.0f - std::ldexp(1.0f, -8), 127);
  const std::vector<float> half = {65504, 65519.996f, 65520, infinity, -65520, -infinity, 1e30f};
  const std::vector<float> bfloat = {std::nextafter(bfloat16_edge, 0.0f), bfloat16_edge,
                                     -bfloat16_edge, infinity, std::numeric_limits<float>::max()};
  const std::vector<float> e4m3 = {448, 464, 465, 480, 1e9f, infinity, -464, -1e9f, -infinity};
  const std::vector<float> e5m2 = {57344, 61439, 61440, 65536, infinity, -61440, -infinity};
  using Codes = std::vector<uint32_t>;
  testing::for_each_simd_target([&] {
    EXPECT_EQ(rounded(DataType::float16, half),
              (Codes{0x7bff, 0x7bff, 0x7c00, 0x7c00, 0xfc00, 0xfc00, 0x7c00}));
    EXPECT_EQ(rounded(DataType::bfloat16, bfloat), (Codes{0x7f7f, 0x7f80, 0xff80, 0x7f80, 0x7f80}));
    EXPECT_EQ(rounded(DataType::float8_e4m3, e4m3),
              (Codes{0x7e, 0x7e, 0x7e, 0x7e, 0x7e, 0x7e, 0xfe, 0xfe, 0xfe}));
    EXPECT_EQ(rounded(DataType::float8_e5m2, e5m2),
              (Codes{0x7b, 0x7b, 0x7b, 0x7b, 0x7b, 0xfb, 0xfb}));
  });
}

TEST(Reduce, RoundsFloatsOfEveryMagnitudeAsTheOracle) {
  std::vector<float> values;
  for (uint64_t bits = 0; bits < (uint64_t{1} << 32); bits += 4099) {
    values.push_back(std::bit_cast<float>(static_cast<uint32_t>(bits)));
  }
  for (const DataType type : kSmallFloats) {
    std::vector<uint32_t> expected;
    for (const float value : values) expected.push_back(encode_small(type, value));
    testing::for_each_simd_target([&] { EXPECT_TRUE(rounded(type, values) == expected); });
  }
}

TEST(Reduce, MakesEveryNanCanonical) {
  const std::vector<uint32_t> floats = {0x7f800001, 0xffc12345, 0xff800001, 0x7fffffff};
  const std::vector<uint64_t> doubles = {0x7ff0000000000001, 0xfff8000000000000, ~uint64_t{0}};
  const std::vector<float> nans = {std::bit_cast<float>(floats[0]), std::bit_cast<float>(floats[1]),
                                   std::bit_cast<float>(floats[2]),
                                   std::bit_cast<float>(floats[3])};
  testing::for_each_simd_target([&] {
    const auto f32 = reduced<uint32_t, uint32_t>({DataType::float32, ReduceOp::sum, 1, 0},
                                                 Form::user, Form::user, {floats});
    EXPECT_EQ(f32, std::vector<uint32_t>(4, 0x7fc00000));
    const auto f64 = reduced<uint64_t, uint64_t>({DataType::float64, ReduceOp::max, 1, 0},
                                                 Form::user, Form::user, {doubles});
    EXPECT_EQ(f64, std::vector<uint64_t>(3, 0x7ff8000000000000));
    EXPECT_EQ(rounded(DataType::float16, nans), std::vector<uint32_t>(4, 0x7e00));
    EXPECT_EQ(rounded(DataType::bfloat16, nans), std::vector<uint32_t>(4, 0x7fc0));
    EXPECT_EQ(rounded(DataType::float8_e4m3, nans), std::vector<uint32_t>(4, 0x7f));
    EXPECT_EQ(rounded(DataType::float8_e5m2, nans), std::vector<uint32_t>(4, 0x7f));
  });
}

// All pairs of `values`, by every operator, against the oracle.
template <class T>
void check_all_pairs(DataType type, const std::vector<T>& values) {
  std::vector<std::vector<T>> sources(2);
  for (const T a : values) {
    for (const T b : values) {
      sources[0].push_back(a);
      sources[1].push_back(b);
    }
  }
  const std::vector<ReduceSource> list = {{bytes(sources[0]), Form::user},
                                          {bytes(sources[1]), Form::user}};
  for (const ReduceOp op : kPairOps) {
    SCOPED_TRACE(op_name(op));
    const Reduction reduction{type, op, 2, 0};
    std::vector<T> expected(sources[0].size());
    testing::oracle_reduce(reduction, {reinterpret_cast<std::byte*>(expected.data()), Form::user},
                           list, expected.size());
    testing::for_each_simd_target([&] {
      const auto actual = reduced<T, T>(reduction, Form::user, Form::user, sources);
      for (size_t i = 0; i < actual.size(); ++i) {
        ASSERT_EQ(actual[i], expected[i]) << +sources[0][i] << " and " << +sources[1][i];
      }
    });
  }
}

TEST(Reduce, FoldsEveryPairOfFp8) {
  std::vector<uint8_t> codes(256);
  for (size_t i = 0; i < codes.size(); ++i) codes[i] = static_cast<uint8_t>(i);
  check_all_pairs(DataType::float8_e4m3, codes);
  check_all_pairs(DataType::float8_e5m2, codes);
}

TEST(Reduce, FoldsSpecialPairs) {
  std::vector<uint16_t> halves, bfloats;
  std::vector<uint32_t> floats;
  std::vector<uint64_t> doubles;
  for (const uint32_t sign : {0u, 1u}) {
    for (const uint32_t magnitude : {0u, 1u, 2u, 0x3ffu, 0x400u, 0x401u, 0x3bffu, 0x3c00u, 0x3c01u,
                                     0x7bfeu, 0x7bffu, 0x7c00u, 0x7c01u, 0x7e00u, 0x7fffu}) {
      halves.push_back(static_cast<uint16_t>(sign << 15 | magnitude));
    }
    for (const uint32_t magnitude : {0u, 1u, 0x7fu, 0x80u, 0x81u, 0x3f7fu, 0x3f80u, 0x3f81u,
                                     0x7f7eu, 0x7f7fu, 0x7f80u, 0x7f81u, 0x7fc0u, 0x7fffu}) {
      bfloats.push_back(static_cast<uint16_t>(sign << 15 | magnitude));
      floats.push_back(sign << 31 | magnitude << 16);
      floats.push_back(sign << 31 | magnitude << 16 | 1);
      floats.push_back(sign << 31 | magnitude << 16 | 0xffff);
    }
    for (const uint64_t magnitude :
         {uint64_t{0}, uint64_t{1}, uint64_t{0xfffffffffffff}, uint64_t{0x10000000000000},
          uint64_t{0x3ff0000000000000}, uint64_t{0x3ff0000000000001}, uint64_t{0x3fefffffffffffff},
          uint64_t{0x7fefffffffffffff}, uint64_t{0x7ff0000000000000}, uint64_t{0x7ff0000000000001},
          uint64_t{0x7ff8000000000000}, uint64_t{0x1ff123456789abcd}}) {
      doubles.push_back(uint64_t{sign} << 63 | magnitude);
    }
  }
  check_all_pairs(DataType::float16, halves);
  check_all_pairs(DataType::bfloat16, bfloats);
  check_all_pairs(DataType::float32, floats);
  check_all_pairs(DataType::float64, doubles);
}

TEST(Reduce, FoldsRandomBitPairs) {
  std::mt19937_64 random(7);
  std::vector<uint16_t> narrow(300);
  std::vector<uint32_t> floats(300);
  std::vector<uint64_t> doubles(300);
  for (auto& bits : narrow) bits = static_cast<uint16_t>(random());
  for (auto& bits : floats) bits = static_cast<uint32_t>(random());
  for (auto& bits : doubles) bits = random();
  check_all_pairs(DataType::float16, narrow);
  check_all_pairs(DataType::bfloat16, narrow);
  check_all_pairs(DataType::float32, floats);
  check_all_pairs(DataType::float64, doubles);
}

TEST(Reduce, WrapsIntegersAndTruncatesTheirAverage) {
  const std::vector<std::vector<int8_t>> bytes_in = {{127, -128, -7, 7, -1}, {1, -1, 0, 0, 0}};
  const std::vector<std::vector<int64_t>> longs_in = {
      {std::numeric_limits<int64_t>::max(), std::numeric_limits<int64_t>::min(), -7}, {1, -1, 0}};
  testing::for_each_simd_target([&] {
    const auto sum = reduced<int8_t, int8_t>({DataType::int8, ReduceOp::sum, 2, 0}, Form::user,
                                             Form::user, bytes_in);
    EXPECT_EQ(sum, (std::vector<int8_t>{-128, 127, -7, 7, -1}));
    const auto average = reduced<int8_t, int8_t>({DataType::int8, ReduceOp::avg, 2, 0}, Form::user,
                                                 Form::user, bytes_in);
    EXPECT_EQ(average, (std::vector<int8_t>{-64, 63, -3, 3, 0}));
    // More ranks than an int8 can count.
    const auto many = reduced<int8_t, int8_t>({DataType::int8, ReduceOp::avg, 200, 0}, Form::user,
                                              Form::user, bytes_in);
    EXPECT_EQ(many, (std::vector<int8_t>{0, 0, 0, 0, 0}));
    const auto wide = reduced<int64_t, int64_t>({DataType::int64, ReduceOp::avg, 2, 0}, Form::user,
                                                Form::user, longs_in);
    EXPECT_EQ(wide, (std::vector<int64_t>{std::numeric_limits<int64_t>::min() / 2,
                                          std::numeric_limits<int64_t>::max() / 2, -3}));
  });
}

// A fused multiply-add would leave the rounding error of the product instead of zero.
TEST(Reduce, RoundsThePremultipliedProductFirst) {
  const float x = 1 + std::ldexp(1.0f, -12);
  const float product = static_cast<float>(double{x} * double{x});
  const std::vector<float> user(37, x);
  const std::vector<float> partial(37, -product);
  testing::for_each_simd_target([&] {
    std::vector<float> target(37, 1.0f);
    const ReduceSource sources[] = {{bytes(user), Form::user}, {bytes(partial), Form::partial}};
    reduce({DataType::float32, ReduceOp::premul_sum, 2, std::bit_cast<uint32_t>(x)},
           {reinterpret_cast<std::byte*>(target.data()), Form::user}, sources, target.size());
    EXPECT_EQ(target, std::vector<float>(37, 0.0f));
  });
}

constexpr size_t kUnevenCounts[] = {5,   6,   7,   9,   10,  11,  12,   15,   16,  17,  23,
                                    31,  32,  33,  41,  63,  64,  65,   72,   73,  100, 127,
                                    129, 511, 512, 513, 520, 577, 1000, 1023, 1024};

TEST(Reduce, FollowsTheTreeForAnyNumberOfSources) {
  constexpr size_t kCount = 700;
  std::mt19937_64 random(11);
  std::vector<std::vector<float>> all(kReduceSourcesMax, std::vector<float>(kCount));
  for (auto& source : all) {
    for (auto& value : source) {
      const auto exponent = static_cast<int>(random() % 40) - 20;
      value = std::ldexp(static_cast<float>(static_cast<int64_t>(random())), exponent - 63);
    }
  }
  for (const size_t k : kUnevenCounts) {
    const std::vector<std::vector<float>> sources(all.begin(), all.begin() + static_cast<long>(k));
    std::vector<ReduceSource> list;
    for (const auto& source : sources) list.push_back({bytes(source), Form::user});
    const Reduction reduction{DataType::float32, ReduceOp::sum, static_cast<int>(k), 0};
    std::vector<float> expected(kCount);
    testing::oracle_reduce(reduction, {reinterpret_cast<std::byte*>(expected.data()), Form::user},
                           list, kCount);
    EXPECT_EQ((reduced<float, float>(reduction, Form::user, Form::user, sources)), expected) << k;

    std::vector<float> in_rank_order = sources[0];
    for (size_t i = 1; i < k; ++i) {
      for (size_t e = 0; e < kCount; ++e) in_rank_order[e] += sources[i][e];
    }
    EXPECT_NE(in_rank_order, expected) << "data on which the order cannot be seen";
  }
}

#if defined(__x86_64__)

TEST(Reduce, IgnoresAndRestoresTheCallersFloatingPointMode) {
  constexpr unsigned kFlushToZero = 0x8000, kRoundUp = 0x4000, kDenormalsAreZero = 0x0040;
  constexpr unsigned kMasks = 0x1f80, kInexactFlag = 0x0020;
  std::vector<std::vector<float>> sources(3, std::vector<float>(100));
  for (size_t i = 0; i < 100; ++i) {
    sources[0][i] = std::bit_cast<float>(static_cast<uint32_t>(i * 1000 + 1));
    sources[1][i] = std::bit_cast<float>(static_cast<uint32_t>(i * 77));
    sources[2][i] = i % 2 == 0 ? 0.0f : 0.1f * static_cast<float>(i);
  }
  const Reduction reduction{DataType::float32, ReduceOp::avg, 3, 0};
  const Reduction to_half{DataType::float16, ReduceOp::sum, 1, 0};
  const std::vector<std::vector<float>> small = {std::vector<float>(40, 3.1e-5f)};
  testing::for_each_simd_target([&] {
    const auto expected = reduced<uint32_t, float>(reduction, Form::user, Form::user, sources);
    const auto half = reduced<uint16_t, float>(to_half, Form::user, Form::partial, small);
    const unsigned saved = _mm_getcsr();
    for (const unsigned mode : {kFlushToZero | kDenormalsAreZero, kRoundUp,
                                kFlushToZero | kRoundUp | kDenormalsAreZero | kInexactFlag}) {
      _mm_setcsr(kMasks | mode);
      const auto actual = reduced<uint32_t, float>(reduction, Form::user, Form::user, sources);
      const auto actual_half = reduced<uint16_t, float>(to_half, Form::user, Form::partial, small);
      const unsigned after = _mm_getcsr();
      _mm_setcsr(saved);
      EXPECT_EQ(actual, expected);
      EXPECT_EQ(actual_half, half);
      EXPECT_EQ(after, kMasks | mode);
    }
  });
}

#endif

}  // namespace
}  // namespace unirack
