#include "transports/shm/shm_transport.h"

#include <fcntl.h>
#include <sys/eventfd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <string>

#include "lib/base/random.h"
#include "transports/shm/shm_endpoint.h"

namespace unirack {
namespace {

constexpr uint64_t kListenerToken = 1;
constexpr uint64_t kEventToken = 2;
constexpr uint64_t kCallerToken = 3;  // of all callers: there are few, and each is asked
constexpr uint64_t kBytesPerPoll = uint64_t{1} << 20;
constexpr uint64_t kPollsPerLook = 1024;  // at the sockets, while nobody is armed
constexpr size_t kCallersMax = 64;
constexpr milliseconds kCallerPatience{2000};

class ShmRegistration final : public Registration {
 public:
  ShmRegistration(ShmTransport* transport, const RegionDescriptor& region)
      : transport_(transport), region_(region), wire_(region.encode(kShmDescriptorKind)) {}
  ~ShmRegistration() override { transport_->retire(region_); }
  BytesView descriptor() const override { return wire_; }

 private:
  ShmTransport* transport_;
  RegionDescriptor region_;
  RegionDescriptor::Wire wire_;
};

}  // namespace

Result<std::unique_ptr<Transport>> ShmTransport::open(const TransportContext& context) {
  ShmAddress address = UNIRACK_TRY(ShmAddress::create(context.instance, context.config->domain));
  ShmListener listener = UNIRACK_TRY(ShmListener::open(address.socket_name()));
  Poller poller = UNIRACK_TRY(Poller::create());
  auto transport =
      std::make_unique<ShmTransport>(std::move(address), std::move(listener), std::move(poller));
  UNIRACK_TRY(transport->prepare(context));
  return std::unique_ptr<Transport>(std::move(transport));
}

ShmTransport::ShmTransport(ShmAddress address, ShmListener listener, Poller poller)
    : address_(std::move(address)), listener_(std::move(listener)), poller_(std::move(poller)) {}

Status ShmTransport::prepare(const TransportContext& context) {
  if (context.job_key.size() != kDigestBytes) {
    return make_error(Code::invalid_argument, "the job key must have 32 bytes");
  }
  local_.rank = context.rank;
  local_.rank_count = context.rank_count;
  local_.instance = context.instance;
  local_.may_use_cma = context.config->cma;
  local_.job =
      UNIRACK_TRY(JobCredentials::from_key(SecretKey(context.job_key.first<kDigestBytes>())));
  local_.control = UNIRACK_TRY(SharedMemory::create(sizeof(ShmControl), Access::read));
  UNIRACK_TRY(fill_random(
      {reinterpret_cast<std::byte*>(&local_.shared().probe), sizeof(local_.shared().probe)}));
  local_.event.reset(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!local_.event) {
    return make_error(Code::resource_exhausted, "no descriptor left for an eventfd", kNoRank,
                      errno);
  }
  UNIRACK_TRY(poller_.add(local_.event.get(), Interest::read, kEventToken));
  return poller_.add(listener_.fd(), Interest::read, kListenerToken);
}

Reach ShmTransport::reach(BytesView peer_address) const {
  const auto peer = ShmAddress::decode(peer_address);
  return peer && address_.shares_memory_with(*peer) ? Reach::load_store : Reach::none;
}

Result<std::unique_ptr<Registration>> ShmTransport::register_memory(const Memory& memory,
                                                                    Access access) {
  UniqueFd fd;
  if (memory.fd >= 0) {
    UNIRACK_TRY(check_sealed(memory.fd, memory.bytes));
    fd.reset(::fcntl(memory.fd, F_DUPFD_CLOEXEC, 0));
    if (!fd) {
      return make_error(Code::resource_exhausted, "no descriptor left to share memory", kNoRank,
                        errno);
    }
  }
  const RegionId id = UNIRACK_TRY(local_.regions.add(memory.data, memory.bytes, access));
  const RegionDescriptor region{id, memory.bytes, access, static_cast<bool>(fd)};
  publish_region(local_.shared(), id, memory.data, memory.bytes, access);
  if (fd) {
    local_.symmetric.push_back({region, std::move(fd)});
    for (Entry& entry : links_) entry.link->announce(local_.symmetric.back());
  }
  return std::unique_ptr<Registration>(std::make_unique<ShmRegistration>(this, region));
}

void ShmTransport::retire(const RegionDescriptor& region) {
  retire_region(local_.shared(), region.id);
  for (Entry& entry : links_) {
    entry.link->wait_untouched(region.id);
    if (region.is_symmetric) entry.link->announce_retired(region.id);
  }
  local_.regions.retire(region.id);
  std::erase_if(local_.symmetric, [&](const ShmLocal::Symmetric& symmetric) {
    return symmetric.region.id == region.id;
  });
}

ShmLink* ShmTransport::find_link(Rank peer) const {
  for (const Entry& entry : links_) {
    if (entry.link->peer() == peer && !entry.link->is_over()) return entry.link.get();
  }
  return nullptr;
}

Result<std::unique_ptr<Endpoint>> ShmTransport::connect(Rank peer, BytesView peer_address, int path,
                                                        TrafficClass, Token token) {
  if (peer == local_.rank || peer < 0 || peer >= local_.rank_count) {
    return make_error(Code::invalid_argument, "no path leads to rank " + std::to_string(peer));
  }
  if (path < 0 || path >= kShmPathsMax) {
    return make_error(Code::invalid_argument, "paths are numbered from 0 to 63");
  }
  const auto address = ShmAddress::decode(peer_address);
  if (!address || !address_.shares_memory_with(*address)) {
    return make_error(Code::unavailable, "the peer shares no memory with this process", peer);
  }
  ShmLink* link = find_link(peer);
  if (link == nullptr) {
    links_.push_back({std::make_unique<ShmLink>(local_, peer), next_token_++, {}, false});
    link = links_.back().link.get();
    if (local_.rank < peer) links_.back().dial_name = address->socket_name();
  }
  if (link->endpoint_at(path) != nullptr) {
    return make_error(Code::invalid_usage, "this path to the peer is connected already", peer);
  }
  auto endpoint = std::make_unique<ShmEndpoint>(*this, link, path, token);
  handle_events();
  return std::unique_ptr<Endpoint>(std::move(endpoint));
}

void ShmTransport::release(ShmLink* link, ShmEndpoint* endpoint) {
  link->remove(endpoint);
  if (link->has_endpoints()) return;
  const auto entry = std::ranges::find(links_, link, [](const Entry& e) { return e.link.get(); });
  if (entry->is_watched) poller_.remove(link->fd());
  links_.erase(entry);
}

size_t ShmTransport::poll(std::span<Completion> completions) {
  progress();
  return completions_.drain(completions);
}

bool ShmTransport::progress() {
  const bool is_settled = callers_.empty() && std::ranges::all_of(links_, [](const Entry& entry) {
                            return entry.link->is_ready() && !entry.link->has_backlog();
                          });
  if (is_armed_) disarm();
  if (!is_settled || ++poll_count_ % kPollsPerLook == 0) handle_events();
  bool has_moved = false;
  for (const Entry& entry : links_) {
    if (entry.link->is_ready()) has_moved |= entry.link->progress(kBytesPerPoll);
  }
  return has_moved;
}

std::optional<int> ShmTransport::arm() {
  is_armed_ = true;
  local_.shared().is_sleeping.store(1, std::memory_order_relaxed);
  std::atomic_thread_fence(std::memory_order_seq_cst);
  bool has_work = !completions_.empty();
  for (const Entry& entry : links_) {
    if (entry.link->is_ready()) has_work |= entry.link->progress(kBytesPerPoll);
    // Not yet dialled, or with words for a full socket: nothing would wake us.
    has_work |= (entry.link->is_idle() && !entry.dial_name.empty()) || entry.link->has_backlog();
  }
  if (has_work || !completions_.empty()) return std::nullopt;
  return poller_.fd();
}

void ShmTransport::disarm() {
  is_armed_ = false;
  local_.shared().is_sleeping.store(0, std::memory_order_relaxed);
  eventfd_t count = 0;
  ::eventfd_read(local_.event.get(), &count);
  handle_events();
}

void ShmTransport::handle_events() {
  std::array<PollEvent, 64> events;
  const auto count = poller_.wait(events, now());
  for (size_t i = 0; count && i < *count; ++i) handle_event(events[i].token);
  if (!callers_.empty()) hear_callers();
  sweep_links();
}

void ShmTransport::handle_event(uint64_t token) {
  if (token == kListenerToken) return accept_callers();
  const auto entry = std::ranges::find(links_, token, &Entry::token);
  if (entry != links_.end()) entry->link->on_event();
}

// Dials what is not yet dialled, sends what waits, and lets go of the sockets of dead links.
void ShmTransport::sweep_links() {
  for (Entry& entry : links_) {
    ShmLink& link = *entry.link;
    if (link.is_idle() && !entry.dial_name.empty()) {
      const Status status = link.dial(entry.dial_name);
      if (!status && status.code() != Code::unavailable) link.fail(status.error());
    } else if (link.has_backlog()) {
      link.on_event();
    }
    if (link.has_channel() && !entry.is_watched && !link.is_over()) {
      const Status status = poller_.add(link.fd(), Interest::read, entry.token);
      entry.is_watched = static_cast<bool>(status);
      if (!status) link.fail(status.error());
    }
    if (link.is_over() && link.has_channel()) {
      if (entry.is_watched) poller_.remove(link.fd());
      entry.is_watched = false;
      link.drop_channel();
    }
  }
  // A caller's link that nobody here has asked for, and that is over before anybody did.
  std::erase_if(links_, [](const Entry& entry) {
    return entry.link->is_over() && !entry.link->has_endpoints();
  });
}

void ShmTransport::accept_callers() {
  while (UniqueFd fd = listener_.accept()) {
    ShmChannel channel(std::move(fd));
    Nonce nonce{};
    if (!channel.check_peer_user() || !fill_random(nonce)) continue;
    if (callers_.size() == kCallersMax) {
      poller_.remove(callers_.front()->channel.fd());
      callers_.erase(callers_.begin());
    }
    if (!poller_.add(channel.fd(), Interest::read, kCallerToken)) continue;
    callers_.push_back(std::make_unique<Caller>(
        Caller{std::move(channel), HandshakeServer(local_.job, local_.rank, nonce),
               deadline_in(kCallerPatience)}));
  }
}

void ShmTransport::hear_callers() {
  for (size_t i = 0; i < callers_.size();) {
    if (hear(*callers_[i])) {
      ++i;
    } else {
      callers_.erase(callers_.begin() + static_cast<ptrdiff_t>(i));
    }
  }
}

bool ShmTransport::hear(Caller& caller) {
  ShmPacket packet;
  const auto received = caller.channel.receive(packet);
  BytesView input = packet.view();
  bool is_over = !received || expired(caller.deadline);
  if (received && *received) {
    const HandshakeState state = caller.server.feed(input);
    while (!caller.server.pending().empty()) {
      const BytesView pending = caller.server.pending();
      const BytesView part = pending.first(std::min(pending.size(), kHandshakeBytes));
      if (!caller.channel.send(part)) break;
      caller.server.sent(part.size());
    }
    is_over = is_over || state != HandshakeState::running;
  }
  if (!is_over) return true;
  poller_.remove(caller.channel.fd());
  if (caller.server.state() == HandshakeState::done) welcome(caller);
  return false;
}

void ShmTransport::welcome(Caller& caller) {
  const Hello& hello = *caller.server.caller();
  if (hello.role != Role::data || hello.instance != local_.instance ||
      hello.rank_count != local_.rank_count || hello.rank >= local_.rank) {
    return;
  }
  ShmLink* link = find_link(hello.rank);
  if (link != nullptr && link->has_channel()) {
    // The peer has given up the old one, whose end is still on its way to us.
    link->fail(make_error(Code::peer_failed, "the peer has connected anew", hello.rank));
    link = nullptr;
  }
  if (link == nullptr) {
    links_.push_back({std::make_unique<ShmLink>(local_, hello.rank), next_token_++, {}, false});
    link = links_.back().link.get();
  }
  link->adopt(std::move(caller.channel));
  link->on_event();
}

}  // namespace unirack
