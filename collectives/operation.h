// One operation in progress: a schedule, the buffers it is bound to, and how far each lane is.
// Owned by the Engine, which reuses them so that starting one allocates nothing in the steady
// state.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "collectives/peer_link.h"
#include "collectives/record.h"
#include "collectives/schedule.h"
#include "lib/base/clock.h"

namespace unirack {

// Counts and displacements of an all_to_all_v in bytes, one a rank.
struct VectorExtents {
  std::vector<uint64_t> send_bytes, send_offsets, receive_bytes, receive_offsets;
};

// What the caller asks to be run.
struct Launch {
  Request request;
  std::shared_ptr<const Schedule> schedule;
  std::vector<Rank> members;  // schedule rank -> rank of the communicator; empty: the same
  const std::byte* input = nullptr;
  std::byte* output = nullptr;
  VectorExtents extents;     // all_to_all_v only
  uint64_t scalar_bits = 0;  // premul_sum: the scalar in the accumulator type
  Deadline deadline = kNoDeadline;
};

// Where a buffer lies as peers may reach it.
struct RegionRef {
  uint32_t region = 0;
  uint64_t offset = 0;
};

// A meeting with one member.
struct Meeting {
  uint64_t number = 0;
  bool published = false;
  bool seen = false;
  Record record;  // the peer's, once seen
  Record own;     // ours; its source must stay while the put is under way
};

struct LaneState {
  uint64_t tile = 0;
  size_t next = 0;
  uint32_t puts = 0;  // tokens not completed
  uint32_t gets = 0;
  bool done = false;
};

// failing: it will end with the pool's verdict.
enum class OperationState : uint8_t { queued, running, failing, finished };

struct Operation {
  uint64_t id = 0;  // never reused; 0 is no operation
  Launch launch;
  OperationState state = OperationState::queued;
  Status status = ok_status();
  TimePoint failing_since;

  Rank self = 0;  // our rank in the schedule
  const Program* program = nullptr;
  Geometry geometry;
  ScratchPlan scratch;
  bool is_collective = false;
  uint64_t collective = 0;  // 0-based number among the communicator's collectives
  RegionRef input_ref, output_ref;
  std::vector<Meeting> meetings;  // by schedule rank
  uint32_t unpublished = 0;       // meetings whose record is not on its way
  uint32_t unseen = 0;            // meetings whose record has not come
  uint32_t record_puts = 0;       // record puts not completed
  std::vector<LaneState> lanes;
  uint32_t open_lanes = 0;
  Rank waiting_for = kNoRank;  // rank of the communicator, for stall reports

  Rank member(Rank schedule_rank) const {
    return launch.members.empty() ? schedule_rank
                                  : launch.members[static_cast<size_t>(schedule_rank)];
  }
};

}  // namespace unirack
