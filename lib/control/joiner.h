// Joins a pool in the caller's thread: dials the rendezvous, gets the table of contacts, makes a
// control connection to every other rank (the lower rank dials) and trades cards over it, and waits
// for the rendezvous to say go. Until then every failure, here or at another rank, ends the join
// for all with the same error; afterwards the channels are the control thread's.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "lib/control/channel.h"
#include "lib/control/control_plane.h"

namespace unirack {

// A frame that a faster rank sent before this one was told to go.
struct EarlyFrame {
  Rank sender;
  MessageType type;
  std::vector<std::byte> payload;
};

struct JoinedPool {
  uint64_t instance = 0;
  std::vector<std::optional<Channel>> channels;  // by rank; none for this one
  std::vector<std::vector<std::byte>> cards;     // by rank
  std::vector<EarlyFrame> early_frames;          // in order of arrival
};

// Returns by the join deadline (Config::join_timeout), give or take a second to hear why.
Result<JoinedPool> join_pool(const JoinRequest& request);

}  // namespace unirack
