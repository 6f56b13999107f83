// Schedules as execution plans of MSCCL++, JSON: a thread block a lane, a memory channel for every
// two lanes of which one waits for the other, semaphores between lanes of a GPU. Pure.
//
// A plan is one tile. It begins with a handshake: nobody touches a peer's memory before the peer
// has begun, so plans may follow each other. MSCCL++ sums in the caller's type, so sums on the way
// are rounded where ours are kept in the accumulator. Peers must reach each other by load/store.
#pragma once

#include <string>

#include "collectives/schedule.h"

namespace unirack {

// Refused is what its executor does not take: other collectives, too many operations, channels or
// semaphores of a thread block.
Result<std::string> schedule_to_mscclpp_json(const Schedule& schedule);

}  // namespace unirack
