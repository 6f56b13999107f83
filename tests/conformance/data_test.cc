// What every transport must do with bytes and signals.
#include <algorithm>
#include <array>
#include <cstring>

#include "tests/conformance/subjects.h"
#include "tests/support/watchdog.h"

namespace unirack::testing {
namespace {

constexpr size_t kMiB = size_t{1} << 20;
constexpr size_t kGuard = 72;  // poison on both sides; a multiple of 8 that is no power of two

constexpr auto kSizes = std::to_array<size_t>(
    {0,     1,     7,      63,       64,        65,       255,     256,
     257,   895,   961,    4095,     4096,      4097,     16381,   32768,
     65521, 65537, 262147, kMiB - 1, kMiB + 13, 3 * kMiB, 7340033, 64 * kMiB});

class ConformanceData : public Conformance {
 protected:
  // Puts `bytes` at an odd place and raises a signal; then every byte must be there at once.
  void check_put(Pool& pool, Kind kind, size_t bytes, uint64_t seed) {
    std::vector<std::byte> source(bytes);
    fill_pattern(source, seed);
    Buffer target(kind, bytes + 2 * kGuard + 8);
    *target.word(0) = 0;
    const auto registration = pool[1].expose(target);
    const Remote remote = pool.import(0, 1, *registration);
    const size_t offset = kGuard + 1;
    const Signal signal{remote, 0, seed};
    const Token token = pool[0].next_token();
    const Copy copy{source.data(), remote, offset, bytes};
    ASSERT_TRUE(pool.pump_until([&] {
      return pool[0].endpoint(1).put({&copy, 1}, &signal, token);
    }));
    ASSERT_TRUE(pool.pump_until([&] { return target.load_word(0) == seed; })) << bytes;
    const Bytes landed = target.bytes().subspan(offset, bytes);
    EXPECT_EQ(first_difference(landed, seed), bytes);
    EXPECT_TRUE(is_poison(target.bytes().subspan(8, offset - 8)));
    EXPECT_TRUE(is_poison(target.bytes().subspan(offset + bytes)));
    const Status status = pool.wait(pool[0], token);
    EXPECT_TRUE(status) << status.error().to_string();
  }

