// Every type and operator in every shape: numbers of sources, counts, forms, alignments, in place,
// on every instruction set, bit for bit against the oracle.
#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <random>
#include <string>
#include <tuple>
#include <vector>

#include "kernels/reduce.h"
#include "tests/support/reduce_oracle.h"
#include "tests/support/simd_targets.h"

namespace unirack {
namespace {

constexpr size_t kSourceCounts[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 16, 17};
constexpr uint64_t kCounts[] = {0, 1, 3, 7, 8, 31, 33, 1000, 4097};
constexpr uint64_t kCountMax = 4097;
constexpr size_t kSourcesMax = 17;
constexpr size_t kGuardBytes = 64;
constexpr std::byte kGuard{0xa5};

bool is_no_guard(std::byte byte) { return byte != kGuard; }

// Mostly numbers near one, so that long products and sums stay visible; some of any bits.
void fill(DataType type, std::byte* to, std::mt19937_64& random) {
  const uint64_t bits = random();
  if (!is_float(type) || bits % 16 == 0) {
    const uint64_t any = random();
    std::memcpy(to, &any, size_of(type));
    return;
  }
  const auto exponent = static_cast<int>(bits >> 8 & 7) - 4;
  const double magnitude = std::ldexp(1.0 + static_cast<double>(bits >> 12) * 0x1p-52, exponent);
  const double value = (bits >> 7 & 1) != 0 ? -magnitude : magnitude;
  const auto single = static_cast<float>(value);
  if (type == DataType::float64) {
    std::memcpy(to, &value, sizeof(value));
  } else if (type == DataType::float32) {
    std::memcpy(to, &single, sizeof(single));
  } else {
    const uint32_t code = testing::encode_small(type, single);
    std::memcpy(to, &code, size_of(type));
  }
}

// Which form each source has.
enum class Mix { user, partial, alternating };

struct Shape {
  size_t source_count;
  uint64_t count;
  Mix mix;
  Form target_form;
  bool is_misaligned;
  bool is_in_place;  // the target is the last source; their forms agree
};

Form form_of(Mix mix, size_t source) {
  if (mix == Mix::alternating) return source % 3 == 1 ? Form::partial : Form::user;
  return mix == Mix::user ? Form::user : Form::partial;
}

std::vector<Shape> all_shapes() {
  std::vector<Shape> shapes;
  for (const size_t sources : kSourceCounts) {
    for (const uint64_t count : kCounts) {
      for (const Mix mix : {Mix::user, Mix::partial, Mix::alternating}) {
        for (const Form to : {Form::user, Form::partial}) {
          const bool can_alias = form_of(mix, sources - 1) == to;
          const bool misaligned = (shapes.size() % 3) != 0;
          shapes.push_back({sources, count, mix, to, misaligned, can_alias && count % 2 == 1});
        }
      }
    }
  }
  return shapes;
}

class ReduceShape : public ::testing::TestWithParam<std::tuple<DataType, ReduceOp>> {
 protected:
  ReduceShape() {
    std::mt19937_64 random(size_t{static_cast<uint8_t>(type_)} * 8 + static_cast<uint8_t>(op_));
    const DataType accumulator = accumulator_of(type_);
    user_.resize(kSourcesMax * kCountMax * size_of(type_));
    partial_.resize(kSourcesMax * kCountMax * size_of(accumulator));
    for (size_t i = 0; i < kSourcesMax * kCountMax; ++i) {
      fill(type_, &user_[i * size_of(type_)], random);
      fill(accumulator, &partial_[i * size_of(accumulator)], random);
    }
    if (is_float(type_)) fill_scalar();
  }

  void fill_scalar() {
    scalar_bits_ = type_ == DataType::float64 ? std::bit_cast<uint64_t>(1.0 / 3)
                                              : std::bit_cast<uint32_t>(1.0f / 3);
  }

