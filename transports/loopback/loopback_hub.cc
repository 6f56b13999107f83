#include "transports/loopback/loopback_hub.h"

#include <sys/eventfd.h>

#include <cerrno>

#include "lib/base/random.h"

namespace unirack {

void LoopbackPort::wake() {
  // The owner sets the flag, fences, and looks again at its words; this side has stored, fences,
  // and looks at the flag: one of the two sees the other.
  std::atomic_thread_fence(std::memory_order_seq_cst);
  if (is_sleeping.load(std::memory_order_relaxed)) ::eventfd_write(event.get(), 1);
}

LoopbackHub& LoopbackHub::of_process() {
  static LoopbackHub hub;
  return hub;
}

LoopbackHub::LoopbackHub() {
  // Without randomness the id stays zero and only the pid tells processes apart.
  (void)fill_random(process_id_);
}

Result<LoopbackPort*> LoopbackHub::open_port() {
  auto port = std::make_unique<LoopbackPort>();
  port->event.reset(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!port->event) {
    return make_error(Code::resource_exhausted, "no descriptor left for an eventfd", kNoRank,
                      errno);
  }
  port->user_count = 1;
  LoopbackPort* const raw = port.get();
  const std::lock_guard lock(mutex_);
  ports_.emplace(raw, std::move(port));
  return raw;
}

void LoopbackHub::close_port(LoopbackPort* port) {
  const std::lock_guard lock(mutex_);
  release(port);
}

void LoopbackHub::release(LoopbackPort* port) {
  if (--port->user_count == 0) ports_.erase(port);
}

Result<LoopbackLink*> LoopbackHub::attach(const LoopbackLinkKey& key, int side,
                                          LoopbackPort* port) {
  const auto at = static_cast<size_t>(side);
  const std::lock_guard lock(mutex_);
  LoopbackLink*& link = open_[key];
  if (link == nullptr) {
    auto created = std::make_unique<LoopbackLink>();
    created->key = key;
    link = created.get();
    links_.emplace(link, std::move(created));
  }
  if (link->ports[at] != nullptr) {
    return make_error(Code::invalid_usage, "this path to the peer is connected already");
  }
  link->ports[at] = port;
  ++port->user_count;
  if (LoopbackPort* const other = link->ports[1 - at]) {
    link->is_ready.store(true, std::memory_order_release);
    other->wake();
  }
  return link;
}

void LoopbackHub::detach(LoopbackLink* link, int side) {
  const auto at = static_cast<size_t>(side);
  const std::lock_guard lock(mutex_);
  if (const auto found = open_.find(link->key); found != open_.end() && found->second == link) {
    open_.erase(found);
  }
  link->is_gone[at].store(true, std::memory_order_release);
  LoopbackPort* const other = link->ports[1 - at];
  if (other != nullptr && !link->is_gone[1 - at].load(std::memory_order_relaxed)) {
    other->wake();
    return;
  }
  for (LoopbackPort* const port : link->ports) {
    if (port != nullptr) release(port);
  }
  links_.erase(link);
}

}  // namespace unirack
