#include "transports/loopback/loopback_endpoint.h"

#include <algorithm>
#include <atomic>
#include <string>

#include "transports/loopback/loopback_transport.h"

namespace unirack {
namespace {

constexpr size_t kOpsMax = 256;
// How long a peer's retire() may have to wait for a copy of ours.
constexpr uint64_t kStepBytesMax = uint64_t{1} << 20;
// What put and get copy at once; the rest is left to poll().
constexpr uint64_t kEagerBytesMax = uint64_t{64} << 10;

}  // namespace

LoopbackEndpoint::LoopbackEndpoint(LoopbackTransport& transport, LoopbackLink* link, int side,
                                   Rank peer, Token connect_token)
    : transport_(transport),
      link_(link),
      side_(side),
      state_(transport.completions(), peer, connect_token),
      ops_(kOpsMax) {
  transport_.add(this);
}

LoopbackEndpoint::~LoopbackEndpoint() {
  state_.close();
  end_all();
  transport_.remove(this);
}

Result<Remote> LoopbackEndpoint::import(BytesView descriptor) {
  const RegionDescriptor region =
      UNIRACK_TRY(RegionDescriptor::decode(descriptor, LoopbackTransport::kDescriptorKind));
  if (!state_.is_ready()) return make_error(Code::unavailable, "the endpoint is not connected");
  // Same process: the peer's region is mapped for as long as it is registered.
  auto pin = UNIRACK_TRY(peer_port().regions.pin(region.id, 0, region.bytes, region.access));
  return imports_.add(region, pin.data());
}

size_t LoopbackEndpoint::put(std::span<const Copy> copies, const Signal* signal, Token token) {
  return accept(Direction::put, copies, signal, token);
}

size_t LoopbackEndpoint::get(std::span<const Copy> copies, Token token) {
  return accept(Direction::get, copies, nullptr, token);
}

size_t LoopbackEndpoint::accept(Direction direction, std::span<const Copy> copies,
                                const Signal* signal, Token token) {
  if (state_.is_over()) return state_.reject(copies, token);
  if (!state_.is_ready()) return 0;
  const size_t accepted = ops_.accept(direction, copies, signal, token);
  advance(kEagerBytesMax);
  return accepted;
}

void LoopbackEndpoint::progress(uint64_t bytes_max) {
  if (state_.is_over()) return;
  notice_peer();
  if (state_.is_ready()) advance(bytes_max);
}

bool LoopbackEndpoint::has_work() const {
  if (state_.is_over()) return false;
  const bool is_met = state_.is_connecting() && link_->is_ready.load(std::memory_order_acquire);
  return !ops_.empty() || is_met || has_peer_left();
}

void LoopbackEndpoint::notice_peer() {
  if (state_.is_connecting() && link_->is_ready.load(std::memory_order_acquire)) {
    state_.set_ready();
  }
  if (has_peer_left()) {
    state_.fail(make_error(Code::peer_failed,
                           "rank " + std::to_string(state_.peer()) + " closed its endpoint",
                           state_.peer()));
    end_all();
  }
}

void LoopbackEndpoint::advance(uint64_t bytes_max) {
  while (!ops_.empty()) {
    QueuedCopy& op = ops_.front();
    const uint64_t bytes = std::min({op.copy.bytes - op.done_bytes, bytes_max, kStepBytesMax});
    if (Status status = step(op, bytes); !status) {
      state_.note_refused(std::move(status).error());
      skip_signal_ = true;
      finish_front();
      continue;
    }
    op.done_bytes += bytes;
    bytes_max -= bytes;
    if (op.done_bytes == op.copy.bytes) {
      finish_front();
    } else if (bytes_max == 0) {
      return;
    }
  }
}

Status LoopbackEndpoint::step(QueuedCopy& op, uint64_t bytes) {
  const bool is_put = op.direction == Direction::put;
  const Access access = is_put ? Access::write : Access::read;
  const auto* const entry =
      UNIRACK_TRY(imports_.check(op.copy.remote, op.copy.offset, op.copy.bytes, access));
  auto pin = UNIRACK_TRY(
      peer_port().regions.pin(entry->region.id, op.copy.offset + op.done_bytes, bytes, access));
  std::byte* const local = op.copy.local + op.done_bytes;
  if (is_put) {
    copy_bytes(pin.data(), local, bytes, op.kind);
  } else {
    copy_bytes(local, pin.data(), bytes, op.kind);
  }
  return ok_status();
}

Status LoopbackEndpoint::deliver(const Signal& signal) {
  const auto* const entry = UNIRACK_TRY(imports_.check(signal));
  auto pin = UNIRACK_TRY(
      peer_port().regions.pin(entry->region.id, signal.offset, sizeof(uint64_t), Access::write));
  std::atomic_ref<uint64_t>(*reinterpret_cast<uint64_t*>(pin.data()))
      .store(signal.value, std::memory_order_release);
  peer_port().wake();
  return ok_status();
}

void LoopbackEndpoint::finish_front() {
  const QueuedCopy op = ops_.front();
  ops_.pop();
  if (op.signal && !std::exchange(skip_signal_, false)) {
    if (Status status = deliver(*op.signal); !status) {
      state_.note_refused(std::move(status).error());
    }
  }
  state_.complete(op.token);
}

void LoopbackEndpoint::end_all() {
  for (; !ops_.empty(); ops_.pop()) state_.complete(ops_.front().token);
  if (link_ != nullptr) LoopbackHub::of_process().detach(std::exchange(link_, nullptr), side_);
}

Status LoopbackEndpoint::close(Deadline deadline) {
  while (!ops_.empty() && !expired(deadline)) progress(kStepBytesMax);
  const bool is_complete = ops_.empty();
  state_.close();
  end_all();
  if (is_complete) return ok_status();
  return make_error(Code::timeout, "the endpoint was closed before its copies were done");
}

}  // namespace unirack
