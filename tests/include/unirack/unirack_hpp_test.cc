#include "unirack/unirack.hpp"

#include <gtest/gtest.h>

#include <thread>

// Both worlds in one file: the names of the C++ interface must not meet the library's own.
#include "lib/base/config.h"
#include "lib/base/result.h"
#include "lib/base/types.h"

namespace unirack {
namespace {

static_assert(!std::is_same_v<Error, api::Error>);
static_assert(!std::is_copy_constructible_v<api::Communicator>);
static_assert(std::is_nothrow_move_constructible_v<api::Communicator>);
static_assert(!std::is_copy_constructible_v<api::Work>);
static_assert(std::is_nothrow_move_constructible_v<api::SymmetricBuffer<float>>);
static_assert(api::DataTypeOf<api::Bfloat16>::value == unirackBfloat16);
static_assert(static_cast<int>(DataType::float8_e4m3) == api::DataTypeOf<api::Float8E4M3>::value);
static_assert(!api::Element<char32_t>);

// Runs `body` as every rank of a pool of threads; it returns what failed.
template <class Body>
void run_ranks(int rank_count, const Body& body) {
  auto pool = api::Communicator::join_threads(rank_count);
  ASSERT_TRUE(pool) << pool.error().text;
  std::vector<std::string> failures(pool->size());
  std::vector<std::thread> threads;
  for (size_t rank = 0; rank < pool->size(); ++rank) {
    threads.emplace_back([&, rank] {
      if (api::Status status = body((*pool)[rank]); !status) failures[rank] = status.error().text;
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const std::string& failure : failures) EXPECT_EQ(failure, "");
}

TEST(CppInterfaceThreaded, CollectivesOfRanges) {
  run_ranks(3, [](api::Communicator& pool) -> api::Status {
    const auto rank = static_cast<int32_t>(pool.rank());
    EXPECT_EQ(pool.size(), 3);
    std::vector<int32_t> data(7, rank);
    if (api::Status status = pool.all_reduce(data); !status) return status;
    EXPECT_EQ(data, std::vector<int32_t>(7, 3));

    std::vector<int32_t> own(2, rank), all(6);
    if (api::Status status = pool.all_gather(own, all); !status) return status;
    EXPECT_EQ(all, (std::vector<int32_t>{0, 0, 1, 1, 2, 2}));

    std::vector<int32_t> swapped(6);
    if (api::Status status = pool.all_to_all(all, swapped); !status) return status;
    EXPECT_EQ(swapped, (std::vector<int32_t>{rank, rank, rank, rank, rank, rank}));

    if (api::Status status = pool.reduce_scatter(all, own, unirackMax); !status) return status;
    EXPECT_EQ(own, (std::vector<int32_t>{rank, rank}));

    if (api::Status status = pool.broadcast(own, 2); !status) return status;
    EXPECT_EQ(own, (std::vector<int32_t>{2, 2}));
    return pool.barrier();
  });
}

TEST(CppInterfaceThreaded, SymmetricMemoryAndWork) {
  run_ranks(2, [](api::Communicator& pool) -> api::Status {
    auto buffer = pool.allocate<float>(5);
    if (!buffer) return buffer.error();
    for (float& value : *buffer) value = 1.5f;
    auto work = pool.start([&] { return pool.all_reduce(*buffer); });
    if (!work) return work.error();
    if (api::Status status = work->wait(); !status) return status;
    for (float value : *buffer) EXPECT_EQ(value, 3.0f);

    auto scaled = pool.premultiplied_sum(2.0f);
    if (!scaled) return scaled.error();
    std::vector<float> data(3, 1.0f);
    if (api::Status status = pool.all_reduce(data, *scaled); !status) return status;
    EXPECT_EQ(data, std::vector<float>(3, 4.0f));
    return pool.barrier();
  });
}

TEST(CppInterfaceThreaded, GroupsOfSendsAndReceives) {
  run_ranks(2, [](api::Communicator& pool) -> api::Status {
    const std::vector<double> mine(4, pool.rank());
    std::vector<double> theirs(4, -1);
    api::Group group;
    if (api::Status status = pool.send(mine, 1 - pool.rank()); !status) return status;
    if (api::Status status = pool.recv(theirs, 1 - pool.rank()); !status) return status;
    if (api::Status status = group.end(); !status) return status;
    EXPECT_EQ(theirs, std::vector<double>(4, 1 - pool.rank()));
    return api::Unit{};
  });
}

TEST(CppInterfaceThreaded, SplitMakesNewPools) {
  run_ranks(3, [](api::Communicator& pool) -> api::Status {
    auto part = pool.split(pool.rank() == 1 ? -1 : 0, -pool.rank());
    if (!part) return part.error();
    EXPECT_EQ(part->has_value(), pool.rank() != 1);
    if (!part->has_value()) return api::Unit{};
    EXPECT_EQ((*part)->size(), 2);
    EXPECT_EQ((*part)->rank(), pool.rank() == 2 ? 0 : 1);
    std::vector<uint8_t> data(1, 1);
    if (api::Status status = (*part)->all_reduce(data); !status) return status;
    EXPECT_EQ(data[0], 2);
    return (*part)->close();
  });
}

TEST(CppInterface, SizesThatDoNotFitAreErrors) {
  auto pool = api::Communicator::join_threads(1);
  ASSERT_TRUE(pool) << pool.error().text;
  api::Communicator& alone = pool->front();
  std::vector<float> three(3), four(4);
  const api::Status status = alone.all_reduce(three, four);
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().code, unirackInvalidArgument);
  EXPECT_FALSE(alone.all_gather(three, four));
  EXPECT_FALSE(alone.all_to_all(three, four));
  const std::vector<size_t> counts = {4};
  EXPECT_FALSE(alone.all_to_all_v(three, counts, four, counts));
  EXPECT_FALSE(api::Communicator::join_threads(0));
}

}  // namespace
}  // namespace unirack
