#include "transports/shm/shm_endpoint.h"

#include <algorithm>
#include <atomic>

#include "transports/shm/shm_transport.h"

namespace unirack {
namespace {

constexpr size_t kOpsMax = 256;
// What a peer may have to wait for when it ends a registration, and what keeps poll() short.
constexpr uint64_t kStepBytesMax = uint64_t{1} << 20;
// What put and get move at once; the rest is left to poll().
constexpr uint64_t kEagerBytesMax = uint64_t{64} << 10;

}  // namespace

ShmEndpoint::ShmEndpoint(ShmTransport& transport, ShmLink* link, int path, Token connect_token)
    : transport_(transport),
      link_(link),
      path_(path),
      state_(transport.completions(), link->peer(), connect_token),
      puts_(kOpsMax),
      gets_(kOpsMax) {
  link_->add(this);
}

ShmEndpoint::~ShmEndpoint() { static_cast<void>(static_cast<bool>(close(TimePoint::min()))); }

Result<Remote> ShmEndpoint::import(BytesView descriptor) {
  if (!state_.is_ready()) return make_error(Code::unavailable, "the endpoint is not connected");
  return link_->import(descriptor);
}

void ShmEndpoint::on_peer_open() {
  if (state_.is_connecting()) state_.set_ready();
}

void ShmEndpoint::fail(Error reason) {
  state_.fail(std::move(reason));
  end_all();
}

size_t ShmEndpoint::put(std::span<const Copy> copies, const Signal* signal, Token token) {
  if (state_.is_over()) return state_.reject(copies, token);
  if (!state_.is_ready()) return 0;
  const size_t accepted = puts_.accept(Direction::put, copies, signal, token);
  advance_puts(kEagerBytesMax);
  return accepted;
}

size_t ShmEndpoint::get(std::span<const Copy> copies, Token token) {
  if (state_.is_over()) return state_.reject(copies, token);
  if (!state_.is_ready()) return 0;
  const size_t accepted = gets_.accept(Direction::get, copies, nullptr, token);
  advance_gets(kEagerBytesMax);
  return accepted;
}

bool ShmEndpoint::progress(uint64_t bytes_max) {
  if (!state_.is_ready()) return false;
  const bool has_put = !puts_.empty() && advance_puts(bytes_max);
  const bool has_got = !gets_.empty() && advance_gets(bytes_max);
  return has_put || has_got;
}

void ShmEndpoint::refuse(Error error) {
  if (error.code == Code::peer_failed) {
    link_->fail(std::move(error));
  } else {
    state_.note_refused(std::move(error));
  }
}

bool ShmEndpoint::advance_puts(uint64_t bytes_max) {
  bool has_moved = false;
  while (!puts_.empty()) {
    QueuedCopy& op = puts_.front();
    auto moved = step(op, bytes_max);
    if (!moved && moved.code() == Code::unavailable) continue;  // CMA was turned off: another way
    const uint64_t bytes = moved ? *moved : 0;
    if (moved) {
      op.done_bytes += bytes;
    } else {
      op.done_bytes = op.copy.bytes;
      skip_signal_ = true;
      refuse(std::move(moved).error());
      if (state_.is_over()) return true;
    }
    bytes_max -= bytes;
    has_moved |= bytes > 0;
    if (op.done_bytes < op.copy.bytes) {
      if (bytes_max == 0 || bytes == 0) return has_moved;
    } else {
      if (!finish_put()) return has_moved;
      has_moved = true;
    }
  }
  return has_moved;
}

Result<uint64_t> ShmEndpoint::step(QueuedCopy& op, uint64_t bytes_max) {
  const bool is_put = op.direction == Direction::put;
  const auto* const entry = UNIRACK_TRY(link_->imports().check(
      op.copy.remote, op.copy.offset, op.copy.bytes, is_put ? Access::write : Access::read));
  const uint64_t bytes = std::min({op.copy.bytes - op.done_bytes, bytes_max, kStepBytesMax});
  if (entry->mapped != nullptr) return step_mapped(op, *entry, bytes);
  const uint64_t offset = op.copy.offset + op.done_bytes;
  std::byte* const local = op.copy.local + op.done_bytes;
  if (link_->uses_cma()) {
    return UNIRACK_TRY(link_->copy_by_cma(is_put ? CmaDirection::write : CmaDirection::read,
                                          entry->region.id, offset, local, bytes));
  }
  // The owner checks again when it takes the bytes in; here a mistake is known at once.
  UNIRACK_TRY(find_region(link_->peer_control(), entry->region.id, offset, bytes, Access::write));
  if (bytes == 0) return uint64_t{0};
  const uint64_t moved =
      link_->exchange().put(static_cast<uint32_t>(path_), entry->region.id, offset, local, bytes);
  if (moved > 0) {
    drain_position_ = link_->exchange().drain_position();
    link_->wake_peer();
  }
  return moved;
}

Result<uint64_t> ShmEndpoint::step_mapped(const QueuedCopy& op, const Entry& entry,
                                          uint64_t bytes) {
  if (!is_region_live(link_->peer_control(), entry.region.id)) {
    return make_error(Code::stale, "the peer's region is no longer registered");
  }
  std::byte* const local = op.copy.local + op.done_bytes;
  std::byte* const remote = entry.mapped + op.copy.offset + op.done_bytes;
  if (op.direction == Direction::put) {
    copy_bytes(remote, local, bytes, op.kind);
  } else {
    copy_bytes(local, remote, bytes, op.kind);
  }
  return bytes;
}

bool ShmEndpoint::finish_put() {
  const QueuedCopy& op = puts_.front();
  if (op.signal && !skip_signal_) {
    auto delivered = deliver(*op.signal);
    if (delivered && !*delivered) return false;
    if (!delivered) refuse(std::move(delivered).error());
  }
  if (op.signal) skip_signal_ = false;
  const Token token = op.token;
  puts_.pop();
  state_.complete(token);
  return true;
}

Result<bool> ShmEndpoint::deliver(const Signal& signal) {
  const auto* const entry = UNIRACK_TRY(link_->imports().check(signal));
  if (!is_region_live(link_->peer_control(), entry->region.id)) {
    return make_error(Code::stale, "the region of the signal is no longer registered");
  }
  ShmExchange& exchange = link_->exchange();
  if (entry->mapped != nullptr && !exchange.may_overtake()) {
    auto* const word = reinterpret_cast<uint64_t*>(entry->mapped + signal.offset);
    std::atomic_ref<uint64_t>(*word).store(signal.value, std::memory_order_release);
  } else {
    if (!exchange.signal(static_cast<uint32_t>(path_), entry->region.id, signal.offset,
                         signal.value)) {
      return false;
    }
    drain_position_ = exchange.drain_position();
  }
  link_->wake_peer();
  return true;
}

bool ShmEndpoint::advance_gets(uint64_t bytes_max) {
  bool has_moved = false;
  uint64_t bytes_left = bytes_max;
  while (gets_started_ < gets_.size()) {
    QueuedCopy& op = gets_[gets_started_];
    const uint64_t before = op.done_bytes;
    const bool is_started = start_get(op, bytes_left);
    if (state_.is_over()) return true;
    has_moved |= is_started || op.done_bytes > before;
    if (!is_started) break;
    ++gets_started_;
  }
  finish_gets();
  return has_moved;
}

// Whether the next get may be looked at: this one is done, or its bytes are on their way.
bool ShmEndpoint::start_get(QueuedCopy& op, uint64_t& bytes_left) {
  const auto checked =
      link_->imports().check(op.copy.remote, op.copy.offset, op.copy.bytes, Access::read);
  const bool must_ask = checked && (*checked)->mapped == nullptr && !link_->uses_cma();
  if (must_ask) {
    // From where CMA left off, if it did.
    const bool is_asked =
        link_->exchange().ask(this, first_get_ + gets_started_, (*checked)->region.id,
                              op.copy.offset + op.done_bytes, op.copy.bytes - op.done_bytes);
    if (is_asked) link_->wake_peer();
    return is_asked;
  }
  while (true) {
    auto moved = step(op, bytes_left);
    if (!moved) {
      if (moved.code() == Code::unavailable) return false;  // CMA was turned off: ask next time
      refuse(std::move(moved).error());
      if (!state_.is_over()) op.is_done = true;
      return true;
    }
    op.done_bytes += *moved;
    bytes_left -= *moved;
    if (op.done_bytes == op.copy.bytes) {
      op.is_done = true;
      return true;
    }
    if (bytes_left == 0) return false;
  }
}

void ShmEndpoint::finish_gets() {
  while (gets_started_ > 0 && gets_.front().is_done) {
    const Token token = gets_.front().token;
    gets_.pop();
    --gets_started_;
    ++first_get_;
    state_.complete(token);
  }
}

std::byte* ShmEndpoint::reply_target(uint64_t get, uint64_t bytes) {
  if (get < first_get_ || get - first_get_ >= gets_started_) return nullptr;
  QueuedCopy& op = gets_[get - first_get_];
  if (bytes > op.copy.bytes - op.done_bytes) return nullptr;
  std::byte* const target = op.copy.local + op.done_bytes;
  op.done_bytes += bytes;
  return target;
}

void ShmEndpoint::reply_end(uint64_t get, Status status) {
  if (get < first_get_ || get - first_get_ >= gets_started_) return;
  QueuedCopy& op = gets_[get - first_get_];
  if (status && op.done_bytes < op.copy.bytes) {
    status = make_error(Code::corrupted, "the peer sent fewer bytes than were asked for");
  }
  if (!status) state_.note_refused(std::move(status).error());
  op.is_done = true;
  finish_gets();
}

void ShmEndpoint::end_all() {
  for (; !puts_.empty(); puts_.pop()) state_.complete(puts_.front().token);
  for (; !gets_.empty(); gets_.pop()) state_.complete(gets_.front().token);
  gets_started_ = 0;
}

Status ShmEndpoint::close(Deadline deadline) {
  if (link_ == nullptr) return ok_status();
  const auto is_settled = [this] {
    return state_.is_over() ||
           (puts_.empty() && gets_.empty() &&
            (drain_position_ == 0 || link_->exchange().is_drained(drain_position_)));
  };
  while (!is_settled() && !expired(deadline)) transport_.progress();
  const bool is_complete = is_settled();
  const bool is_cut_off =
      drain_position_ > 0 && !state_.is_over() && !link_->exchange().is_drained(drain_position_);
  state_.close();
  end_all();
  if (link_->is_ready()) link_->exchange().forget(this);
  if (is_cut_off)
    link_->fail(make_error(Code::revoked, "a path was closed in the middle of a put"));
  transport_.release(link_, this);
  link_ = nullptr;
  if (is_complete) return ok_status();
  return make_error(Code::timeout, "the endpoint was closed before its copies were done");
}

}  // namespace unirack
