// The plain form of a schedule: what verifier, simulator and executors read.
//
// A program is what one rank does for one tile: lanes of steps, run for every tile in turn. Steps
// act on *parts*: a data block is cut into tiles, a tile into `chunks` parts, and part p names
// chunk p mod chunks of data block p / chunks. A step moves or folds parts [begin, end); its slices
// say where those parts lie. Nothing here holds an address: launch binds them.
#pragma once

#include <cstdint>
#include <vector>

#include "lib/base/types.h"

namespace unirack {

enum class Op : uint8_t { copy, reduce, signal, wait };
enum class BufferId : uint8_t { input, output, scratch };

// Where parts lie: in block `block` of a buffer of a rank. `origin` is the part that lies at the
// start of that block.
struct Slice {
  int32_t rank = 0;
  BufferId buffer = BufferId::input;
  uint32_t block = 0;
  uint32_t origin = 0;

  friend bool operator==(const Slice&, const Slice&) = default;
};

// A run of Program::sources.
struct SliceRange {
  uint32_t first = 0;
  uint32_t count = 0;
};

// The counter of a lane in tile t is t * Program::values_per_tile + v. A wait may look `tiles_back`
// tiles back, and is then satisfied in the first tiles. v = 0 is the peer's record itself.
struct Value {
  uint32_t v = 0;
  uint32_t tiles_back = 0;

  friend bool operator==(const Value&, const Value&) = default;
};

//   copy    target <- the one source; never converts; one of the two is local
//   reduce  local target <- sources folded in listed order by the tree S (DESIGN.md, "One sum")
//   signal  raises this lane's counter at `peer` to `value`
//   wait    until the counter of (`peer`, lane `peer_lane`) here has reached `value`
struct Step {
  Op op = Op::copy;
  uint8_t peer_lane = 0;
  int32_t peer = -1;
  Value value = {};
  uint32_t begin = 0;  // parts [begin, end)
  uint32_t end = 0;
  Slice target = {};
  SliceRange sources = {};
};

// Scratch is blocks too, all symmetric; a block holds `parts` parts of one form.
struct ScratchBlock {
  uint32_t parts = 0;
  Form form = Form::user;

  friend bool operator==(const ScratchBlock&, const ScratchBlock&) = default;
};

struct Lane {
  std::vector<Step> steps;
};

inline constexpr uint32_t kLanesMax = 64;
inline constexpr uint32_t kCounterBits = 24;  // a counter is meeting * 2^24 + value

struct Program {
  uint32_t chunks = 1;           // parts a tile
  uint32_t stages = 1;           // scratch stages: tile t uses stage t mod stages
  uint32_t values_per_tile = 1;  // stride of counters from tile to tile
  std::vector<ScratchBlock> scratch;
  std::vector<Lane> lanes;
  std::vector<Slice> sources;  // arena of the steps' source slices
};

// How a block of `count` elements is cut; the same arithmetic on every rank and device.
struct Geometry {
  uint64_t count = 0;    // elements in a block
  uint32_t tiles = 1;    // T
  uint32_t chunks = 1;   // parts a tile
  uint32_t granule = 1;  // elements; parts start at multiples of it within their tile

  // First element of part i of n of `elements`; part n starts at the end. Empty parts are legal.
  static constexpr uint64_t part_begin(uint64_t elements, uint64_t i, uint64_t n, uint64_t grain) {
    if (i >= n) return elements;
    const auto at = static_cast<uint64_t>(static_cast<unsigned __int128>(elements) * i / n);
    return at - at % grain;
  }
  constexpr uint64_t tile_begin(uint64_t tile) const {
    return part_begin(count, tile, tiles, granule);
  }
  constexpr uint64_t tile_count(uint64_t tile) const {
    return tile_begin(tile + 1) - tile_begin(tile);
  }
  // Elements from the start of tile `tile` to the start of chunk `chunk` of it.
  constexpr uint64_t chunk_begin(uint64_t tile, uint64_t chunk) const {
    return part_begin(tile_count(tile), chunk, chunks, granule);
  }
  // Elements from the start of part `from` to the start of part `to`, both of one data block.
  constexpr uint64_t distance(uint64_t tile, uint32_t from, uint32_t to) const {
    const uint32_t first = from - from % chunks;
    return chunk_begin(tile, to - first) - chunk_begin(tile, from - first);
  }
  // No run of `parts` parts of any tile is longer than this many elements.
  constexpr uint64_t run_max(uint64_t parts) const {
    const uint64_t tile_max = count / tiles + granule + 1;
    const auto run =
        static_cast<uint64_t>(static_cast<unsigned __int128>(tile_max) * parts / chunks);
    return run + granule + 1 < tile_max ? run + granule + 1 : tile_max;
  }
};

}  // namespace unirack
