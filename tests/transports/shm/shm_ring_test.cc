#include "transports/shm/shm_ring.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <deque>
#include <memory>
#include <vector>

#include "lib/base/random.h"

namespace unirack {
namespace {

constexpr uint32_t kBytes = 4096;

struct Ring {
  std::unique_ptr<ShmRingPositions> positions = std::make_unique<ShmRingPositions>();
  std::vector<std::byte> bytes = std::vector<std::byte>(kBytes);
  ShmRingWriter writer{positions.get(), bytes.data(), kBytes};
  ShmRingReader reader{positions.get(), bytes.data(), kBytes};
};

TEST(ShmRing, DeliversRecordsInOrderAndWhole) {
  Ring ring;
  Random random(3);
  std::deque<std::pair<uint64_t, uint32_t>> sent;
  uint64_t next = 0;
  uint64_t received = 0;
  while (received < 5000) {
    if (random.below(2) == 0) {
      ShmRecord record;
      record.kind = ShmRecord::Kind::put;
      record.tag = next;
      record.payload_bytes =
          static_cast<uint32_t>(random.below(ring.writer.payload_bytes_max() + 1));
      if (std::byte* const payload = ring.writer.reserve(record.payload_bytes)) {
        std::fill_n(payload, record.payload_bytes, static_cast<std::byte>(next));
        ring.writer.commit(record);
        sent.emplace_back(next++, record.payload_bytes);
      } else {
        ASSERT_FALSE(sent.empty());
      }
    } else {
      ShmRecord record;
      const auto payload = ring.reader.front(record);
      ASSERT_TRUE(payload);
      ASSERT_EQ(*payload == nullptr, sent.empty());
      if (*payload == nullptr) continue;
      ASSERT_EQ(record.tag, sent.front().first);
      ASSERT_EQ(record.payload_bytes, sent.front().second);
      ASSERT_EQ(
          std::count(*payload, *payload + record.payload_bytes, static_cast<std::byte>(record.tag)),
          record.payload_bytes);
      ring.reader.pop(record);
      sent.pop_front();
      ++received;
    }
  }
}

TEST(ShmRing, KnowsWhatIsUsedUp) {
  Ring ring;
  ASSERT_TRUE(ring.writer.push({.kind = ShmRecord::Kind::signal}));
  EXPECT_LT(ring.writer.read_position(), ring.writer.position());
  ShmRecord record;
  ASSERT_TRUE(ring.reader.front(record));
  ring.reader.pop(record);
  EXPECT_EQ(ring.writer.read_position(), ring.writer.position());
}

TEST(ShmRing, BelievesNoPositionAndNoSize) {
  Random random(4);
  for (int round = 0; round < 2000; ++round) {
    Ring ring;
    random.fill(ring.bytes);
    ring.positions->written = round % 2 == 0 ? random.next() : random.below(kBytes * 2);
    for (int i = 0; i < 50; ++i) {
      ShmRecord record;
      const auto payload = ring.reader.front(record);
      if (!payload || *payload == nullptr) break;
      ASSERT_GE(*payload, ring.bytes.data());
      ASSERT_LE(*payload + record.payload_bytes, ring.bytes.data() + kBytes);
      ring.reader.pop(record);
    }
  }
}

}  // namespace
}  // namespace unirack
