// The memory of the interleaver's ranks, and the bits they should end with. Input and output of a
// rank exist from its entry to its end; before and after they hold poison.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "collectives/schedule.h"
#include "tests/support/interleaver.h"

namespace unirack::testing {

// Bytes of a run of parts; null when the slice leaves its buffer.
struct Extent {
  std::byte* data = nullptr;
  uint64_t bytes = 0;
  Form form = Form::user;
};

class SimulatedPool {
 public:
  SimulatedPool(const Schedule& schedule, const Interleaving& how);

  uint64_t tiles() const { return geometry_.tiles; }
  Extent find(const Slice& slice, uint64_t tile, uint32_t begin, uint32_t end);
  void reduce(const Extent& target, const std::vector<Extent>& sources) const;
  void enter(Rank rank);
  // Takes the result and poisons everything the rank has.
  void leave(Rank rank);
  // Empty, or which output is wrong, or who was written to after its end.
  std::string check();

 private:
  struct Buffers {
    std::vector<std::byte> input;
    std::vector<std::byte> output;
    std::vector<std::byte> scratch;
    std::vector<std::byte> result;
    bool has_left = false;
  };

  std::byte* block(Rank rank, BufferId buffer, uint32_t index);
  const std::vector<std::byte>& expected(uint32_t data);
  std::vector<std::byte> contribution(Rank rank, uint32_t data) const;

  const Schedule& schedule_;
  const Interleaving how_;
  const Layout layout_;
  const Geometry geometry_;
  const ScratchPlan plan_;
  const uint64_t block_bytes_;
  std::vector<Buffers> ranks_;
  std::map<uint32_t, std::vector<std::byte>> expected_;  // by data block
};

}  // namespace unirack::testing
