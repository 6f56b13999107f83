// What the chunks of an MSCCL algorithm hold while it is turned into a schedule: which part of the
// data, with whose contributions, and where the schedule keeps it. Every write of a chunk gives it
// a new place, so that nothing has to wait until an older content has been read.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <tuple>
#include <vector>

#include "collectives/formats/msccl_lanes.h"
#include "collectives/formats/msccl_xml.h"

namespace unirack {

// Who has contributed to a sum.
class Contributors {
 public:
  Contributors() = default;
  Contributors(int rank_count, Rank first);

  // The lowest rank that is in both; then nothing is added.
  std::optional<Rank> add(const Contributors& other);
  int count() const;

 private:
  std::vector<uint64_t> words_;  // bit r: rank r
};

// The content of a chunk.
struct Held {
  uint32_t part = 0;
  Contributors from;
  Slice at;
  Form form = Form::user;
  std::optional<LaneId> writer;  // of scratch
};

class MscclMemory {
 public:
  explicit MscclMemory(const MscclAlgorithm& algorithm)
      : algorithm_(algorithm), layout_(algorithm.layout()) {}

  // Chunk `index` of a run that begins there.
  MscclPlace place(Rank gpu, MscclPlace first, uint32_t index) const {
    return algorithm_.own_place(gpu, {first.buffer, first.chunk + index});
  }
  // Nothing: nobody has written it.
  std::optional<Held> read(LaneId reader, MscclPlace place);
  void store(Rank gpu, MscclPlace first, uint32_t index, Held held);
  // Where the output of a rank wants exactly this.
  std::optional<Slice> output_for(Rank gpu, MscclPlace first, uint32_t index,
                                  const Held& held) const;

  // A chunk of a rank's output that is its own input, and who reads it.
  struct OwnChunk {
    LaneId reader;
    uint32_t part = 0;
    Slice output;
    Slice input;
  };
  // Those that nobody has written: in place they lie there already.
  std::vector<OwnChunk> own_chunks() const;

 private:
  using ChunkKey = std::tuple<Rank, BufferId, uint32_t>;

  Slice slice_of(Rank gpu, MscclPlace place) const;
  uint32_t part_at(Rank gpu, MscclPlace place) const;
  Held contribution(Rank gpu, MscclPlace input) const;
  std::optional<MscclPlace> aliased_input(Rank gpu, MscclPlace output) const;
  bool is_whole(const Held& held) const;

  const MscclAlgorithm& algorithm_;
  const Layout layout_;
  std::map<ChunkKey, Held> chunks_;
  std::map<ChunkKey, LaneId> first_read_;
};

}  // namespace unirack
