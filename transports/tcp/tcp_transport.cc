#include "transports/tcp/tcp_transport.h"

#include <sched.h>
#include <sys/timerfd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <string>

#include "lib/base/random.h"
#include "transports/tcp/tcp_endpoint.h"

namespace unirack {
namespace {

// Tokens of events: one for each listener, one for the timer, one for all callers; endpoints (and
// the dialers that work for them) have their ids.
constexpr uint64_t kTimerToken = 100;
constexpr uint64_t kCallerToken = 101;
constexpr uint64_t kFirstId = 1000;

constexpr uint64_t kBytesPerPoll = uint64_t{1} << 20;  // of one endpoint and direction
constexpr int kPathsMax = 64;
// In a hello's path: for one that has lost its connection.
constexpr int kResumes = 0x8000;
constexpr size_t kCallersMax = 64;
constexpr milliseconds kCallerPatience{2000};
constexpr long kTimerNanoseconds = 10'000'000;
constexpr milliseconds kCheckInterval{50};
// A rail that is there answers soon.
constexpr TcpDialer::Patience kRedialPatience{milliseconds(1000), 3};

class TcpRegistration final : public Registration {
 public:
  TcpRegistration(TcpTransport* transport, const RegionDescriptor& region)
      : transport_(transport),
        id_(region.id),
        wire_(region.encode(TcpTransport::kDescriptorKind)) {}
  ~TcpRegistration() override { transport_->retire(id_); }
  BytesView descriptor() const override { return wire_; }

 private:
  TcpTransport* transport_;
  RegionId id_;
  RegionDescriptor::Wire wire_;
};

}  // namespace

Result<std::unique_ptr<Transport>> TcpTransport::open(const TransportContext& context) {
  if (context.job_key.size() != kDigestBytes) {
    return make_error(Code::invalid_argument, "the job key must have 32 bytes");
  }
  JobCredentials job =
      UNIRACK_TRY(JobCredentials::from_key(SecretKey(context.job_key.first<kDigestBytes>())));
  Poller poller = UNIRACK_TRY(Poller::create());
  auto transport = std::make_unique<TcpTransport>(context, std::move(job), std::move(poller));
  UNIRACK_TRY(transport->listen(*context.config));
  return std::unique_ptr<Transport>(std::move(transport));
}

TcpTransport::TcpTransport(const TransportContext& context, JobCredentials job, Poller poller)
    : rank_(context.rank),
      rank_count_(context.rank_count),
      job_(std::move(job)),
      poller_(std::move(poller)),
      next_id_(kFirstId) {
  address_.instance = context.instance;
}

Status TcpTransport::listen(const Config& config) {
  const auto interfaces = UNIRACK_TRY(list_interfaces());
  const bool is_wanted_by_name = std::ranges::any_of(
      config.interfaces, [](const std::string& name) { return !name.starts_with('^'); });
  address_.rails =
      UNIRACK_TRY(choose_rails(score_interfaces(interfaces, config.interfaces), is_wanted_by_name));
  for (TcpRail& rail : address_.rails) {
    for (SocketAddress& address : rail.addresses) {
      listeners_.push_back(UNIRACK_TRY(Listener::open(address, config.port_range)));
      UNIRACK_TRY(poller_.add(listeners_.back().fd(), Interest::read, listeners_.size() - 1));
      address.port = listeners_.back().address().port;
    }
  }
  timer_.reset(::timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK));
  if (!timer_) {
    return make_error(Code::resource_exhausted, "no descriptor left for a timer", kNoRank, errno);
  }
  return poller_.add(timer_.get(), Interest::read, kTimerToken);
}

Reach TcpTransport::reach(BytesView peer_address) const {
  const auto peer = TcpAddress::decode(peer_address);
  return peer && peer->instance == address_.instance ? Reach::message : Reach::none;
}

size_t TcpTransport::rail_of(const std::optional<SocketAddress>& source) const {
  for (size_t i = 0; source && i < rails().size(); ++i) {
    for (const SocketAddress& address : rails()[i].addresses) {
      if (address.with_port(0) == source->with_port(0)) return i;
    }
  }
  return 0;
}

Result<std::unique_ptr<Registration>> TcpTransport::register_memory(const Memory& memory,
                                                                    Access access) {
  const RegionId id = UNIRACK_TRY(regions_.add(memory.data, memory.bytes, access));
  const RegionDescriptor region{id, memory.bytes, access, memory.fd >= 0};
  return std::unique_ptr<Registration>(std::make_unique<TcpRegistration>(this, region));
}

