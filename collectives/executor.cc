#include "collectives/executor.h"

#include <array>
#include <atomic>
#include <cstring>
#include <string>

#include "kernels/reduce.h"
#include "lib/memory/copy.h"

namespace unirack {

namespace {

// Copies to one peer that are posted in one call.
constexpr size_t kRunMax = 64;

uint64_t load_word(const std::byte* at) {
  // Peers write these words; the atomic_ref needs a mutable reference to read them.
  auto* word = reinterpret_cast<uint64_t*>(const_cast<std::byte*>(at));
  return std::atomic_ref<uint64_t>(*word).load(std::memory_order_acquire);
}

}  // namespace

Result<bool> Executor::advance(Operation& operation) {
  bool moved = false;
  if (operation.unpublished > 0) moved |= UNIRACK_TRY(publish(operation));
  if (operation.unseen > 0) moved |= UNIRACK_TRY(look_for_records(operation));
  for (uint32_t lane = 0; lane < operation.lanes.size(); ++lane) {
    if (!operation.lanes[lane].done) moved |= UNIRACK_TRY(run_lane(operation, lane));
  }
  return moved;
}

bool Executor::is_finished(const Operation& operation) {
  if (operation.open_lanes > 0 || operation.unpublished > 0 || operation.unseen > 0) return false;
  if (operation.record_puts > 0) return false;
  for (const LaneState& lane : operation.lanes) {
    if (lane.puts > 0 || lane.gets > 0) return false;
  }
  return true;
}

Result<bool> Executor::publish(Operation& operation) {
  bool moved = false;
  for (Rank member = 0; member < static_cast<Rank>(operation.meetings.size()); ++member) {
    Meeting& meeting = operation.meetings[static_cast<size_t>(member)];
    if (meeting.published) continue;
    PeerLink& to = link(operation, member);
    const uint64_t at = Inbox::record(at_.rank, meeting.number);
    constexpr uint64_t kWord = sizeof(uint64_t);
    auto* body = reinterpret_cast<std::byte*>(&meeting.own) + kWord;
    const Copy copy{body, to.inbox[0], at + kWord, sizeof(Record) - kWord};
    const Signal ready{to.inbox[0], at, meeting.number};
    const Token token = make_token({operation.id, 0, TokenKind::record});
    if (to.paths[0]->put({&copy, 1}, &ready, token) == 0) continue;
    meeting.published = true;
    --operation.unpublished;
    ++operation.record_puts;
    moved = true;
  }
  return moved;
}

Result<bool> Executor::look_for_records(Operation& operation) {
  bool moved = false;
  for (Rank member = 0; member < static_cast<Rank>(operation.meetings.size()); ++member) {
    Meeting& meeting = operation.meetings[static_cast<size_t>(member)];
    if (meeting.seen) continue;
    const std::byte* at = at_.inbox + Inbox::record(operation.member(member), meeting.number);
    if (load_word(at) < meeting.number) {
      operation.waiting_for = operation.member(member);
      continue;
    }
    std::memcpy(&meeting.record, at, sizeof(Record));
    UNIRACK_TRY(check_record(operation, member, meeting.record));
    PeerLink& from = link(operation, member);
    // The low half suffices: the two never differ by more than K.
    const auto ahead =
        static_cast<int32_t>(meeting.record.finished - static_cast<uint32_t>(from.finished));
    if (ahead > 0) from.finished += static_cast<uint64_t>(ahead);
    meeting.seen = true;
    --operation.unseen;
    moved = true;
  }
  return moved;
}

Status Executor::check_record(Operation& operation, Rank member, const Record& record) {
  const Launch& launch = operation.launch;
  const Rank peer = operation.member(member);
  const uint64_t request = pack_request(launch.request);
  const bool by_bytes = launch.request.collective == Collective::all_to_all_v;
  const std::string who = "rank " + std::to_string(peer);
  const std::string self = "rank " + std::to_string(at_.rank);
  if (record.request != request || (!by_bytes && record.count != launch.request.count)) {
    return make_error(Code::mismatch,
                      who + " called " + describe_request(record.request, record.count) + ", " +
                          self + " called " + describe_request(request, launch.request.count),
                      peer);
  }
  if (record.schedule != static_cast<uint32_t>(launch.schedule->hash())) {
    return make_error(Code::mismatch,
                      who + " runs another plan for " + describe_request(request, record.count) +
                          " than " + self + ": expected equal UNIRACK_* settings on all ranks",
                      peer);
  }
  if (!by_bytes && record.expected != launch.scalar_bits) {
    return make_error(Code::mismatch,
                      who + " multiplies by another scalar than " + self + " in " +
                          describe_request(request, record.count),
                      peer);
  }
  if (!by_bytes) return ok_status();
  const auto index = static_cast<size_t>(member);
  const uint64_t receives = launch.extents.receive_bytes[index];
  const uint64_t sends = launch.extents.send_bytes[index];
  if (record.count == receives && record.expected == sends) return ok_status();
  const bool inbound = record.count != receives;
  return make_error(Code::mismatch,
                    (inbound ? who : self) + " sends " +
                        std::to_string(inbound ? record.count : sends) + " bytes to " +
                        (inbound ? self : who) + ", which expects " +
                        std::to_string(inbound ? receives : record.expected),
                    peer);
}

Result<bool> Executor::run_lane(Operation& operation, uint32_t index) {
  LaneState& lane = operation.lanes[index];
  const auto& steps = operation.program->lanes[index].steps;
  bool moved = false;
  while (!lane.done) {
    if (lane.next == steps.size()) {
      lane.next = 0;
      if (steps.empty() || ++lane.tile == operation.geometry.tiles) {
        lane.done = true;
        --operation.open_lanes;
        return true;
      }
    }
    if (UNIRACK_TRY(step(operation, index, steps[lane.next])) == Outcome::blocked) break;
    moved = true;
  }
  return moved;
}

Result<Executor::Outcome> Executor::step(Operation& operation, uint32_t index, const Step& step) {
  LaneState& lane = operation.lanes[index];
  if (step.op != Op::copy && lane.gets > 0) return Outcome::blocked;
  switch (step.op) {
    case Op::wait:
      return wait(operation, index, step);
    case Op::signal:
      return signal(operation, index, step);
    case Op::reduce:
      return lane.puts > 0 ? Outcome::blocked : reduce(operation, index, step);
    case Op::copy:
      return copy(operation, index, step);
  }
  return make_error(Code::internal, "a program holds an unknown step");
}

Result<Executor::Outcome> Executor::wait(Operation& operation, uint32_t index, const Step& step) {
  LaneState& lane = operation.lanes[index];
  const bool is_early = step.value.v > 0 && step.value.tiles_back > lane.tile;
  const Meeting& meeting = operation.meetings[static_cast<size_t>(step.peer)];
  const Rank peer = operation.member(step.peer);
  if (!is_early && !meeting.seen) {
    operation.waiting_for = peer;
    return Outcome::blocked;
  }
  if (!is_early && step.value.v > 0) {
    const uint64_t tile = lane.tile - step.value.tiles_back;
    const uint64_t value = tile * operation.program->values_per_tile + step.value.v;
    const std::byte* at = at_.inbox + Inbox::counter(peer, meeting.number, step.peer_lane);
    if (load_word(at) < counter_value(meeting.number, value)) {
      operation.waiting_for = peer;
      return Outcome::blocked;
    }
  }
  ++lane.next;
  return Outcome::moved;
}

Signal Executor::make_signal(const Operation& operation, uint32_t index, const Step& step) const {
  const LaneState& lane = operation.lanes[index];
  const Meeting& meeting = operation.meetings[static_cast<size_t>(step.peer)];
  const uint64_t value = lane.tile * operation.program->values_per_tile + step.value.v;
  const PeerLink& to = (*at_.links)[static_cast<size_t>(operation.member(step.peer))];
  Signal signal;
  signal.offset = Inbox::counter(at_.rank, meeting.number, index);
  signal.value = counter_value(meeting.number, value);
  if (!to.inbox.empty()) signal.remote = to.inbox[to.path_of(index)];
  return signal;
}

Result<Executor::Outcome> Executor::signal(Operation& operation, uint32_t index, const Step& step) {
  LaneState& lane = operation.lanes[index];
  if (step.peer == operation.self) {
    const Signal self = make_signal(operation, index, step);
    auto* word = reinterpret_cast<uint64_t*>(at_.inbox + self.offset);
    std::atomic_ref<uint64_t>(*word).store(self.value, std::memory_order_release);
    ++lane.next;
    return Outcome::moved;
  }
  return put_run(operation, index, step.peer);
}

Result<Executor::Outcome> Executor::reduce(Operation& operation, uint32_t index, const Step& step) {
  LaneState& lane = operation.lanes[index];
  const Request& request = operation.launch.request;
  const Program& program = *operation.program;
  const uint64_t count = operation.geometry.distance(lane.tile, step.begin, step.end);
  const auto form_of = [&](const Slice& slice) {
    return slice.buffer == BufferId::scratch ? program.scratch[slice.block].form : Form::user;
  };
  std::array<ReduceSource, kReduceSourcesMax> sources;
  if (step.sources.count > sources.size()) {
    return make_error(Code::internal, "a step reduces too many sources at once");
  }
  for (uint32_t i = 0; i < step.sources.count && count > 0; ++i) {
    const Slice& slice = program.sources[step.sources.first + i];
    Location location;
    if (!UNIRACK_TRY(locate(operation, index, step, slice, location))) return Outcome::blocked;
    if (location.local == nullptr) {
      return make_error(Code::internal, "a step reduces from memory that is not mapped here");
    }
    sources[i] = {location.local, form_of(slice)};
  }
  if (count > 0) {
    Location target;
    UNIRACK_TRY(locate(operation, index, step, step.target, target));
    const Reduction reduction{request.type, request.op,
                              operation.launch.schedule->header().rank_count,
                              operation.launch.scalar_bits};
    unirack::reduce(reduction, {target.local, form_of(step.target)},
                    {sources.data(), step.sources.count}, count);
  }
  ++lane.next;
  return Outcome::moved;
}

Result<Executor::Outcome> Executor::copy(Operation& operation, uint32_t index, const Step& step) {
  LaneState& lane = operation.lanes[index];
  const Slice& from = operation.program->sources[step.sources.first];
  const bool is_put = step.target.rank != operation.self;
  if (!is_put && lane.puts > 0) return Outcome::blocked;
  Location target;
  Location source;
  if (!UNIRACK_TRY(locate(operation, index, step, step.target, target)) ||
      !UNIRACK_TRY(locate(operation, index, step, from, source))) {
    return Outcome::blocked;
  }
  const uint64_t bytes = slice_bytes(operation, lane.tile, step, step.target);
  if (bytes > 0 && target.local == nullptr) return put_run(operation, index, step.target.rank);
  if (bytes > 0 && source.local == nullptr) {
    return get(operation, index, step, source, target.local);
  }
  if (bytes > 0) copy_bytes(target.local, source.local, bytes);
  ++lane.next;
  return Outcome::moved;
}

// Posts the puts to `member` that stand next in the lane, and the signal behind them, in one call.
Result<Executor::Outcome> Executor::put_run(Operation& operation, uint32_t index, Rank member) {
  LaneState& lane = operation.lanes[index];
  const auto& steps = operation.program->lanes[index].steps;
  PeerLink& to = link(operation, member);
  // Empty parts, and a signal on its own, name the inbox, which is always there.
  const Copy nothing{nullptr, to.inbox[to.path_of(index)], 0, 0};
  run_.clear();
  size_t next = lane.next;
  for (; next < steps.size() && run_.size() < kRunMax && steps[next].op == Op::copy; ++next) {
    const Step& step = steps[next];
    if (step.target.rank != member) break;
    Location target;
    Location source;
    if (!UNIRACK_TRY(locate(operation, index, step, step.target, target)) ||
        !UNIRACK_TRY(locate(operation, index, step, operation.program->sources[step.sources.first],
                            source))) {
      break;
    }
    const uint64_t bytes = slice_bytes(operation, lane.tile, step, step.target);
    if (bytes > 0 && target.local != nullptr) break;
    run_.push_back(bytes > 0 ? Copy{source.local, target.remote, target.offset, bytes} : nothing);
  }
  const bool signals = next < steps.size() && steps[next].op == Op::signal &&
                       steps[next].peer == member && lane.gets == 0;
  if (run_.empty() && !signals) return Outcome::blocked;
  if (run_.empty()) run_.push_back(nothing);
  Signal signal;
  if (signals) signal = make_signal(operation, index, steps[next]);
  const Token token = make_token({operation.id, index, TokenKind::put});
  Endpoint& endpoint = *to.paths[to.path_of(index)];
  const size_t taken = endpoint.put(run_, signals ? &signal : nullptr, token);
  if (taken == 0) return Outcome::blocked;
  if (taken == run_.size()) {
    ++lane.puts;
    lane.next = signals ? next + 1 : next;
  } else {
    lane.next += taken;
  }
  return Outcome::moved;
}

Result<Executor::Outcome> Executor::get(Operation& operation, uint32_t index, const Step& step,
                                        const Location& source, std::byte* target) {
  LaneState& lane = operation.lanes[index];
  const Rank member = operation.program->sources[step.sources.first].rank;
  PeerLink& from = link(operation, member);
  const Copy copy{target, source.remote, source.offset,
                  slice_bytes(operation, lane.tile, step, step.target)};
  const Token token = make_token({operation.id, index, TokenKind::get});
  if (from.paths[from.path_of(index)]->get({&copy, 1}, token) == 0) return Outcome::blocked;
  ++lane.gets;
  ++lane.next;
  return Outcome::moved;
}

}  // namespace unirack