  void check_get(Pool& pool, Kind kind, size_t bytes, uint64_t seed) {
    Buffer source(kind, bytes + 3);
    fill_pattern(source.bytes().subspan(3), seed);
    std::vector<std::byte> target(bytes + 2 * kGuard, kPoison);
    const auto registration = pool[0].expose(source, Access::read);
    const Remote remote = pool.import(1, 0, *registration);
    const Status status = pool.get(1, 0, {{target.data() + kGuard, remote, 3, bytes}});
    EXPECT_TRUE(status) << status.error().to_string();
    EXPECT_EQ(first_difference(Bytes(target).subspan(kGuard, bytes), seed), bytes);
    EXPECT_TRUE(is_poison(Bytes(target).first(kGuard)));
    EXPECT_TRUE(is_poison(Bytes(target).subspan(kGuard + bytes)));
  }
};

TEST_P(ConformanceData, PutsEverySizeIntoPrivateMemory) {
  Pool pool(GetParam(), 2);
  pool.connect_all();
  uint64_t seed = 1;
  for (const size_t bytes : kSizes) check_put(pool, Kind::private_memory, bytes, seed++);
}

TEST_P(ConformanceData, PutsEverySizeIntoSymmetricMemory) {
  Pool pool(GetParam(), 2);
  pool.connect_all();
  uint64_t seed = 100;
  for (const size_t bytes : kSizes) check_put(pool, Kind::symmetric, bytes, seed++);
}

TEST_P(ConformanceData, GetsEverySizeFromPrivateMemory) {
  Pool pool(GetParam(), 2);
  pool.connect_all();
  uint64_t seed = 200;
  for (const size_t bytes : kSizes) check_get(pool, Kind::private_memory, bytes, seed++);
}

TEST_P(ConformanceData, GetsEverySizeFromSymmetricMemory) {
  Pool pool(GetParam(), 2);
  pool.connect_all();
  uint64_t seed = 300;
  for (const size_t bytes : kSizes) check_get(pool, Kind::symmetric, bytes, seed++);
}

// Thousands of copies in one call, of all sizes around the limits of whatever is inside.
struct Batch {
  std::vector<std::byte> local;
  std::vector<Copy> copies;
};

Batch make_batch(size_t count, const Remote& remote) {
  Batch batch;
  uint64_t at = 0;
  for (size_t i = 0; i < count; ++i) {
    const uint64_t bytes = (i * 397) % 3001;
    batch.copies.push_back({nullptr, remote, 8 + at, bytes});
    at += bytes;
  }
  batch.local.resize(at);
  for (Copy& copy : batch.copies) copy.local = batch.local.data() + copy.offset - 8;
  return batch;
}

TEST_P(ConformanceData, TakesBatchesOfThousandsOfPuts) {
  Pool pool(GetParam(), 2);
  pool.connect_all();
  for (const Kind kind : {Kind::private_memory, Kind::symmetric}) {
    Buffer target(kind, 8 * kMiB);
    *target.word(0) = 0;
    const auto registration = pool[1].expose(target);
    Batch batch = make_batch(5000, pool.import(0, 1, *registration));
    fill_pattern(batch.local, 5);
    const Signal signal{batch.copies[0].remote, 0, 99};
    const Status status = pool.put(0, 1, batch.copies, &signal);
    EXPECT_TRUE(status) << status.error().to_string();
    ASSERT_TRUE(pool.pump_until([&] { return target.load_word(0) == 99; }));
    EXPECT_EQ(first_difference(target.bytes().subspan(8, batch.local.size()), 5),
              batch.local.size());
    EXPECT_TRUE(is_poison(target.bytes().subspan(8 + batch.local.size())));
  }
}

TEST_P(ConformanceData, TakesBatchesOfThousandsOfGets) {
  Pool pool(GetParam(), 2);
  pool.connect_all();
  for (const Kind kind : {Kind::private_memory, Kind::symmetric}) {
    Buffer source(kind, 8 * kMiB);
    fill_pattern(source.bytes().subspan(8), 6);
    const auto registration = pool[0].expose(source, Access::read);
    Batch batch = make_batch(5000, pool.import(1, 0, *registration));
    std::ranges::fill(batch.local, kPoison);
    const Status status = pool.get(1, 0, batch.copies);
    EXPECT_TRUE(status) << status.error().to_string();
    EXPECT_EQ(first_difference(batch.local, 6), batch.local.size());
  }
}

// Each signal announces one more block; whenever a value is seen, all blocks up to it are there.
TEST_P(ConformanceData, SignalsNeverOvertakeBytes) {
  Pool pool(GetParam(), 2);
  pool.connect_all();
  for (const size_t block_bytes : {size_t{24}, size_t{1000}, size_t{4099}, size_t{70'001}}) {
    for (const Kind kind : {Kind::private_memory, Kind::symmetric}) {
      constexpr uint64_t kBlocks = 200;
      Buffer blocks(kind, block_bytes * kBlocks);
      Buffer words(Kind::symmetric, 64);
      *words.word(8) = 0;
      const auto blocks_exposed = pool[1].expose(blocks);
      const auto words_exposed = pool[1].expose(words);
      const Remote to_blocks = pool.import(0, 1, *blocks_exposed);
      const Remote to_words = pool.import(0, 1, *words_exposed);
      std::vector<std::byte> source(block_bytes * kBlocks);
      fill_pattern(source, block_bytes);
      uint64_t sent = 0;
      uint64_t checked = 0;
      ASSERT_TRUE(pool.pump_until([&] {
        while (sent < kBlocks) {
          const uint64_t offset = sent * block_bytes;
          const Copy copy{source.data() + offset, to_blocks, offset, block_bytes};
          const Signal signal{to_words, 8, sent + 1};
          if (pool[0].endpoint(1).put({&copy, 1}, &signal, kNoToken) == 0) break;
          ++sent;
        }
        const uint64_t seen = words.load_word(8);
        for (; checked < seen; ++checked) {
          for (size_t i = 0; i < block_bytes; ++i) {
            const size_t at = checked * block_bytes + i;
            if (blocks.data()[at] != source[at]) return true;
          }
        }
        return checked == kBlocks;
      }));
      EXPECT_EQ(checked, kBlocks) << block_bytes;
    }
  }
}

TEST_P(ConformanceData, SignalsWithoutBytesArriveInOrder) {
  Pool pool(GetParam(), 2);
  pool.connect_all();
  Buffer words(Kind::private_memory, 64);
  *words.word(0) = 0;
  const auto exposed = pool[1].expose(words);
  const Remote remote = pool.import(0, 1, *exposed);
  uint64_t last = 0;
  uint64_t sent = 0;
  ASSERT_TRUE(pool.pump_until([&] {
    const Copy nothing{nullptr, remote, 0, 0};
    const Signal signal{remote, 0, sent + 1};
    if (sent < 3000 && pool[0].endpoint(1).put({&nothing, 1}, &signal, kNoToken) == 1) ++sent;
    const uint64_t seen = words.load_word(0);
    EXPECT_GE(seen, last);
    last = seen;
    return seen == 3000;
  }));
}

TEST_P(ConformanceData, ReachesOffsetsAboveFourGiB) {
  Pool pool(GetParam(), 2);
  pool.connect_all();
  constexpr size_t kHuge = (size_t{5} << 30) + 4096;
  constexpr size_t kFar = (size_t{4} << 30) + 123'457;
  const Sparse sparse(kHuge);
  ASSERT_NE(sparse.data(), nullptr);
  const auto exposed = pool[1].expose(Memory{sparse.data(), kHuge, -1});
  const Remote remote = pool.import(0, 1, *exposed);
  std::vector<std::byte> source(100'003);
  fill_pattern(source, 11);
  Status status = pool.put(0, 1, {{source.data(), remote, kFar, source.size()}});
  EXPECT_TRUE(status) << status.error().to_string();
  std::vector<std::byte> back(source.size(), kPoison);
  status = pool.get(0, 1, {{back.data(), remote, kFar, back.size()}});
  EXPECT_TRUE(status) << status.error().to_string();
  EXPECT_EQ(first_difference(back, 11), back.size());
  EXPECT_EQ(first_difference({sparse.data() + kFar, back.size()}, 11), back.size());
  EXPECT_EQ(*(sparse.data() + kFar % (size_t{4} << 30)), std::byte{0});
}

TEST_P(ConformanceData, ServesManyEndpointsAtOnce) {
  extend_watchdog(2);
  constexpr int kRanks = 8;
  constexpr int kPaths = 3;
  constexpr size_t kBlock = 20'011;
  Pool pool(GetParam(), kRanks, kPaths);
  pool.connect_all();
  std::vector<Buffer> targets;
  std::vector<std::unique_ptr<Registration>> exposed;
  for (Rank rank = 0; rank < kRanks; ++rank) {
    targets.emplace_back(rank % 2 == 0 ? Kind::symmetric : Kind::private_memory,
                         1024 + kBlock * kRanks * kPaths);
    std::memset(targets.back().data(), 0, 1024);
    exposed.push_back(pool[rank].expose(targets.back()));
  }
  std::vector<std::vector<std::byte>> sources;
  for (Rank from = 0; from < kRanks; ++from) {
    for (Rank to = 0; to < kRanks; ++to) {
      for (int path = 0; from != to && path < kPaths; ++path) {
        const auto slot = static_cast<size_t>(from * kPaths + path);
        const Remote remote = pool.import(from, to, *exposed[static_cast<size_t>(to)], path);
        fill_pattern(sources.emplace_back(kBlock), slot * 100 + static_cast<size_t>(to));
        const Copy copy{sources.back().data(), remote, 1024 + slot * kBlock, kBlock};
        const Signal signal{remote, slot * 8, 1};
        ASSERT_TRUE(pool.pump_until([&] {
          return pool[from].endpoint(to, path).put({&copy, 1}, &signal, kNoToken) == 1;
        }));
      }
    }
  }
  for (Rank to = 0; to < kRanks; ++to) {
    for (Rank from = 0; from < kRanks; ++from) {
      for (int path = 0; from != to && path < kPaths; ++path) {
        const auto slot = static_cast<size_t>(from * kPaths + path);
        Buffer& target = targets[static_cast<size_t>(to)];
        ASSERT_TRUE(pool.pump_until([&] { return target.load_word(slot * 8) == 1; }));
        EXPECT_EQ(first_difference(target.bytes().subspan(1024 + slot * kBlock, kBlock),
                                   slot * 100 + static_cast<size_t>(to)),
                  kBlock);
      }
    }
  }
}

UNIRACK_CONFORMANCE(ConformanceData);

}  // namespace
}  // namespace unirack::testing
