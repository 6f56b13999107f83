// Groups and asynchronous work of the C interface.
#include <algorithm>
#include <thread>

#include "collectives/c_handles.h"

namespace unirack {

ThreadState& thread_state() {
  thread_local ThreadState state;
  return state;
}

unirackResult_t report(unirackComm_t comm, const Status& status) {
  if (status) return unirackSuccess;
  const Error& error = status.error();
  thread_state().last_error = error.to_string();
  if (comm != nullptr) {
    const std::lock_guard lock(comm->error_mutex);
    comm->last_error = error.to_string();
  }
  return static_cast<unirackResult_t>(error.code);
}

namespace {

Status first_error(Status a, Status b) { return a ? std::move(b) : std::move(a); }

// Starts every call of the group; what was started before an error is still waited for.
void start_all(std::vector<std::pair<unirackComm_t, Call>> group, unirackWork& work) {
  while (!group.empty()) {
    const unirackComm_t comm = group.front().first;
    std::vector<Call> calls;
    for (auto& [owner, call] : group) {
      if (owner == comm) calls.push_back(std::move(call));
    }
    std::erase_if(group, [&](const auto& entry) { return entry.first == comm; });
    std::vector<uint64_t> ids;
    work.status =
        first_error(std::move(work.status), comm->communicator->start_group(std::move(calls), ids));
    for (const uint64_t id : ids) work.parts.emplace_back(comm, id);
  }
}

// One look at every part; drops those that are done.
void look_at_parts(unirackWork& work) {
  std::erase_if(work.parts, [&](const auto& part) {
    auto status = part.first->communicator->engine().test(part.second);
    if (!status) return false;
    if (!*status) work.status = first_error(std::move(work.status), std::move(*status));
    return true;
  });
}

// Hands out a work handle if the thread asked for one, else waits here.
Status conclude(std::unique_ptr<unirackWork> work) {
  ThreadState& state = thread_state();
  if (state.work == nullptr) return wait_parts(*work);
  *std::exchange(state.work, nullptr) = work.release();
  return ok_status();
}

}  // namespace

Status wait_parts(unirackWork& work) {
  while (work.parts.size() > 1) {
    const size_t before = work.parts.size();
    look_at_parts(work);
    if (work.parts.size() == before) std::this_thread::yield();
  }
  if (work.parts.size() == 1) {
    const auto [comm, id] = work.parts.front();
    work.parts.clear();
    work.status = first_error(std::move(work.status), comm->communicator->engine().wait(id));
  }
  return work.status;
}

Status dispatch(unirackComm_t comm, Call call) {
  ThreadState& state = thread_state();
  if (state.group_depth > 0) {
    state.group.emplace_back(comm, std::move(call));
    return ok_status();
  }
  if (state.work == nullptr) {
    if (call.request.collective == Collective::send_recv &&
        call.peer == comm->communicator->rank()) {
      return make_error(Code::invalid_usage,
                        "a message to oneself needs its send and its receive in one group");
    }
    return comm->communicator->run(std::move(call));
  }
  call.timeout = state.work_timeout;
  auto work = std::make_unique<unirackWork>();
  auto started = comm->communicator->start(std::move(call));
  if (!started) {
    state.work = nullptr;
    return std::move(started).error();
  }
  work->parts.emplace_back(comm, *started);
  return conclude(std::move(work));
}

}  // namespace unirack

using unirack::Code;
using unirack::guarded;
using unirack::make_error;
using unirack::ok_status;
using unirack::thread_state;

unirackResult_t unirackGroupStart(void) {
  ++thread_state().group_depth;
  return unirackSuccess;
}

unirackResult_t unirackGroupEnd(void) {
  return guarded(nullptr, []() -> unirack::Status {
    unirack::ThreadState& state = thread_state();
    if (state.group_depth == 0) {
      return make_error(Code::invalid_usage, "unirackGroupEnd without unirackGroupStart");
    }
    if (--state.group_depth > 0) return ok_status();
    auto group = std::exchange(state.group, {});
    if (const auto error = std::exchange(state.group_error, std::nullopt)) {
      state.work = nullptr;
      return *error;
    }
    if (state.work != nullptr) {
      for (auto& [comm, call] : group) call.timeout = state.work_timeout;
    }
    auto work = std::make_unique<unirackWork>();
    unirack::start_all(std::move(group), *work);
    return unirack::conclude(std::move(work));
  });
}

unirackResult_t unirackWithWork(unirackWork_t* work, int64_t timeout_ms) {
  return guarded(nullptr, [&]() -> unirack::Status {
    if (work == nullptr || timeout_ms < 0) {
      return make_error(Code::invalid_argument,
                        "expected a place for the handle and a timeout of 0 ms or more");
    }
    *work = nullptr;
    thread_state().work = work;
    thread_state().work_timeout = unirack::milliseconds(timeout_ms);
    return ok_status();
  });
}

unirackResult_t unirackTest(unirackWork_t work) {
  if (work == nullptr) return unirackInvalidArgument;
  unirack::look_at_parts(*work);
  if (!work->parts.empty()) return unirackInProgress;
  return unirack::report(nullptr, work->status);
}

unirackResult_t unirackWait(unirackWork_t* work) {
  return guarded(nullptr, [&]() -> unirack::Status {
    if (work == nullptr || *work == nullptr) {
      return make_error(Code::invalid_argument, "expected a work handle");
    }
    const std::unique_ptr<unirackWork> owned(std::exchange(*work, nullptr));
    return unirack::wait_parts(*owned);
  });
}
