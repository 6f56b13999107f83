#include "lib/memory/region_table.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <thread>

namespace unirack {
namespace {

std::array<std::byte, 100> memory;

Code code_of(const RegionTable& table, RegionId id, uint64_t offset, uint64_t bytes,
             Access access = Access::read) {
  return table.check(id, offset, bytes, access).code();
}

TEST(RegionTable, FindsWhatLiesInside) {
  RegionTable table;
  const auto id = table.add(memory.data(), 100, Access::read_write);
  ASSERT_TRUE(id);
  EXPECT_EQ(*table.check(*id, 0, 100, Access::write), memory.data());
  EXPECT_EQ(*table.check(*id, 99, 1, Access::read), memory.data() + 99);
  EXPECT_EQ(*table.check(*id, 100, 0, Access::read), memory.data() + 100);
  EXPECT_EQ(RegionId::unpack(id->packed()), *id);
}

TEST(RegionTable, RefusesWhatLiesOutside) {
  RegionTable table;
  const auto id = table.add(memory.data(), 100, Access::read_write);
  ASSERT_TRUE(id);
  EXPECT_EQ(code_of(table, *id, 0, 101), Code::invalid_argument);
  EXPECT_EQ(code_of(table, *id, 101, 0), Code::invalid_argument);
  EXPECT_EQ(code_of(table, *id, 50, ~uint64_t{0} - 10), Code::invalid_argument);
  EXPECT_EQ(code_of(table, *id, ~uint64_t{0}, 2), Code::invalid_argument);
}

TEST(RegionTable, KeepsToTheAccessGranted) {
  RegionTable table;
  const auto reads = table.add(memory.data(), 100, Access::read);
  const auto writes = table.add(memory.data(), 100, Access::write);
  ASSERT_TRUE(reads && writes);
  EXPECT_EQ(code_of(table, *reads, 0, 1, Access::read), Code::ok);
  EXPECT_EQ(code_of(table, *reads, 0, 1, Access::write), Code::invalid_argument);
  EXPECT_EQ(code_of(table, *writes, 0, 1, Access::read), Code::invalid_argument);
  EXPECT_EQ(code_of(table, *writes, 0, 1, Access::write), Code::ok);
  EXPECT_EQ(code_of(table, *writes, 0, 1, Access::read_write), Code::invalid_argument);
}

TEST(RegionTable, ARetiredRegionIsStaleThoughItsIndexIsReused) {
  RegionTable table;
  const auto first = table.add(memory.data(), 100, Access::read);
  ASSERT_TRUE(first);
  table.retire(*first);
  EXPECT_EQ(code_of(table, *first, 0, 1), Code::stale);
  const auto second = table.add(memory.data(), 100, Access::read);
  ASSERT_TRUE(second);
  EXPECT_EQ(second->index, first->index);
  EXPECT_EQ(code_of(table, *first, 0, 1), Code::stale);
  EXPECT_EQ(code_of(table, *second, 0, 1), Code::ok);
  table.retire(*first);  // of no effect
  EXPECT_EQ(code_of(table, *second, 0, 1), Code::ok);
  EXPECT_EQ(table.live_count(), 1u);
}

TEST(RegionTable, WhatWasNeverRegisteredIsStale) {
  RegionTable table;
  EXPECT_EQ(code_of(table, {0, 0}, 0, 0), Code::stale);
  EXPECT_EQ(code_of(table, {5, 1}, 0, 0), Code::stale);
  EXPECT_EQ(code_of(table, {~0u, ~0u}, 0, 0), Code::stale);
  ASSERT_TRUE(table.add(memory.data(), 100, Access::read));
  EXPECT_EQ(code_of(table, {0, 0}, 0, 0), Code::stale);
}

TEST(RegionTable, IsBounded) {
  RegionTable table(3000);
  for (int i = 0; i < 3000; ++i) ASSERT_TRUE(table.add(memory.data(), 100, Access::read));
  EXPECT_EQ(table.add(memory.data(), 100, Access::read).code(), Code::resource_exhausted);
}

TEST(RegionTableThreaded, RetireWaitsForPins) {
  RegionTable table;
  std::array<std::byte, 64> bytes{};
  std::atomic<uint64_t> name = 0;
  std::atomic<bool> is_over = false;
  uint64_t hits = 0;
  std::thread writer([&] {
    while (!is_over) {
      auto pin = table.pin(RegionId::unpack(name.load()), 0, 64, Access::write);
      if (!pin) continue;
      std::fill_n(pin->data(), 64, std::byte{1});
      ++hits;
    }
  });
  for (int round = 0; round < 300; ++round) {
    const auto id = table.add(bytes.data(), 64, Access::write);
    name = id->packed();
    std::this_thread::yield();
    table.retire(*id);
    // Nobody writes now; the thread sanitizer agrees.
    std::ranges::fill(bytes, std::byte{2});
    ASSERT_EQ(std::ranges::count(bytes, std::byte{2}), 64);
  }
  is_over = true;
  writer.join();
}

}  // namespace
}  // namespace unirack