void TcpTransport::retire(RegionId region) {
  regions_.retire(region);
  for (TcpEndpoint* const endpoint : endpoints_) endpoint->retire(region);
}

Result<std::unique_ptr<Endpoint>> TcpTransport::connect(Rank peer, BytesView peer_address, int path,
                                                        TrafficClass traffic_class, Token token) {
  if (peer == rank_ || peer < 0 || peer >= rank_count_) {
    return make_error(Code::invalid_argument, "no path leads to rank " + std::to_string(peer));
  }
  if (path < 0 || path >= kPathsMax) {
    return make_error(Code::invalid_argument, "paths are numbered from 0 to 63");
  }
  const auto address = TcpAddress::decode(peer_address);
  if (!address || address->instance != address_.instance) {
    return make_error(Code::unavailable, "the peer has no tcp address in this pool", peer);
  }
  if (find(peer, path) != nullptr) {
    return make_error(Code::invalid_usage, "this path to the peer is connected already", peer);
  }
  auto endpoint = std::make_unique<TcpEndpoint>(*this, next_id_++, peer, path, address->rails,
                                                traffic_class, token);
  if (rank_ < peer) {
    dialers_[endpoint->id()] =
        std::make_unique<TcpDialer>(poller_, endpoint->id(), job_, hello_for(path, false), peer,
                                    routes_of_path(address_.rails, address->rails, path));
  } else if (auto waiting = unclaimed_.extract({peer, path})) {
    endpoint->attach(std::move(waiting.mapped()));
  }
  progress();
  return std::unique_ptr<Endpoint>(std::move(endpoint));
}

Hello TcpTransport::hello_for(int path, bool resumes) const {
  Hello hello;
  hello.role = Role::data;
  hello.rank = rank_;
  hello.rank_count = rank_count_;
  hello.instance = address_.instance;
  hello.path = static_cast<uint16_t>(path | (resumes ? kResumes : 0));
  return hello;
}

void TcpTransport::redial(TcpEndpoint& endpoint) {
  dialers_[endpoint.id()] = std::make_unique<TcpDialer>(
      poller_, endpoint.id(), job_, hello_for(endpoint.path(), true), endpoint.peer(),
      routes_around(address_.rails, endpoint.peer_rails(), endpoint.rail()), kRedialPatience);
}

void TcpTransport::ask_to_redial(Rank peer, int path) {
  for (TcpEndpoint* const endpoint : endpoints_) {
    if (endpoint->peer() == peer && endpoint->tell_lost(path)) return;
  }
}

// Not at once: this may be about the very path whose frame says it.
void TcpTransport::on_peer_lost(Rank peer, uint32_t path) {
  if (path < kPathsMax) reported_lost_.emplace_back(peer, static_cast<int>(path));
}

void TcpTransport::check_rails(TimePoint at) {
  for (const auto& [peer, path] : std::exchange(reported_lost_, {})) {
    TcpEndpoint* const endpoint = find(peer, path);
    if (endpoint == nullptr || is_answering(peer)) continue;
    endpoint->recover(
        make_error(Code::timeout, "the peer has lost tcp path " + std::to_string(path), peer));
  }
  for (TcpEndpoint* const endpoint : endpoints_) endpoint->check_rail(at);
  next_check_ = at + kCheckInterval;
}

void TcpTransport::add(TcpEndpoint* endpoint) {
  endpoints_.push_back(endpoint);
  endpoint_of_id_[endpoint->id()] = endpoint;
}

void TcpTransport::remove(TcpEndpoint* endpoint) {
  std::erase(endpoints_, endpoint);
  endpoint_of_id_.erase(endpoint->id());
  dialers_.erase(endpoint->id());
}

TcpEndpoint* TcpTransport::find(Rank peer, int path) const {
  for (TcpEndpoint* const endpoint : endpoints_) {
    if (endpoint->peer() == peer && endpoint->path() == path && !endpoint->is_over()) {
      return endpoint;
    }
  }
  return nullptr;
}

size_t TcpTransport::poll(std::span<Completion> completions) {
  progress();
  return completions_.drain(completions);
}

void TcpTransport::wait_a_little() {
  progress();
  ::sched_yield();
}

