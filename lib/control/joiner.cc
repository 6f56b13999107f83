#include "lib/control/joiner.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <limits>
#include <memory>
#include <utility>

#include "lib/control/dialer.h"
#include "lib/control/doorkeeper.h"
#include "lib/control/listen_addresses.h"
#include "lib/control/rendezvous.h"
#include "lib/net/poller.h"

namespace unirack {
namespace {

constexpr uint64_t kRootToken = 0;
constexpr uint64_t kPeerTokens = 1;
constexpr size_t kEventsMax = 64;
// How long the rendezvous has to say what happened before this rank speaks for itself.
constexpr Duration kRootSlack = milliseconds(1000);
constexpr Duration kSuspicion = milliseconds(300);
// A rendezvous that was open before the id existed does not come back.
constexpr Duration kRefusedPatience = milliseconds(500);

std::string this_process() {
  std::array<char, 65> host{};
  ::gethostname(host.data(), host.size() - 1);
  return std::string(host.data()) + ", pid " + std::to_string(::getpid());
}

std::vector<std::byte> encode_contact(const std::vector<SocketAddress>& addresses) {
  std::vector<std::byte> contact;
  Writer writer(contact);
  for (const SocketAddress& address : addresses) address.encode(writer);
  return contact;
}

Result<std::vector<SocketAddress>> decode_contact(BytesView contact) {
  Reader reader(contact);
  std::vector<SocketAddress> addresses;
  while (reader.remaining() > 0) {
    addresses.push_back(UNIRACK_TRY(SocketAddress::decode(reader)));
  }
  if (addresses.empty()) return make_error(Code::corrupted, "a rank without an address");
  return addresses;
}

class Joiner {
 public:
  Joiner(const JoinRequest& request, JobCredentials job, Poller poller)
      : request_(request),
        job_(std::move(job)),
        poller_(std::move(poller)),
        doorkeeper_(job_, request.rank, poller_),
        deadline_(deadline_in(request.config->join_timeout)),
        peers_(static_cast<size_t>(request.rank_count)) {}

  Result<JoinedPool> run();

 private:
  enum class Phase : uint8_t { calling, gathering, meshing, meshed, joined };
  struct Peer {
    std::unique_ptr<Dialer> dialer;
    std::optional<Channel> channel;
    bool has_card = false;
  };

  Status prepare();
  void call_root(TimePoint now);
  Status turn();
  TimePoint wake_at() const;
  Status handle(const PollEvent& event, TimePoint now);
  Status step_root(TimePoint now);
  Status receive_root(TimePoint now);
  Status on_root_message(MessageType type, BytesView payload, TimePoint now);
  Status on_table(BytesView payload, TimePoint now);
  Status start_meshing(TimePoint now);
  void step_peer(Rank rank, TimePoint now);
  void admit_visitors(TimePoint now);
  void adopt(Rank rank, UniqueFd fd, const Session& session, TimePoint now);
  void receive_peer(Rank rank, TimePoint now);
  Status on_peer_message(Rank rank, MessageType type, BytesView payload);
  Status check_meshed();
  void suspect(Error error, TimePoint now);
  Status check_time(TimePoint now) const;
  void tell_root(const Error& error);
  JoinedPool result();

  Peer& peer(Rank rank) { return peers_[static_cast<size_t>(rank)]; }
  Error root_lost(const std::string& how) const;