  // A copy of source `i` where the shape wants it.
  std::byte* place(const Shape& shape, size_t i, std::vector<std::byte>& storage) const {
    const Form form = form_of(shape.mix, i);
    const size_t bytes = size_of(type_, form);
    const std::byte* from = (form == Form::user ? user_ : partial_).data() + i * kCountMax * bytes;
    storage.assign(3 * kGuardBytes + shape.count * bytes, kGuard);
    const size_t offset = kGuardBytes + (shape.is_misaligned ? (i * 5 + 1) % 13 : 0);
    if (shape.count > 0) std::memcpy(storage.data() + offset, from, shape.count * bytes);
    return storage.data() + offset;
  }

  void check(const Shape& shape);

  const DataType type_ = std::get<0>(GetParam());
  const ReduceOp op_ = std::get<1>(GetParam());
  uint64_t scalar_bits_ = 0x8d3f5a7b9c1e2d03;
  std::vector<std::byte> user_;
  std::vector<std::byte> partial_;
};

void ReduceShape::check(const Shape& shape) {
  const Reduction reduction{type_, op_, static_cast<int>(shape.source_count), scalar_bits_};
  const size_t bytes = size_of(type_, shape.target_form);
  std::vector<std::vector<std::byte>> storage(shape.source_count);
  std::vector<ReduceSource> sources;
  for (size_t i = 0; i < shape.source_count; ++i) {
    sources.push_back({place(shape, i, storage[i]), form_of(shape.mix, i)});
  }
  std::vector<std::byte> expected(shape.count * bytes + 1);
  testing::oracle_reduce(reduction, {expected.data(), shape.target_form}, sources, shape.count);

  testing::for_each_simd_target([&] {
    std::vector<std::byte> own(3 * kGuardBytes + shape.count * bytes, kGuard);
    std::byte* target = own.data() + kGuardBytes + (shape.is_misaligned ? 3 : 0);
    std::vector<std::byte>* guarded = &own;
    if (shape.is_in_place) {
      guarded = &storage.back();
      target = place(shape, shape.source_count - 1, storage.back());
      sources.back().data = target;
    }
    reduce(reduction, {target, shape.target_form}, sources, shape.count);
    const std::byte* const result = target;
    const std::byte* const behind = result + shape.count * bytes;
    if (!std::equal(result, behind, expected.data())) {
      for (uint64_t i = 0; i < shape.count; ++i) {
        ASSERT_TRUE(testing::same_bits(type_, shape.target_form, result + i * bytes,
                                       expected.data() + i * bytes))
            << "element " << i;
      }
    }
    const std::byte* const begin = guarded->data();
    const std::byte* const end = begin + guarded->size();
    ASSERT_EQ(std::find_if(begin, result, is_no_guard), result);
    ASSERT_EQ(std::find_if(behind, end, is_no_guard), end);
  });
}

TEST_P(ReduceShape, EqualsTheOracle) {
  for (const Shape& shape : all_shapes()) {
    SCOPED_TRACE(::testing::Message()
                 << shape.source_count << " sources, count " << shape.count << ", mix "
                 << static_cast<int>(shape.mix) << ", to form "
                 << static_cast<int>(shape.target_form) << (shape.is_in_place ? ", in place" : ""));
    check(shape);
    if (HasFatalFailure()) return;
  }
}

std::vector<DataType> all_types() {
  std::vector<DataType> types;
  for (int i = 0; i < kDataTypeCount; ++i) types.push_back(static_cast<DataType>(i));
  return types;
}

std::vector<ReduceOp> all_ops() {
  std::vector<ReduceOp> ops;
  for (int i = 0; i < kReduceOpCount; ++i) ops.push_back(static_cast<ReduceOp>(i));
  return ops;
}

INSTANTIATE_TEST_SUITE_P(All, ReduceShape,
                         ::testing::Combine(::testing::ValuesIn(all_types()),
                                            ::testing::ValuesIn(all_ops())),
                         [](const auto& test) {
                           return std::string(type_name(std::get<0>(test.param))) + "_" +
                                  std::string(op_name(std::get<1>(test.param)));
                         });

}  // namespace
}  // namespace unirack