void TcpTransport::progress() {
  for (TcpEndpoint* const endpoint : endpoints_) endpoint->flush(kBytesPerPoll);
  handle_events();
  if (!callers_.empty() || !dialers_.empty() || rails().size() > 1) {
    const TimePoint at = now();
    if (at >= next_check_ || !reported_lost_.empty()) check_rails(at);
    step_callers(at);
    step_dialers(at);
  }
  // Answers to what has just come in.
  for (TcpEndpoint* const endpoint : endpoints_) endpoint->flush(kBytesPerPoll);
}

std::optional<int> TcpTransport::arm() {
  const auto has_work = [](const TcpEndpoint* endpoint) { return endpoint->has_work(); };
  if (!completions_.empty() || std::ranges::any_of(endpoints_, has_work)) return std::nullopt;
  if (!callers_.empty() || !dialers_.empty()) {
    const itimerspec soon{{0, 0}, {0, kTimerNanoseconds}};
    ::timerfd_settime(timer_.get(), 0, &soon, nullptr);
  }
  return poller_.fd();
}

void TcpTransport::handle_events() {
  std::array<PollEvent, 64> events;
  const auto count = poller_.wait(events, now());
  for (size_t i = 0; count && i < *count; ++i) handle_event(events[i]);
}

void TcpTransport::handle_event(const PollEvent& event) {
  if (event.token < listeners_.size()) return accept_callers(listeners_[event.token]);
  if (event.token == kTimerToken) {
    const itimerspec off{};
    ::timerfd_settime(timer_.get(), 0, &off, nullptr);
    return;
  }
  const auto found = endpoint_of_id_.find(event.token);
  // Callers and dialers are all asked in progress().
  if (found == endpoint_of_id_.end() || dialers_.contains(event.token)) return;
  TcpEndpoint& endpoint = *found->second;
  if (event.writable) endpoint.on_writable();
  if (event.readable || event.hung_up) endpoint.on_readable(kBytesPerPoll);
}

void TcpTransport::accept_callers(Listener& listener) {
  for (size_t i = 0; i < kCallersMax; ++i) {
    auto accepted = listener.accept();
    if (!accepted || accepted->state != AcceptState::accepted) return;
    const int fd = accepted->fd.get();
    Nonce nonce{};
    if (!fill_random(nonce) || !set_no_delay(fd) ||
        !poller_.add(fd, Interest::read, kCallerToken)) {
      continue;
    }
    // The oldest has had the most time to prove itself.
    if (callers_.size() == kCallersMax) callers_.erase(callers_.begin());
    callers_.push_back(std::make_unique<TcpCaller>(poller_, std::move(accepted->fd), job_, rank_,
                                                   nonce, deadline_in(kCallerPatience)));
  }
}

void TcpTransport::step_callers(TimePoint at) {
  for (size_t i = 0; i < callers_.size();) {
    const HandshakeState state = callers_[i]->step(at);
    if (state == HandshakeState::running) {
      ++i;
      continue;
    }
    if (state == HandshakeState::done) welcome(*callers_[i]);
    callers_.erase(callers_.begin() + static_cast<ptrdiff_t>(i));
  }
}

void TcpTransport::welcome(TcpCaller& caller) {
  const Hello& hello = caller.hello();
  const int path = hello.path & ~kResumes;
  if (hello.role != Role::data || hello.instance != address_.instance ||
      hello.rank_count != rank_count_ || hello.rank >= rank_ || path >= kPathsMax) {
    return;
  }
  TcpEndpoint* const endpoint = find(hello.rank, path);
  if ((hello.path & kResumes) != 0) {
    // One that was given up meanwhile is hung up on, which tells the peer.
    if (endpoint != nullptr && endpoint->is_resumable()) endpoint->attach(caller.take());
  } else if (endpoint != nullptr && endpoint->is_connecting()) {
    endpoint->attach(caller.take());
  } else {
    unclaimed_[{hello.rank, path}] = caller.take();
  }
}

void TcpTransport::step_dialers(TimePoint at) {
  for (auto next = dialers_.begin(); next != dialers_.end();) {
    const auto current = next++;
    TcpDialer& dialer = *current->second;
    const TcpDialer::State state = dialer.step(at);
    if (state == TcpDialer::State::trying) continue;
    TcpEndpoint& endpoint = *endpoint_of_id_.at(current->first);
    const auto finished = dialers_.extract(current);
    if (state == TcpDialer::State::done) {
      endpoint.set_rail(rail_of(finished.mapped()->source()));
      endpoint.attach(finished.mapped()->take());
    } else {
      endpoint.give_up(finished.mapped()->error());
    }
  }
}

}  // namespace unirack
