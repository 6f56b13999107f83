// Where a slice lies at launch: the half of the executor that turns names into places.
#include "collectives/executor.h"

namespace unirack {

// Bytes of the step's parts in the form they have in `slice`.
uint64_t Executor::slice_bytes(const Operation& operation, uint64_t tile, const Step& step,
                               const Slice& slice) const {
  const Request& request = operation.launch.request;
  if (request.collective == Collective::all_to_all_v) {
    // Part p * n + q is what p sends to q.
    const auto ranks = static_cast<uint32_t>(operation.meetings.size());
    const uint32_t sender = step.begin / ranks;
    const uint32_t receiver = step.begin % ranks;
    const VectorExtents& extents = operation.launch.extents;
    return sender == static_cast<uint32_t>(operation.self) ? extents.send_bytes[receiver]
                                                           : extents.receive_bytes[sender];
  }
  const Form form =
      slice.buffer == BufferId::scratch ? operation.program->scratch[slice.block].form : Form::user;
  return operation.geometry.distance(tile, step.begin, step.end) * size_of(request.type, form);
}

// Bytes from the start of the buffer (of the scratch window) to the step's first part.
uint64_t Executor::element_offset(const Operation& operation, uint64_t tile, const Step& step,
                                  const Slice& slice) const {
  const Geometry& geometry = operation.geometry;
  const DataType type = operation.launch.request.type;
  if (slice.buffer == BufferId::scratch) {
    const ScratchBlock& block = operation.program->scratch[slice.block];
    return tile % operation.program->stages * operation.scratch.stage_bytes +
           operation.scratch.offsets[slice.block] +
           geometry.distance(tile, slice.origin, step.begin) * size_of(type, block.form);
  }
  const uint64_t before = slice.block * geometry.count + geometry.tile_begin(tile) +
                          geometry.chunk_begin(tile, step.begin % geometry.chunks);
  return before * size_of(type);
}

Result<bool> Executor::locate(Operation& operation, uint32_t lane, const Step& step,
                              const Slice& slice, Location& location) {
  const uint64_t tile = operation.lanes[lane].tile;
  const Launch& launch = operation.launch;
  const bool by_bytes = launch.request.collective == Collective::all_to_all_v;
  const bool is_own = slice.rank == operation.self;
  uint64_t offset = 0;
  if (!by_bytes) {
    offset = element_offset(operation, tile, step, slice);
  } else if (is_own) {
    const auto& offsets = slice.buffer == BufferId::input ? launch.extents.send_offsets
                                                          : launch.extents.receive_offsets;
    offset = offsets[slice.block];
  }
  if (slice.buffer == BufferId::scratch) {
    offset += operation.collective % kInFlightMax * at_.window_bytes;
  }
  if (!is_own) {
    return locate_remote(operation, lane, slice, offset, slice_bytes(operation, tile, step, slice),
                         location);
  }
  if (slice.buffer == BufferId::scratch) {
    location.local = at_.scratch + offset;
  } else if (slice.buffer == BufferId::output) {
    location.local = launch.output + offset;
  } else {
    // Only ever read: the verifier refuses schedules that write an input.
    location.local = const_cast<std::byte*>(launch.input) + offset;
  }
  return true;
}

Result<bool> Executor::locate_remote(Operation& operation, uint32_t lane, const Slice& slice,
                                     uint64_t offset, uint64_t bytes, Location& location) {
  PeerLink& peer = link(operation, slice.rank);
  const size_t path = peer.path_of(lane);
  operation.waiting_for = peer.peer;
  if (slice.buffer == BufferId::scratch) {
    // The window is free once its last user, K collectives ago, has finished there.
    if (peer.finished + kInFlightMax < operation.collective + 1) return false;
    location.remote = peer.scratch[path];
    location.offset = offset;
  } else {
    const Meeting& meeting = operation.meetings[static_cast<size_t>(slice.rank)];
    if (!meeting.seen) return false;
    if (bytes == 0) return true;
    const bool in = slice.buffer == BufferId::input;
    const uint32_t id = in ? meeting.record.input_region : meeting.record.output_region;
    const auto region = peer.regions.find(id);
    if (region == peer.regions.end()) {
      at_.resolve(peer, id);
      return false;
    }
    if (region->second.state == RegionState::failed) return region->second.error;
    if (region->second.state == RegionState::asked) return false;
    offset += in ? meeting.record.input_offset : meeting.record.output_offset;
    if (offset > region->second.bytes || bytes > region->second.bytes - offset) {
      return make_error(Code::corrupted,
                        "rank " + std::to_string(peer.peer) + " named memory outside its region " +
                            std::to_string(id),
                        peer.peer);
    }
    location.remote = region->second.remotes[path];
    location.offset = offset;
  }
  if (location.remote.mapped != nullptr) location.local = location.remote.mapped + location.offset;
  return true;
}

}  // namespace unirack
