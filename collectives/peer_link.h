// A peer as an engine sees it: which transport joins us, its memory, how often we have met.
// Owned by the Engine; touched only by the thread that owns the engine.
#pragma once

#include <cstdint>
#include <memory>
#include <unordered_map>
#include <vector>

#include "lib/base/result.h"
#include "transports/transport.h"

namespace unirack {

enum class RegionState : uint8_t { asked, ready, failed };

// A region of a peer, named by the id its owner gave it; ids are never used again.
struct RemoteRegion {
  RegionState state = RegionState::asked;
  uint64_t bytes = 0;
  std::vector<Remote> remotes;  // one a path
  Error error;
};

struct PeerLink {
  Rank peer = kNoRank;
  size_t transport = 0;                          // index into the engine's transports
  std::vector<std::unique_ptr<Endpoint>> paths;  // lane l uses path l mod paths
  std::vector<Remote> inbox;                     // one a path
  std::vector<Remote> scratch;
  std::unordered_map<uint32_t, RemoteRegion> regions;

  uint64_t met = 0;            // meetings begun with this peer
  uint64_t open_meetings = 0;  // of these, not ended
  uint64_t finished = 0;       // collectives the peer is known to have finished

  size_t path_of(uint32_t lane) const { return lane % paths.size(); }
};

}  // namespace unirack
