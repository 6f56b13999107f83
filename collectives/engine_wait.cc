// How an engine waits: spin, yield, sleep; and how the control thread stands in.
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <thread>

#include "collectives/engine.h"
#include "lib/base/bytes.h"

namespace unirack {

namespace {

// Between looks at the clock while spinning.
constexpr int kTurnsPerLook = 64;
constexpr auto kSleepMax = milliseconds(50);
// After a failure was reported, beyond the peer timeout.
constexpr auto kVerdictGrace = milliseconds(500);
// The control thread looks after open work this often when nobody waits for it.
constexpr auto kBackgroundInterval = microseconds(500);

void pause_briefly() { __builtin_ia32_pause(); }

}  // namespace

void OwnerWord::lock() {
  for (int turn = 0; !try_lock(); ++turn) {
    if (turn < kTurnsPerLook) {
      pause_briefly();
    } else {
      std::this_thread::yield();
    }
  }
}

// Spinning helps only while every rank of this machine has a core; a woken sleeper costs about
// 45 us here, so it yields for a while first.
void Engine::set_patience() {
  const auto cores = static_cast<int>(std::thread::hardware_concurrency());
  patience_.spins = fabric_->local_rank_count() <= cores;
  patience_.spin = patience_.spins ? microseconds(50) : microseconds(0);
  patience_.yield = milliseconds(2);
  if (config_.spin_us >= 0) patience_.spin = microseconds(config_.spin_us);
}

Status Engine::open_epoll() {
  epoll_ = UniqueFd(epoll_create1(EPOLL_CLOEXEC));
  wake_ = UniqueFd(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (epoll_.get() < 0 || wake_.get() < 0) {
    return make_error(Code::resource_exhausted, "cannot make an epoll descriptor", kNoRank, errno);
  }
  return watch(wake_.get());
}

Status Engine::watch(int fd) {
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.fd = fd;
  if (epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) != 0) {
    return make_error(Code::system, "cannot watch a transport's descriptor", kNoRank, errno);
  }
  watched_.push_back(fd);
  return ok_status();
}

void Engine::wake() {
  const uint64_t one = 1;
  // A full counter is awake already.
  [[maybe_unused]] const ssize_t written = write(wake_.get(), &one, sizeof(one));
}

std::optional<Status> Engine::harvest(uint64_t id) {
  Operation* operation = find(id);
  if (operation == nullptr) {
    return make_error(Code::invalid_usage, "this work does not exist any more");
  }
  if (operation->state != OperationState::finished) return std::nullopt;
  operation->id = 0;
  return operation->status;
}

std::optional<Status> Engine::test(uint64_t id) {
  const std::lock_guard owner(owner_);
  step();
  check_deadline(id);
  return harvest(id);
}

Status Engine::wait(uint64_t id) {
  ++waiters_;
  std::unique_lock owner(owner_);
  Idle idle;
  std::optional<Status> status;
  while (true) {
    const bool moved = step();
    status = harvest(id);
    if (status) break;
    if (moved) {
      idle = Idle();
    } else {
      rest(owner, idle, id);
    }
  }
  const bool has_more = !running_.empty() || !queued_.empty();
  owner.unlock();
  if (--waiters_ == 0 && has_more) control_.kick();
  return *status;
}

void Engine::rest(std::unique_lock<OwnerWord>& owner, Idle& idle, uint64_t id) {
  ++idle.turns;
  if (patience_.spins && idle.turns % kTurnsPerLook != 0) {
    pause_briefly();
    return;
  }
  const TimePoint at = now();
  if (idle.since == TimePoint()) idle.since = at;
  check_deadline(id);
  if (at - idle.since < patience_.spin) {
    pause_briefly();
  } else if (at - idle.since < patience_.spin + patience_.yield) {
    owner.unlock();
    std::this_thread::yield();
    owner.lock();
  } else if (const Operation* operation = find(id); operation != nullptr) {
    sleep_once(owner, operation->launch.deadline);
  }
}

// Reports the stall of an operation whose deadline has passed; the verdict ends it. Should none
// come, the operation ends with what is known here.
void Engine::check_deadline(uint64_t id) {
  Operation* operation = find(id);
  if (operation == nullptr || operation->state == OperationState::finished) return;
  if (operation->state == OperationState::failing) {
    if (now() - operation->failing_since < config_.peer_timeout + kVerdictGrace) return;
    fail_all(Error(operation->status.error()));
    return;
  }
  if (!expired(operation->launch.deadline)) return;
  const Rank peer = operation->waiting_for;
  operation->status = make_error(
      Code::timeout,
      describe_request(pack_request(operation->launch.request), operation->launch.request.count) +
          " passed its deadline waiting for rank " + std::to_string(peer),
      peer);
  operation->state = OperationState::failing;
  operation->failing_since = now();
  control_.report_stall(sequence_of(*operation), peer);
}

// Looks at memory only: polling would disarm the transports.
bool Engine::advance_all() {
  bool moved = false;
  for (size_t i = 0; i < running_.size();) {
    Operation& operation = *running_[i++];
    if (operation.state == OperationState::failing) continue;
    auto advanced = executor_.advance(operation);
    if (!advanced) {
      handle_error(operation, advanced.error());
      moved = true;
    } else if (Executor::is_finished(operation)) {
      finish(operation, ok_status());
      moved = true;
      --i;  // the next one stands here now
    } else {
      moved |= *advanced;
    }
  }
  return moved;
}

void Engine::sleep_once(std::unique_lock<OwnerWord>& owner, Deadline until) {
  if (!running_.empty()) publish(running_.front());
  for (const Fabric::Open& open : fabric_->transports) {
    if (open.transport == nullptr) continue;
    const std::optional<int> fd = open.transport->arm();
    if (!fd) return;
    if (std::find(watched_.begin(), watched_.end(), *fd) == watched_.end() && !watch(*fd)) return;
  }
  // A signal may have come between the last look and arming.
  if ((control_.verdict() != nullptr && !has_failed_) || advance_all()) return;
  const Duration left = std::min<Duration>(kSleepMax, until - now());
  const int timeout_ms = static_cast<int>(std::max<int64_t>(1, to_ms(left)));
  owner.unlock();
  epoll_event event{};
  const int ready = epoll_wait(epoll_.get(), &event, 1, timeout_ms);
  if (ready > 0 && event.data.fd == wake_.get()) {
    uint64_t count = 0;
    [[maybe_unused]] const ssize_t taken = read(wake_.get(), &count, sizeof(count));
  }
  owner.lock();
}

TimePoint Engine::background() {
  if (waiters_ > 0 || !owner_.try_lock()) return now() + kSleepMax;
  const bool is_open = !running_.empty() || !queued_.empty();
  bool moved = false;
  // What this rank has sent and forgotten may have to go again over another rail.
  if (!is_open && topology().rail_count() > 1) poll_transports();
  if (is_open) {
    for (int turn = 0; turn < kTurnsPerLook && step(); ++turn) moved = true;
    if (!running_.empty()) check_deadline(running_.front()->id);
  }
  const bool stays_open = !running_.empty() || !queued_.empty();
  owner_.unlock();
  if (!stays_open) return kNoDeadline;
  return now() + (moved ? kBackgroundInterval / 10 : kBackgroundInterval);
}

}  // namespace unirack
