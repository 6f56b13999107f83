#include "perf/common/check.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

namespace unirack::perf {
namespace {

std::vector<std::byte> expected_period(const Oracle& oracle, const Block& block) {
  const size_t count = std::min(block.count, kPeriod);
  return block.source == kReduced ? oracle.reduced(block.id, count)
                                  : oracle.input(block.source, block.id, count);
}

uint64_t bits_at(const std::byte* bytes, size_t size) {
  uint64_t bits = 0;
  std::memcpy(&bits, bytes, size);
  return bits;
}

}  // namespace

void fill_blocks(const Oracle& oracle, const Blocks& blocks, size_t element_bytes,
                 std::byte* buffer) {
  for (const Block& block : blocks) {
    const std::vector<std::byte> period =
        oracle.input(block.source, block.id, std::min(block.count, kPeriod));
    const size_t whole = block.count * element_bytes;
    std::byte* target = buffer + block.offset * element_bytes;
    for (size_t at = 0; at < whole; at += period.size()) {
      std::memcpy(target + at, period.data(), std::min(period.size(), whole - at));
    }
  }
}

Wrong count_wrong(const Oracle& oracle, const Blocks& blocks, size_t element_bytes,
                  const std::byte* buffer) {
  Wrong wrong;
  for (const Block& block : blocks) {
    const std::vector<std::byte> period = expected_period(oracle, block);
    const size_t whole = block.count * element_bytes;
    const std::byte* actual = buffer + block.offset * element_bytes;
    for (size_t at = 0; at < whole; at += period.size()) {
      const size_t part = std::min(period.size(), whole - at);
      if (std::memcmp(actual + at, period.data(), part) == 0) continue;
      for (size_t i = 0; i < part; i += element_bytes) {
        const uint64_t got = bits_at(actual + at + i, element_bytes);
        const uint64_t want = bits_at(period.data() + i, element_bytes);
        if (got == want) continue;
        if (wrong.count++ > 0) continue;
        wrong.first =
            fmt::format("element {} of {} of block {} from {}: bits {:#x}, expected {:#x}",
                        (at + i) / element_bytes, block.count, block.id,
                        block.source == kReduced ? "all" : std::to_string(block.source), got, want);
      }
    }
  }
  return wrong;
}

}  // namespace unirack::perf
