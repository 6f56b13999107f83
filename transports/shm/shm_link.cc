#include "transports/shm/shm_link.h"

#include <sched.h>
#include <sys/eventfd.h>

#include <algorithm>
#include <atomic>
#include <string>

#include "lib/base/random.h"
#include "transports/shm/shm_endpoint.h"

namespace unirack {
namespace {

// With CMA the rings carry only signals into private memory.
constexpr uint32_t kRingBytesWithCma = uint32_t{16} << 10;
constexpr uint32_t kRingBytes = uint32_t{256} << 10;
// A peer that stays in one CMA step longer than this is stopped, and so is its step. Nothing can
// fence it: should it be continued, it finishes that one step (SECURITY.md). The failure that ends
// the registration waits for this, so it is short.
constexpr milliseconds kTouchPatience{200};

Error broke_rules(const char* what) {
  return make_error(Code::corrupted, std::string("the peer sent ") + what);
}

}  // namespace

Status ShmLink::dial(const std::string& socket_name) {
  ShmChannel channel = UNIRACK_TRY(ShmChannel::dial(socket_name));
  UNIRACK_TRY(channel.check_peer_user());
  channel_ = std::move(channel);
  Nonce nonce{};
  UNIRACK_TRY(fill_random(nonce));
  Hello hello;
  hello.role = Role::data;
  hello.rank = local_.rank;
  hello.rank_count = local_.rank_count;
  hello.instance = local_.instance;
  client_.emplace(local_.job, hello, peer_, nonce);
  phase_ = Phase::proving;
  return prove({});
}

void ShmLink::adopt(ShmChannel channel) {
  channel_ = std::move(channel);
  phase_ = Phase::attaching;
}

void ShmLink::on_event() {
  if (!channel_ || is_over()) return;
  if (Status status = drain(); !status) fail(std::move(status).error());
}

Status ShmLink::drain() {
  ShmPacket packet;
  while (UNIRACK_TRY(channel_->receive(packet))) UNIRACK_TRY(on_packet(packet));
  return channel_->flush();
}

Status ShmLink::on_packet(ShmPacket& packet) {
  if (phase_ == Phase::proving) return prove(packet.view());
  const ShmMessage message = UNIRACK_TRY(ShmMessage::decode(packet.view()));
  return on_message(message, packet);
}

Status ShmLink::prove(BytesView input) {
  const HandshakeState state = client_->feed(input);
  if (state == HandshakeState::failed) return client_->error();
  while (!client_->pending().empty()) {
    const BytesView part =
        client_->pending().first(std::min(client_->pending().size(), kHandshakeBytes));
    UNIRACK_TRY(channel_->send(part));
    client_->sent(part.size());
  }
  if (state != HandshakeState::done) return ok_status();
  phase_ = Phase::attaching;
  return attach();
}

Status ShmLink::attach() {
  ShmMessage message;
  message.kind = ShmMessage::Kind::attach;
  message.flag = uses_cma_;
  message.a = reinterpret_cast<uintptr_t>(&local_.shared().probe);
  return channel_->send(message.encode(), local_.control.fd(), local_.event.get());
}

Status ShmLink::on_message(const ShmMessage& message, ShmPacket& packet) {
  using Kind = ShmMessage::Kind;
  if (message.kind == Kind::attach) return on_attach(message, packet);
  if (message.kind == Kind::pair) return on_pair(message, packet);
  if (!is_ready()) return broke_rules("a message too early");
  switch (message.kind) {
    case Kind::region:
      return on_region(message, packet);
    case Kind::retire:
      on_retire(RegionId::unpack(message.a));
      return ok_status();
    default:
      on_path(message);
      return ok_status();
  }
}

Status ShmLink::on_attach(const ShmMessage& message, ShmPacket& packet) {
  if (phase_ != Phase::attaching || peer_control_.data() != nullptr) {
    return broke_rules("its segment twice");
  }
  if (!packet.fds[0] || !packet.fds[1]) return broke_rules("no descriptors");
  peer_control_ = UNIRACK_TRY(
      SharedMemory::map_peer(std::move(packet.fds[0]), sizeof(ShmControl), Access::read));
  peer_event_ = std::move(packet.fds[1]);
  peer_pid_ = UNIRACK_TRY(channel_->peer_pid());
  uses_cma_ = local_.may_use_cma && can_use_cma(message.a);
  return is_dialer() ? make_pair(message.flag) : attach();
}

bool ShmLink::can_use_cma(uint64_t probe_address) const {
  uint64_t probe = 0;
  const auto copied = cma_copy(peer_pid_, CmaDirection::read, reinterpret_cast<std::byte*>(&probe),
                               probe_address, sizeof(probe));
  return copied && *copied == sizeof(probe) && probe == peer_control().probe;
}

Status ShmLink::make_pair(bool peer_uses_cma) {
  const uint32_t ring_bytes = uses_cma_ && peer_uses_cma ? kRingBytesWithCma : kRingBytes;
  SharedMemory pair = UNIRACK_TRY(SharedMemory::create(ShmExchange::pair_bytes(ring_bytes)));
  ShmMessage message;
  message.kind = ShmMessage::Kind::pair;
  message.a = ring_bytes;
  UNIRACK_TRY(channel_->send(message.encode(), pair.fd()));
  return become_ready(std::move(pair), ring_bytes);
}

Status ShmLink::on_pair(const ShmMessage& message, ShmPacket& packet) {
  const bool is_power_of_two = (message.a & (message.a - 1)) == 0;
  if (phase_ != Phase::attaching || is_dialer() || peer_control_.data() == nullptr ||
      !packet.fds[0] || message.a < kShmRingBytesMin || message.a > kShmRingBytesMax ||
      !is_power_of_two) {
    return broke_rules("a pair segment that cannot be used");
  }
  const auto ring_bytes = static_cast<uint32_t>(message.a);
  return become_ready(
      UNIRACK_TRY(SharedMemory::map_peer(std::move(packet.fds[0]),
                                         ShmExchange::pair_bytes(ring_bytes), Access::read_write)),
      ring_bytes);
}

Status ShmLink::become_ready(SharedMemory pair, uint32_t ring_bytes) {
  exchange_ = std::make_unique<ShmExchange>(std::move(pair), ring_bytes, is_dialer() ? 0 : 1,
                                            local_.regions);
  phase_ = Phase::ready;
  for (const ShmLocal::Symmetric& symmetric : local_.symmetric) announce(symmetric);
  for (ShmEndpoint* const endpoint : endpoints_) {
    send({ShmMessage::Kind::open, false, 0, static_cast<uint64_t>(endpoint->path()), 0});
  }
  return ok_status();
}

void ShmLink::send(const ShmMessage& message, int fd_a, int fd_b) {
  if (!is_ready()) return;
  Status status = channel_->send(message.encode(), fd_a, fd_b);
  if (!status) fail(std::move(status).error());
}

void ShmLink::announce(const ShmLocal::Symmetric& symmetric) {
  send({ShmMessage::Kind::region, false, static_cast<uint8_t>(symmetric.region.access),
        symmetric.region.id.packed(), symmetric.region.bytes},
       symmetric.fd.get());
}

void ShmLink::announce_retired(RegionId id) {
  send({ShmMessage::Kind::retire, false, 0, id.packed(), 0});
}

Status ShmLink::on_region(const ShmMessage& message, ShmPacket& packet) {
  const RegionId id = RegionId::unpack(message.a);
  if (id.index >= kShmRegionsMax || !packet.fds[0]) return broke_rules("a region without memory");
  RegionDescriptor region{id, message.b, static_cast<Access>(message.access), true};
  SharedMemory memory =
      UNIRACK_TRY(SharedMemory::map_peer(std::move(packet.fds[0]), message.b, region.access));
  if (id.index >= mappings_.size()) mappings_.resize(id.index + 1);
  mappings_[id.index] = {region, std::move(memory)};
  return ok_status();
}

void ShmLink::on_retire(RegionId id) {
  if (id.index >= mappings_.size() || mappings_[id.index].region.id != id) return;
  imports_.forget(id);
  // The caller may hold a pointer into it: the address stays valid, the memory is given back. If
  // even that fails it stays shared until the link ends.
  (void)mappings_[id.index].memory.abandon();
}

void ShmLink::on_path(const ShmMessage& message) {
  if (message.a >= kShmPathsMax) return;
  const uint64_t bit = uint64_t{1} << message.a;
  ShmEndpoint* const endpoint = endpoint_at(static_cast<int>(message.a));
  if (message.kind == ShmMessage::Kind::open) {
    peer_paths_ |= bit;
    if (endpoint != nullptr) endpoint->on_peer_open();
  } else {
    peer_paths_ &= ~bit;
    if (endpoint != nullptr) {
      endpoint->fail(make_error(Code::peer_failed,
                                "rank " + std::to_string(peer_) + " closed its endpoint", peer_));
    }
  }
}

ShmEndpoint* ShmLink::endpoint_at(int path) const {
  for (ShmEndpoint* const endpoint : endpoints_) {
    if (endpoint->path() == path) return endpoint;
  }
  return nullptr;
}

void ShmLink::add(ShmEndpoint* endpoint) {
  endpoints_.push_back(endpoint);
  send({ShmMessage::Kind::open, false, 0, static_cast<uint64_t>(endpoint->path()), 0});
  if ((peer_paths_ >> endpoint->path() & 1) != 0) endpoint->on_peer_open();
}

void ShmLink::remove(ShmEndpoint* endpoint) {
  std::erase(endpoints_, endpoint);
  send({ShmMessage::Kind::close, false, 0, static_cast<uint64_t>(endpoint->path()), 0});
}

void ShmLink::fail(Error reason) {
  if (is_over()) return;
  phase_ = Phase::over;
  if (exchange_) exchange_->revoke();
  if (reason.culprit == kNoRank) reason.culprit = peer_;
  for (ShmEndpoint* const endpoint : endpoints_) endpoint->fail(reason);
}

void ShmLink::wait_untouched(RegionId id) {
  if (!is_ready() || !exchange_->is_peer_touching(id)) return;
  const Deadline deadline = deadline_in(kTouchPatience);
  while (exchange_->is_peer_touching(id) && !expired(deadline)) ::sched_yield();
}

bool ShmLink::progress(uint64_t bytes_max) {
  auto served = exchange_->serve(bytes_max);
  if (!served) {
    fail(std::move(served).error());
    return true;
  }
  if (*served) wake_peer();
  bool has_moved = *served;
  for (ShmEndpoint* const endpoint : endpoints_) has_moved |= endpoint->progress(bytes_max);
  return has_moved;
}

Result<Remote> ShmLink::import(BytesView descriptor) {
  const RegionDescriptor region =
      UNIRACK_TRY(RegionDescriptor::decode(descriptor, kShmDescriptorKind));
  if (!region.is_symmetric) return imports_.add(region, nullptr);
  const auto find = [&]() -> Mapping* {
    const bool is_here =
        region.id.index < mappings_.size() && mappings_[region.id.index].region.id == region.id;
    return is_here ? &mappings_[region.id.index] : nullptr;
  };
  if (find() == nullptr) on_event();
  if (is_over()) return make_error(Code::peer_failed, "the peer has gone", peer_);
  const Mapping* const mapping = find();
  if (mapping == nullptr) {
    return make_error(Code::unavailable, "the peer's memory has not arrived yet", peer_);
  }
  return imports_.add(mapping->region, mapping->memory.data());
}

Result<size_t> ShmLink::copy_by_cma(CmaDirection direction, RegionId region, uint64_t offset,
                                    std::byte* local, size_t bytes) {
  // The note is written before the registration is looked at, while its owner retires it before
  // looking at the note: one of the two sees the other.
  exchange_->touch(region);
  const auto address = find_region(peer_control(), region, offset, bytes,
                                   direction == CmaDirection::read ? Access::read : Access::write);
  Result<size_t> copied = address ? bytes == 0
                                        ? Result<size_t>(size_t{0})
                                        : cma_copy(peer_pid_, direction, local, *address, bytes)
                                  : Result<size_t>(address.error());
  exchange_->untouch();
  if (copied.code() == Code::unavailable) uses_cma_ = false;
  return copied;
}

void ShmLink::wake_peer() {
  // The peer sets its flag, fences, and looks again; we have stored, fence, and look at the flag.
  std::atomic_thread_fence(std::memory_order_seq_cst);
  if (peer_control().is_sleeping.load(std::memory_order_relaxed) != 0) {
    ::eventfd_write(peer_event_.get(), 1);
  }
}

}  // namespace unirack
