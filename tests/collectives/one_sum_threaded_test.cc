// The one sum: every canonical algorithm, tile size, lane count and transport gives the bits of an
// ordered oracle, for every type and operator, on data where the order of a float sum is visible.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "collectives/algorithms/algorithms.h"
#include "collectives/engine.h"
#include "lib/base/random.h"
#include "tests/support/engine_pool.h"
#include "tests/support/reduce_oracle.h"
#include "tests/support/scope.h"

namespace unirack {
namespace {

using testing::EnginePoolOptions;
using testing::oracle_reduce;
using testing::run_engines;
using testing::same_bits;

using Bytes8 = std::vector<std::byte>;

// Elements whose sums depend on their order: signs and magnitudes differ, now and then something
// special.
Bytes8 make_input(DataType type, uint64_t count, uint64_t seed) {
  Random random(seed);
  Bytes8 bytes(count * size_of(type));
  for (uint64_t i = 0; i < count; ++i) {
    std::byte* at = bytes.data() + i * size_of(type);
    const uint64_t bits = random();
    if (type == DataType::float32 || type == DataType::bfloat16) {
      const float value =
          std::ldexp(static_cast<float>(static_cast<int64_t>(bits >> 40) - (1 << 23)),
                     static_cast<int>(bits % 24) - 30);
      // A bfloat16 is the upper half of a float.
      const auto* raw = reinterpret_cast<const std::byte*>(&value);
      std::memcpy(at, raw + sizeof(value) - size_of(type), size_of(type));
    } else if (type == DataType::float64) {
      const double value =
          std::ldexp(static_cast<double>(static_cast<int64_t>(bits >> 12)) - 2.0e15,
                     static_cast<int>(bits % 40) - 60);
      std::memcpy(at, &value, sizeof(value));
    } else {
      std::memcpy(at, &bits, size_of(type));  // any pattern: NaN and infinity among them
    }
  }
  return bytes;
}

// The sum over all ranks' element ranges, by groups in order.
Bytes8 expected_sum(const Reduction& reduction, const std::vector<std::vector<Rank>>& groups,
                    const std::vector<Bytes8>& inputs, uint64_t first, uint64_t count) {
  const size_t accumulator = size_of(reduction.type, Form::partial);
  std::vector<Bytes8> partials;
  std::vector<ReduceSource> terms;
  for (const auto& group : groups) {
    std::vector<ReduceSource> members;
    for (const Rank rank : group) {
      members.push_back(
          {inputs[static_cast<size_t>(rank)].data() + first * size_of(reduction.type), Form::user});
    }
    partials.emplace_back(count * accumulator);
    oracle_reduce(reduction, {partials.back().data(), Form::partial}, members, count);
  }
  for (const Bytes8& partial : partials) terms.push_back({partial.data(), Form::partial});
  Bytes8 result(count * size_of(reduction.type));
  oracle_reduce(reduction, {result.data(), Form::user}, terms, count);
  return result;
}

struct Trial {
  const Algorithm* algorithm;
  Request request;
  uint64_t tile_bytes;
  int lanes;
  uint64_t seed;
  uint64_t scalar_bits;
};

uint64_t scalar_for(DataType type, uint64_t bits) {
  const DataType accumulator = accumulator_of(type);
  if (accumulator == DataType::float32) {
    const float value = 0.3F + static_cast<float>(bits % 7);
    uint32_t raw = 0;
    std::memcpy(&raw, &value, sizeof(raw));
    return raw;
  }
  if (accumulator == DataType::float64) {
    const double value = 0.3 + static_cast<double>(bits % 7);
    uint64_t raw = 0;
    std::memcpy(&raw, &value, sizeof(raw));
    return raw;
  }
  return bits % 7;
}

Trial make_trial(Random& random, const Algorithm& algorithm, int ranks) {
  static constexpr uint64_t kCounts[] = {1, 2, 5, 31, 64, 257, 1000, 3001};
  Trial trial{&algorithm, {}, 0, 1 + static_cast<int>(random() % 2), random(), 0};
  trial.request.collective = algorithm.collective;
  trial.request.type = static_cast<DataType>(random() % kDataTypeCount);
  trial.request.op = static_cast<ReduceOp>(random() % kReduceOpCount);
  trial.request.count = kCounts[random() % std::size(kCounts)];
  trial.request.root = static_cast<Rank>(random() % static_cast<uint64_t>(ranks));
  trial.request.symmetric = random() % 2 == 0;
  trial.tile_bytes = random() % 2 == 0 ? 0 : 512;
  trial.scalar_bits = scalar_for(trial.request.type, random());
  return trial;
}

Status run_trial(Engine& engine, Rank rank, const Trial& trial) {
  const Topology& topology = engine.topology();
  const Request& request = trial.request;
  const auto made = UNIRACK_TRY(trial.algorithm->generate(topology, request, trial.lanes));
  const auto schedule = std::make_shared<const Schedule>(made.with_tiles(trial.tile_bytes));
  const Layout layout = schedule->layout();
  const uint64_t blocks = layout.data_blocks();
  std::vector<Bytes8> inputs;
  for (Rank each = 0; each < topology.rank_count(); ++each) {
    inputs.push_back(
        make_input(request.type, blocks * request.count, trial.seed + static_cast<uint64_t>(each)));
  }
  const uint64_t output_bytes =
      layout.blocks(rank, BufferId::output) * request.count * size_of(request.type);
  Bytes8& mine = inputs[static_cast<size_t>(rank)];
  std::byte* input = mine.data();
  Bytes8 own_output(output_bytes, std::byte{0xa5});
  std::byte* output = own_output.data();
  if (request.symmetric) {
    input = UNIRACK_TRY(engine.allocate(mine.size()));
    output = UNIRACK_TRY(engine.allocate(output_bytes));
    std::memcpy(input, mine.data(), mine.size());
    std::memset(output, 0xa5, output_bytes);
  }
  Launch launch;
  launch.request = request;
  launch.schedule = schedule;
  launch.input = input;
  launch.output = output;
  launch.scalar_bits = trial.scalar_bits;
  launch.deadline = deadline_in(std::chrono::seconds(20));
  const uint64_t id = UNIRACK_TRY(engine.submit(std::move(launch)));
  UNIRACK_TRY(engine.wait(id));
  const Reduction reduction{request.type, request.op, topology.rank_count(), trial.scalar_bits};
  Status status = ok_status();
  if (output_bytes > 0) {
    const uint64_t first = layout.data_block(rank, BufferId::output, 0) * request.count;
    const Bytes8 expected =
        expected_sum(reduction, topology.sum_groups(), inputs, first, request.count);
    for (uint64_t i = 0; i < request.count && status; ++i) {
      const uint64_t at = i * size_of(request.type);
      if (!same_bits(request.type, Form::user, output + at, expected.data() + at)) {
        status = make_error(Code::corrupted, std::string(trial.algorithm->name) + " " +
                                                 std::string(type_name(request.type)) + " " +
                                                 std::string(op_name(request.op)) + " element " +
                                                 std::to_string(i) + " of " +
                                                 std::to_string(request.count));
      }
    }
  }
  if (request.symmetric) {
    UNIRACK_TRY(engine.release(input));
    UNIRACK_TRY(engine.release(output));
  }
  return status;
}

struct Shape {
  const char* name;
  std::vector<int> domain_sizes;
  std::vector<int> sum_shape;
};

std::vector<Shape> shapes() {
  return {{"one_of_2", {2}, {}},
          {"one_of_3", {3}, {}},
          {"one_of_5", {5}, {}},
          {"one_of_8", {8}, {}},
          {"2_2", {2, 2}, {}},
          {"3_2", {3, 2}, {}},
          {"3_3", {3, 3}, {}},
          {"1_4", {1, 4}, {}},
          {"3_5", {3, 5}, {}},
          {"2_1_3", {2, 1, 3}, {}},
          {"one_of_8_as_3_5", {8}, {3, 5}},
          {"2_2_as_flat_4", {2, 2}, {4}}};
}

class OneSumThreaded : public ::testing::TestWithParam<std::tuple<const char*, size_t>> {};

TEST_P(OneSumThreaded, BitsFollowTheShapeWhateverThePlan) {
  const char* const transport = std::get<0>(GetParam());
  const size_t shape_index = std::get<1>(GetParam());
  const Shape shape = shapes()[shape_index];
  EnginePoolOptions options;
  options.rank_count = 0;
  for (size_t domain = 0; domain < shape.domain_sizes.size(); ++domain) {
    for (int i = 0; i < shape.domain_sizes[domain]; ++i) {
      options.domains.push_back("rack" + std::to_string(domain));
      ++options.rank_count;
    }
  }
  // Ranks of different domains reach each other by messages only.
  options.transports = {transport};
  if (shape.domain_sizes.size() > 1 && std::string(transport) != "tcp") {
    options.transports.emplace_back("tcp");
  }
  options.sum_shape = shape.sum_shape;
  for (const std::string& name : options.transports) {
    const auto table = transport_table();
    const bool known = std::ranges::find(table, name, &TransportEntry::name) != table.end();
    if (!known) GTEST_SKIP() << "no transport " << name;
  }
  const Status status = run_engines(options, [&](Rank rank, Engine& engine) -> Status {
    Random random(42 + shape_index);  // the same on every rank
    for (int round = 0; round < testing::rounds(6); ++round) {
      for (const Algorithm& algorithm : algorithms()) {
        if (!is_reduction(algorithm.collective) || algorithm.reassociates) continue;
        const Trial trial = make_trial(random, algorithm, engine.topology().rank_count());
        if (!algorithm.unfit(engine.topology(), trial.request).empty()) continue;
        UNIRACK_TRY(run_trial(engine, rank, trial));
      }
    }
    return ok_status();
  });
  EXPECT_TRUE(status) << shape.name << ": " << status.error().to_string();
}

INSTANTIATE_TEST_SUITE_P(Shapes, OneSumThreaded,
                         ::testing::Combine(::testing::Values("loopback", "shm", "tcp"),
                                            ::testing::Range(size_t{0}, shapes().size())),
                         [](const auto& each) {
                           return std::string(std::get<0>(each.param)) + "_" +
                                  shapes()[std::get<1>(each.param)].name;
                         });

// Without it the suite above would prove little.
TEST(OneSum, OrderIsVisibleInTheData) {
  // Small floats sum in float32 and hide most of it behind their own rounding.
  for (const DataType type : {DataType::float32, DataType::float64}) {
    const uint64_t count = 200;
    std::vector<Bytes8> inputs;
    for (uint64_t rank = 0; rank < 5; ++rank) inputs.push_back(make_input(type, count, rank));
    const Reduction sum{type, ReduceOp::sum, 5, 0};
    const auto flat = expected_sum(sum, {{0, 1, 2, 3, 4}}, inputs, 0, count);
    const auto other = expected_sum(sum, {{0, 1}, {2, 3, 4}}, inputs, 0, count);
    EXPECT_NE(flat, other) << type_name(type);
  }
}

}  // namespace
}  // namespace unirack
