#include "lib/net/poller.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

namespace unirack {
namespace {

constexpr size_t kBatch = 64;

epoll_event event_for(Interest interest, uint64_t token) {
  const auto bits = static_cast<unsigned>(interest);
  epoll_event event{};
  if ((bits & static_cast<unsigned>(Interest::read)) != 0) event.events |= EPOLLIN;
  if ((bits & static_cast<unsigned>(Interest::write)) != 0) event.events |= EPOLLOUT;
  event.data.u64 = token;
  return event;
}

// Rounded up: waking too early would only spin until the deadline.
int timeout_ms(Deadline deadline) {
  if (deadline == kNoDeadline) return -1;
  const Duration left = deadline - now();
  if (left <= Duration::zero()) return 0;
  constexpr int64_t kTimeoutMax = 3'600'000;
  return static_cast<int>(
      std::min(std::chrono::ceil<milliseconds>(left).count(), int64_t{kTimeoutMax}));
}

Status control(int epoll, int operation, int fd, epoll_event event) {
  if (::epoll_ctl(epoll, operation, fd, &event) == 0) return ok_status();
  const Code code = errno == ENOMEM || errno == ENOSPC ? Code::resource_exhausted : Code::system;
  return make_error(code, "cannot watch a descriptor", kNoRank, errno);
}

}  // namespace

Result<Poller> Poller::create() {
  Poller poller;
  poller.epoll_.reset(::epoll_create1(EPOLL_CLOEXEC));
  poller.wake_.reset(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!poller.epoll_ || !poller.wake_) {
    return make_error(Code::resource_exhausted, "cannot create a poller", kNoRank, errno);
  }
  UNIRACK_TRY(control(poller.epoll_.get(), EPOLL_CTL_ADD, poller.wake_.get(),
                      event_for(Interest::read, kWakeToken)));
  return poller;
}

Status Poller::add(int fd, Interest interest, uint64_t token) {
  return control(epoll_.get(), EPOLL_CTL_ADD, fd, event_for(interest, token));
}

Status Poller::modify(int fd, Interest interest, uint64_t token) {
  return control(epoll_.get(), EPOLL_CTL_MOD, fd, event_for(interest, token));
}

void Poller::remove(int fd) {
  // Fails only for what is not watched, and then there is nothing to do.
  (void)::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd, nullptr);
}

Result<size_t> Poller::wait(std::span<PollEvent> events, Deadline deadline) {
  std::array<epoll_event, kBatch> ready{};
  const int limit = static_cast<int>(std::clamp<size_t>(events.size(), 1, kBatch));
  for (;;) {
    const int count = ::epoll_wait(epoll_.get(), ready.data(), limit, timeout_ms(deadline));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return make_error(Code::system, "cannot wait for events", kNoRank, errno);
    if (count == 0 && !expired(deadline)) continue;
    size_t written = 0;
    for (int i = 0; i < count; ++i) {
      const epoll_event& event = ready[static_cast<size_t>(i)];
      if (event.data.u64 == kWakeToken) {
        uint64_t wakes = 0;
        (void)!::read(wake_.get(), &wakes, sizeof(wakes));
        continue;
      }
      if (written == events.size()) break;
      events[written++] = {event.data.u64, (event.events & EPOLLIN) != 0,
                           (event.events & EPOLLOUT) != 0,
                           (event.events & (EPOLLERR | EPOLLHUP)) != 0};
    }
    return written;
  }
}

void Poller::wake() const {
  const uint64_t one = 1;
  // Full means that a wake-up is pending already.
  (void)!::write(wake_.get(), &one, sizeof(one));
}

}  // namespace unirack
