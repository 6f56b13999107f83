#include "collectives/engine.h"

#include <algorithm>

#include "lib/base/bytes.h"

namespace unirack {

namespace {

constexpr size_t kCompletionsMax = 64;
// Regions of one peer that are remembered.
constexpr size_t kRegionsMax = 4096;
// How long the control plane may take to name the culprit before a broken link counts as evidence.
constexpr auto kSuspicion = milliseconds(300);
// For all paths together, when the engine goes.
constexpr auto kCloseTime = milliseconds(200);

std::vector<Transport*> used_transports(const Fabric& fabric) {
  std::vector<Transport*> used(fabric.transports.size(), nullptr);
  for (const PeerLink& link : fabric.links) {
    if (!link.paths.empty())
      used[link.transport] = fabric.transports[link.transport].transport.get();
  }
  return used;
}

}  // namespace

Engine::Engine(std::unique_ptr<Fabric> fabric, ControlPlane& control, const Config& config)
    : fabric_(std::move(fabric)),
      control_(control),
      config_(config),
      directory_(used_transports(*fabric_)),
      executor_(workplace_) {
  workplace_.rank = fabric_->rank;
  workplace_.links = &fabric_->links;
  workplace_.inbox = fabric_->inbox.data();
  workplace_.scratch = fabric_->scratch.data();
  workplace_.window_bytes = fabric_->window_bytes;
  workplace_.resolve = [this](PeerLink& link, uint32_t region) { resolve(link, region); };
  completions_.resize(kCompletionsMax);
  set_patience();
}

Result<std::unique_ptr<Engine>> Engine::create(std::unique_ptr<Fabric> fabric,
                                               ControlPlane& control, const Config& config) {
  std::unique_ptr<Engine> engine(new Engine(std::move(fabric), control, config));
  UNIRACK_TRY(engine->open_epoll());
  return engine;
}

Engine::~Engine() {
  const std::lock_guard owner(owner_);
  directory_.clear();
  // Everything of ours is out already; a path that cannot say so in time is dropped.
  const Deadline deadline = deadline_in(kCloseTime);
  for (PeerLink& link : fabric_->links) {
    for (auto& path : link.paths) {
      [[maybe_unused]] const Status closed = path->close(deadline);
    }
  }
}

Result<uint64_t> Engine::submit(Launch launch) {
  const std::lock_guard owner(owner_);
  if (has_failed_) return failure_;
  Operation* operation = take_free();
  operation->id = next_id_++;
  operation->launch = std::move(launch);
  operation->state = OperationState::queued;
  operation->status = ok_status();
  operation->is_collective = operation->launch.members.empty();
  if (operation->is_collective) operation->collective = collectives_++;
  queued_.push_back(operation);
  start_queued();
  return operation->id;
}

Operation* Engine::take_free() {
  for (const auto& operation : operations_) {
    if (operation->id == 0) return operation.get();
  }
  operations_.push_back(std::make_unique<Operation>());
  return operations_.back().get();
}

Operation* Engine::find(uint64_t id) {
  for (const auto& operation : operations_) {
    if (operation->id == id && id != 0) return operation.get();
  }
  return nullptr;
}

bool Engine::can_start(const Operation& operation) const {
  if (operation.is_collective && operation.collective >= workplace_.finished + kInFlightMax) {
    return false;
  }
  const auto is_open = [&](const PeerLink& link) { return link.open_meetings < kInFlightMax; };
  if (operation.is_collective) {
    return std::all_of(fabric_->links.begin(), fabric_->links.end(), is_open);
  }
  return std::all_of(operation.launch.members.begin(), operation.launch.members.end(),
                     [&](Rank rank) { return is_open(fabric_->links[static_cast<size_t>(rank)]); });
}

void Engine::start_queued() {
  while (!queued_.empty() && can_start(*queued_.front())) {
    Operation* operation = queued_.front();
    queued_.pop_front();
    running_.push_back(operation);
    const Status started = start(*operation);
    if (!started) finish(*operation, started.error());
  }
}

Status Engine::start(Operation& operation) {
  const Launch& launch = operation.launch;
  const Schedule& schedule = *launch.schedule;
  const auto members = static_cast<size_t>(schedule.header().rank_count);
  operation.self = fabric_->rank;
  for (size_t i = 0; i < launch.members.size(); ++i) {
    if (launch.members[i] == fabric_->rank) operation.self = static_cast<Rank>(i);
  }
  operation.program = &schedule.program_view(operation.self);
  operation.geometry = schedule.geometry(launch.request.count, launch.request.type);
  operation.scratch = plan_scratch(*operation.program, operation.geometry, launch.request.type);
  operation.lanes.assign(operation.program->lanes.size(), LaneState());
  operation.open_lanes = static_cast<uint32_t>(operation.lanes.size());
  operation.record_puts = 0;
  operation.waiting_for = kNoRank;
  operation.state = OperationState::running;
  operation.meetings.assign(members, Meeting());
  begin_meetings(operation);
  UNIRACK_TRY(bind_buffers(operation));
  for (size_t i = 0; i < members; ++i) write_record(operation, i, operation.meetings[i]);
  publish(&operation);
  return ok_status();
}

void Engine::begin_meetings(Operation& operation) {
  operation.unpublished = 0;
  for (size_t i = 0; i < operation.meetings.size(); ++i) {
    PeerLink& link = fabric_->links[static_cast<size_t>(operation.member(static_cast<Rank>(i)))];
    Meeting& meeting = operation.meetings[i];
    meeting.number = ++link.met;
    ++link.open_meetings;
    meeting.published = meeting.seen = static_cast<Rank>(i) == operation.self;
    if (!meeting.seen) ++operation.unpublished;
  }
  operation.unseen = operation.unpublished;
}

Status Engine::bind_buffers(Operation& operation) {
  const Launch& launch = operation.launch;
  const Schedule& schedule = *launch.schedule;
  operation.input_ref = operation.output_ref = {};
  const auto extent = [&](BufferId buffer) -> uint64_t {
    if (launch.request.collective == Collective::all_to_all_v) {
      const VectorExtents& extents = launch.extents;
      const bool in = buffer == BufferId::input;
      const auto& offsets = in ? extents.send_offsets : extents.receive_offsets;
      const auto& bytes = in ? extents.send_bytes : extents.receive_bytes;
      uint64_t end = 0;
      for (size_t i = 0; i < bytes.size(); ++i) {
        if (bytes[i] > 0) end = std::max(end, offsets[i] + bytes[i]);
      }
      return end;
    }
    return schedule.layout().blocks(operation.self, buffer) * launch.request.count *
           size_of(launch.request.type);
  };
  if (schedule.is_visited(operation.self, BufferId::input)) {
    const uint64_t bytes = extent(BufferId::input);
    if (bytes > 0) {
      operation.input_ref = UNIRACK_TRY(directory_.find(launch.input, bytes, Access::read));
    }
  }
  if (schedule.is_visited(operation.self, BufferId::output)) {
    const uint64_t bytes = extent(BufferId::output);
    if (bytes > 0) {
      operation.output_ref = UNIRACK_TRY(directory_.find(launch.output, bytes, Access::read_write));
    }
  }
  return ok_status();
}

void Engine::write_record(const Operation& operation, size_t member, Meeting& meeting) const {
  const Launch& launch = operation.launch;
  Record& record = meeting.own;
  record.meeting = meeting.number;
  record.request = pack_request(launch.request);
  record.count = launch.request.count;
  record.expected = launch.scalar_bits;
  record.input_region = operation.input_ref.region;
  record.output_region = operation.output_ref.region;
  record.input_offset = operation.input_ref.offset;
  record.output_offset = operation.output_ref.offset;
  record.schedule = static_cast<uint32_t>(launch.schedule->hash());
  record.finished = static_cast<uint32_t>(workplace_.finished);
  if (launch.request.collective == Collective::all_to_all_v) {
    record.count = launch.extents.send_bytes[member];
    record.expected = launch.extents.receive_bytes[member];
    record.input_offset += launch.extents.send_offsets[member];
    record.output_offset += launch.extents.receive_offsets[member];
  }
}

bool Engine::step() {
  if (const Verdict* verdict = control_.verdict(); verdict != nullptr && !has_failed_) {
    fail_all(verdict->error);
    return true;
  }
  bool moved = poll_transports();
  if (has_answers_.load(std::memory_order_acquire)) take_answers();
  if (!suspects_.empty()) check_suspects();
  moved |= advance_all();
  if (!queued_.empty()) start_queued();
  return moved;
}

bool Engine::poll_transports() {
  bool moved = false;
  for (const Fabric::Open& open : fabric_->transports) {
    if (open.transport == nullptr) continue;
    const size_t count = open.transport->poll(completions_);
    for (size_t i = 0; i < count; ++i) complete(completions_[i]);
    moved |= count > 0;
  }
  return moved;
}

void Engine::complete(const Completion& completion) {
  const TokenParts token = split_token(completion.token);
  if (token.kind == TokenKind::connect) {
    if (!completion.status) {
      suspects_.push_back({static_cast<Rank>(token.operation), now(), completion.status.error()});
    }
    return;
  }
  Operation* operation = find(token.operation);
  if (operation == nullptr || operation->state != OperationState::running) return;
  if (token.kind == TokenKind::record) {
    --operation->record_puts;
  } else if (token.kind == TokenKind::put) {
    --operation->lanes[token.lane].puts;
  } else {
    --operation->lanes[token.lane].gets;
  }
  if (!completion.status) handle_error(*operation, completion.status.error());
}

namespace {

// Whether a peer called something else; the pool can then tell the minority. Else the call was the
// same and its plan, scalar or sizes differ, which the error itself explains.
bool has_other_call(const Operation& operation) {
  const bool by_count = operation.launch.request.collective != Collective::all_to_all_v;
  return std::any_of(
      operation.meetings.begin(), operation.meetings.end(), [&](const Meeting& each) {
        return each.record.meeting != 0 && (each.record.request != each.own.request ||
                                            (by_count && each.record.count != each.own.count));
      });
}

}  // namespace

// Decides what an operation's error means for the pool. The verdict comes back through step().
void Engine::handle_error(Operation& operation, const Error& error) {
  const uint64_t sequence = sequence_of(operation);
  if (error.code == Code::mismatch && operation.is_collective && has_other_call(operation)) {
    control_.report_mismatch(sequence);
  } else if (error.code == Code::peer_failed) {
    suspects_.push_back({error.culprit, now(), error});
  } else {
    control_.report(sequence, error);
  }
  operation.status = error;
  operation.state = OperationState::failing;
  operation.failing_since = now();
}

void Engine::check_suspects() {
  if (running_.empty() || has_failed_) return;
  for (const Suspect& suspect : suspects_) {
    if (now() - suspect.since < kSuspicion) continue;
    for (const Operation* operation : running_) {
      const auto& members = operation->launch.members;
      const bool involved = members.empty() || std::find(members.begin(), members.end(),
                                                         suspect.peer) != members.end();
      if (!involved) continue;
      Error error = suspect.error;
      error.code = Code::peer_failed;
      error.culprit = suspect.peer;
      control_.report(collectives_, error);
      return;
    }
  }
}

void Engine::finish(Operation& operation, Status status) {
  std::erase(running_, &operation);
  for (size_t i = 0; i < operation.meetings.size(); ++i) {
    --fabric_->links[static_cast<size_t>(operation.member(static_cast<Rank>(i)))].open_meetings;
  }
  operation.meetings.clear();
  operation.status = std::move(status);
  operation.state = OperationState::finished;
  operation.launch.schedule.reset();
  count_finished();
  if (running_.empty()) publish(nullptr);
}

// Collectives finished without a gap: everything before the oldest that is not.
void Engine::count_finished() {
  uint64_t oldest = collectives_;
  for (const Operation* operation : running_) {
    if (operation->is_collective) oldest = std::min(oldest, operation->collective);
  }
  for (const Operation* operation : queued_) {
    if (operation->is_collective) oldest = std::min(oldest, operation->collective);
  }
  workplace_.finished = oldest;
}

void Engine::fail_all(const Error& error) {
  has_failed_ = true;
  failure_ = error;
  directory_.clear();
  while (!running_.empty()) finish(*running_.back(), error);
  while (!queued_.empty()) {
    Operation* operation = queued_.front();
    queued_.pop_front();
    operation->status = error;
    operation->state = OperationState::finished;
  }
}

void Engine::publish(const Operation* operation) {
  Activity activity = activity_;
  activity.busy = operation != nullptr;
  if (operation != nullptr && operation->is_collective) {
    activity.sequence = operation->collective + 1;
    activity.request = pack_request(operation->launch.request);
    activity.count = operation->launch.request.count;
  }
  activity.waiting_for = operation != nullptr ? operation->waiting_for : kNoRank;
  activity_ = activity;
  control_.publish(activity);
}

void Engine::resolve(PeerLink& link, uint32_t region) {
  // Forgotten regions are asked for again; so buffers that come and go do not pile up here.
  if (link.regions.size() >= kRegionsMax) link.regions.clear();
  link.regions.try_emplace(region);
  const Rank peer = link.peer;
  control_.ask(peer, MemoryDirectory::question(region, link.transport),
               [this, peer, region](Result<std::vector<std::byte>> content) {
                 {
                   const std::lock_guard lock(answers_mutex_);
                   answers_.push_back({peer, region, std::move(content)});
                 }
                 has_answers_.store(true, std::memory_order_release);
                 wake();
               });
}

namespace {

// An answer is the size of the region and its descriptor.
Status import_region(PeerLink& link, RemoteRegion& region, Result<std::vector<std::byte>>& answer) {
  const std::vector<std::byte> content = UNIRACK_TRY(std::move(answer));
  Reader reader(content);
  region.bytes = UNIRACK_TRY(reader.take<uint64_t>());
  region.remotes.clear();
  for (const auto& path : link.paths) {
    region.remotes.push_back(UNIRACK_TRY(path->import(reader.rest())));
  }
  return ok_status();
}

}  // namespace

void Engine::take_answers() {
  std::vector<Answer> answers;
  {
    const std::lock_guard lock(answers_mutex_);
    answers.swap(answers_);
    has_answers_.store(false, std::memory_order_relaxed);
  }
  for (Answer& answer : answers) {
    PeerLink& link = fabric_->links[static_cast<size_t>(answer.peer)];
    RemoteRegion& region = link.regions[answer.region];
    const Status imported = import_region(link, region, answer.content);
    if (imported) {
      region.state = RegionState::ready;
    } else {
      region.state = RegionState::failed;
      region.error = imported.error();
      region.error.culprit = answer.peer;
    }
  }
}

Result<std::byte*> Engine::allocate(uint64_t bytes) {
  const std::lock_guard owner(owner_);
  if (has_failed_) return failure_;
  return directory_.allocate(bytes);
}

Status Engine::release(const std::byte* data) {
  const std::lock_guard owner(owner_);
  return directory_.release(data);
}

Result<uint32_t> Engine::add_memory(std::byte* data, uint64_t bytes) {
  const std::lock_guard owner(owner_);
  if (has_failed_) return failure_;
  return directory_.add(data, bytes);
}

Status Engine::remove_memory(uint32_t id) {
  const std::lock_guard owner(owner_);
  return directory_.remove(id);
}

bool Engine::is_symmetric(const void* data, uint64_t bytes) {
  const std::lock_guard owner(owner_);
  return directory_.is_symmetric(static_cast<const std::byte*>(data), bytes);
}

Result<std::vector<std::byte>> Engine::answer(std::span<const std::byte> question) {
  return directory_.answer(question);
}

}  // namespace unirack