  const JoinRequest& request_;
  JobCredentials job_;
  Poller poller_;
  Doorkeeper doorkeeper_;
  TimePoint deadline_;
  std::unique_ptr<Rendezvous> rendezvous_;  // if it is this rank's to open
  std::unique_ptr<Dialer> root_dialer_;
  std::optional<Channel> root_;
  Phase phase_ = Phase::calling;
  uint64_t instance_ = 0;
  std::vector<std::vector<std::byte>> contacts_;
  std::vector<Peer> peers_;
  std::vector<std::vector<std::byte>> cards_;
  std::vector<EarlyFrame> early_frames_;
  bool root_has_spoken_ = false;  // the failure is the rendezvous' word
  std::optional<Error> suspicion_;
  TimePoint suspicion_ends_ = kNoDeadline;
};

Result<JoinedPool> Joiner::run() {
  Status status = prepare();
  while (status && phase_ != Phase::joined) status = turn();
  if (status) return result();
  Error error = std::move(status).error();
  if (root_ && !root_has_spoken_) tell_root(error);
  if (rendezvous_ && request_.keep_rendezvous) request_.keep_rendezvous(std::move(rendezvous_));
  return error;
}

Status Joiner::prepare() {
  cards_.resize(peers_.size());
  cards_[static_cast<size_t>(request_.rank)] = request_.card;
  if (request_.rank_count > 1) {
    const auto places = UNIRACK_TRY(listen_addresses(*request_.config));
    UNIRACK_TRY(doorkeeper_.listen(places, request_.config->port_range));
  }
  if (request_.id.opened_by_rank_0() && request_.rank == 0) {
    auto opened = Rendezvous::open_at(request_.id, *request_.config);
    // A port in use may be another rank 0's: the rendezvous that is there will say so.
    if (opened) {
      rendezvous_ = std::move(*opened);
    } else if (opened.code() != Code::unavailable) {
      return std::move(opened).error();
    }
  }
  call_root(now());
  return ok_status();
}

void Joiner::call_root(TimePoint now) {
  Dialer::Options options;
  options.addresses.assign(request_.id.addresses().begin(), request_.id.addresses().end());
  options.hello.role = Role::root;
  options.hello.rank = request_.rank;
  options.hello.rank_count = request_.rank_count;
  options.deadline = deadline_;
  if (!request_.id.opened_by_rank_0()) options.refused_patience = kRefusedPatience;
  root_dialer_ = std::make_unique<Dialer>(job_, poller_, kRootToken, std::move(options), now);
}

Status Joiner::turn() {
  std::array<PollEvent, kEventsMax> events;
  const size_t count = UNIRACK_TRY(poller_.wait(events, wake_at()));
  const TimePoint at = now();
  for (const PollEvent& event : std::span(events).first(count)) UNIRACK_TRY(handle(event, at));
  doorkeeper_.tick(at);
  (void)doorkeeper_.take_refused();
  admit_visitors(at);
  if (root_dialer_ && root_dialer_->next_step() <= at) UNIRACK_TRY(step_root(at));
  for (Rank rank = 0; rank < request_.rank_count; ++rank) {
    if (peer(rank).dialer && peer(rank).dialer->next_step() <= at) step_peer(rank, at);
  }
  UNIRACK_TRY(check_meshed());
  return check_time(at);
}

TimePoint Joiner::wake_at() const {
  TimePoint wake = std::min({deadline_ + kRootSlack, doorkeeper_.next_tick(), suspicion_ends_});
  if (root_dialer_) wake = std::min(wake, root_dialer_->next_step());
  for (const Peer& peer : peers_) {
    if (peer.dialer) wake = std::min(wake, peer.dialer->next_step());
  }
  return wake;
}

Status Joiner::handle(const PollEvent& event, TimePoint now) {
  if (doorkeeper_.handle(event, now)) return ok_status();
  if (event.token == kRootToken) return root_ ? receive_root(now) : step_root(now);
  const auto rank = static_cast<Rank>(event.token - kPeerTokens);
  if (peer(rank).channel) {
    receive_peer(rank, now);
  } else {
    step_peer(rank, now);
  }
  return ok_status();
}

Status Joiner::step_root(TimePoint now) {
  if (!root_dialer_) return ok_status();
  const auto state = root_dialer_->step(now);
  if (state == Dialer::State::trying) return ok_status();
  if (state == Dialer::State::failed) {
    Error error = root_dialer_->error();
    error.detail = "cannot reach the rendezvous: " + error.detail;
    return error;
  }
  root_ = UNIRACK_TRY(Channel::create(root_dialer_->take_fd(), root_dialer_->session()));
  root_dialer_.reset();
  UNIRACK_TRY(poller_.add(root_->fd(), Interest::read, kRootToken));
  phase_ = Phase::gathering;
  const int64_t remaining_ms =
      std::clamp<int64_t>(to_ms(deadline_ - now), 1, std::numeric_limits<uint32_t>::max());
  const JoinMessage join{static_cast<uint32_t>(remaining_ms), this_process(),
                         encode_contact(doorkeeper_.addresses())};
  return root_->send(MessageType::join, encode_join(join));
}

Status Joiner::receive_root(TimePoint now) {
  const auto open = root_->receive(
      [&](MessageType type, BytesView payload) { return on_root_message(type, payload, now); });
  if (phase_ == Phase::joined) return ok_status();
  if (root_has_spoken_ || open.code() == Code::corrupted) return open.error();
  if (!open) return root_lost(open.error().detail);
  return *open ? ok_status() : root_lost("closed the connection");
}

Status Joiner::on_root_message(MessageType type, BytesView payload, TimePoint now) {
  switch (type) {
    case MessageType::table:
      return on_table(payload, now);
    case MessageType::go:
      if (phase_ != Phase::meshed) break;
      phase_ = Phase::joined;
      return ok_status();
    case MessageType::refusal: {
      Verdict verdict = UNIRACK_TRY(decode_verdict(payload));
      root_has_spoken_ = true;
      return std::move(verdict.error);
    }
    default:
      break;
  }
  return make_error(Code::corrupted, "the rendezvous sent what was not expected");
}

Status Joiner::on_table(BytesView payload, TimePoint now) {
  TableMessage table = UNIRACK_TRY(decode_table(payload));
  if (phase_ != Phase::gathering || std::cmp_not_equal(table.rank_count, request_.rank_count) ||
      table.first_rank != contacts_.size()) {
    return make_error(Code::corrupted, "the rendezvous sent a table that does not fit");
  }
  instance_ = table.instance;
  std::move(table.contacts.begin(), table.contacts.end(), std::back_inserter(contacts_));
  return contacts_.size() == peers_.size() ? start_meshing(now) : ok_status();
}

Status Joiner::start_meshing(TimePoint now) {
  phase_ = Phase::meshing;
  UNIRACK_TRY(doorkeeper_.open());
  for (Rank rank = request_.rank + 1; rank < request_.rank_count; ++rank) {
    Dialer::Options options;
    options.addresses = UNIRACK_TRY(decode_contact(contacts_[static_cast<size_t>(rank)]));
    options.hello.role = Role::control;
    options.hello.rank = request_.rank;
    options.hello.rank_count = request_.rank_count;
    options.hello.instance = instance_;
    options.server = rank;
    options.deadline = deadline_;
    options.refused_patience = kRefusedPatience;
    peer(rank).dialer = std::make_unique<Dialer>(
        job_, poller_, kPeerTokens + static_cast<uint64_t>(rank), std::move(options), now);
  }
  return ok_status();
}

void Joiner::step_peer(Rank rank, TimePoint now) {
  auto& dialer = peer(rank).dialer;
  if (!dialer || suspicion_) return;
  const auto state = dialer->step(now);
  if (state == Dialer::State::trying) return;
  if (state == Dialer::State::failed) {
    Error error = dialer->error();
    const Code code = error.code == Code::unavailable ? Code::peer_failed : error.code;
    return suspect(make_error(code,
                              "rank " + std::to_string(request_.rank) + " cannot reach rank " +
                                  std::to_string(rank) + ": " + error.detail,
                              rank, error.sys_errno),
                   now);
  }
  const Session session = dialer->session();
  UniqueFd fd = dialer->take_fd();
  dialer.reset();
  adopt(rank, std::move(fd), session, now);
}

void Joiner::admit_visitors(TimePoint now) {
  for (auto& visitor : doorkeeper_.take_visitors()) {
    const Hello& hello = visitor.hello;
    const bool expected = hello.role == Role::control && hello.instance == instance_ &&
                          hello.rank_count == request_.rank_count && hello.rank >= 0 &&
                          hello.rank < request_.rank && !peer(hello.rank).channel;
    if (expected) adopt(hello.rank, std::move(visitor.fd), visitor.session, now);
  }
}

void Joiner::adopt(Rank rank, UniqueFd fd, const Session& session, TimePoint now) {
  auto channel = Channel::create(std::move(fd), session);
  Status status = channel ? ok_status() : Status(channel.error());
  if (status) status = set_liveness(channel->fd(), request_.config->peer_timeout);
  if (status) {
    status = poller_.add(channel->fd(), Interest::read, kPeerTokens + static_cast<uint64_t>(rank));
  }
  if (status) status = channel->send(MessageType::card, request_.card);
  if (!status) return suspect(std::move(status).error(), now);
  if (channel->backlog_bytes() > 0) {
    (void)poller_.modify(channel->fd(), Interest::read_write,
                         kPeerTokens + static_cast<uint64_t>(rank));
  }
  peer(rank).channel = std::move(*channel);
}

void Joiner::receive_peer(Rank rank, TimePoint now) {
  Peer& sender = peer(rank);
  (void)sender.channel->flush();  // a failure shows when reading
  const auto open = sender.channel->receive(
      [&](MessageType type, BytesView payload) { return on_peer_message(rank, type, payload); });
  // What comes after the card is for the control thread, and so is the end of the stream.
  if (sender.has_card && sender.channel->backlog_bytes() == 0) {
    return poller_.remove(sender.channel->fd());
  }
  if (open && *open) return;
  poller_.remove(sender.channel->fd());
  suspect(
      make_error(Code::peer_failed,
                 "rank " + std::to_string(rank) + " closed its control connection while joining",
                 rank),
      now);
}

Status Joiner::on_peer_message(Rank rank, MessageType type, BytesView payload) {
  Peer& sender = peer(rank);
  if (sender.has_card) {
    early_frames_.push_back({rank, type, {payload.begin(), payload.end()}});
    return ok_status();
  }
  if (type != MessageType::card || payload.size() > kCardBytesMax) {
    return make_error(Code::corrupted, "expected a card");
  }
  cards_[static_cast<size_t>(rank)].assign(payload.begin(), payload.end());
  sender.has_card = true;
  return ok_status();
}

Status Joiner::check_meshed() {
  if (phase_ != Phase::meshing) return ok_status();
  for (Rank rank = 0; rank < request_.rank_count; ++rank) {
    const Peer& other = peer(rank);
    if (rank != request_.rank && (!other.has_card || other.channel->backlog_bytes() > 0)) {
      return ok_status();
    }
  }
  phase_ = Phase::meshed;
  return root_->send(MessageType::meshed, {});
}

void Joiner::suspect(Error error, TimePoint now) {
  if (suspicion_) return;
  suspicion_ = std::move(error);
  suspicion_ends_ = now + kSuspicion;
}

Status Joiner::check_time(TimePoint now) const {
  if (suspicion_ && now >= suspicion_ends_) return *suspicion_;
  if (now < deadline_ + kRootSlack) return ok_status();
  return make_error(Code::timeout, "the rendezvous did not answer until the join deadline");
}

void Joiner::tell_root(const Error& error) {
  if (root_->send(MessageType::refusal, encode_verdict({0, error}))) root_->shut_down();
}

JoinedPool Joiner::result() {
  JoinedPool pool;
  pool.instance = instance_;
  pool.cards = std::move(cards_);
  pool.early_frames = std::move(early_frames_);
  for (Peer& peer : peers_) pool.channels.push_back(std::move(peer.channel));
  return pool;
}

Error Joiner::root_lost(const std::string& how) const {
  const Rank culprit = request_.id.opened_by_rank_0() ? 0 : kNoRank;
  return make_error(Code::peer_failed, "lost the rendezvous while joining: " + how, culprit);
}

}  // namespace

Result<JoinedPool> join_pool(const JoinRequest& request) {
  JobCredentials job = UNIRACK_TRY(JobCredentials::from_key(request.id.key()));
  Poller poller = UNIRACK_TRY(Poller::create());
  return Joiner(request, std::move(job), std::move(poller)).run();
}

}  // namespace unirack
