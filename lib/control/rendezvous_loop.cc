#include "lib/control/rendezvous_loop.h"

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include "lib/base/random.h"

namespace unirack {
namespace {

constexpr uint64_t kLeashToken = 0;
constexpr Duration kFarewell = milliseconds(1000);
constexpr size_t kEventsMax = 64;

}  // namespace

Result<std::unique_ptr<RendezvousLoop>> RendezvousLoop::create(const SecretKey& key,
                                                               const Config& config,
                                                               UniqueFd leash) {
  JobCredentials job = UNIRACK_TRY(JobCredentials::from_key(key));
  Poller poller = UNIRACK_TRY(Poller::create());
  uint64_t instance = 0;
  UNIRACK_TRY(fill_random(std::as_writable_bytes(std::span(&instance, 1))));
  UNIRACK_TRY(poller.add(leash.get(), Interest::read, kLeashToken));
  return std::make_unique<RendezvousLoop>(std::move(job), std::move(poller), instance,
                                          std::move(leash), config);
}

RendezvousLoop::RendezvousLoop(JobCredentials job, Poller poller, uint64_t instance, UniqueFd leash,
                               const Config& config)
    : job_(std::move(job)),
      poller_(std::move(poller)),
      instance_(instance),
      leash_(std::move(leash)),
      doorkeeper_(job_, kNoRank, poller_),
      bootstrap_(config.join_timeout),
      log_(config.log),
      log_limit_(10, std::chrono::seconds(1)) {}

void RendezvousLoop::run() {
  std::array<PollEvent, kEventsMax> events;
  while (!stopped_ && !(bootstrap_.finished() && clients_.empty())) {
    TimePoint wake_at = std::min(doorkeeper_.next_tick(), bootstrap_.next_tick());
    for (const auto& [token, client] : clients_) wake_at = std::min(wake_at, client.close_by);
    const auto count = poller_.wait(events, wake_at);
    if (!count) break;
    const TimePoint at = now();
    for (const PollEvent& event : std::span(events).first(*count)) handle(event, at);
    doorkeeper_.tick(at);
    admit(at);
    bootstrap_.tick(at);
    carry_out(at);
    close_overdue(at);
  }
  clients_.clear();
  doorkeeper_.close();
  leash_.reset();
}

void RendezvousLoop::handle(const PollEvent& event, TimePoint now) {
  if (event.token == kLeashToken) {
    stopped_ = true;  // the handle is gone
    return;
  }
  if (doorkeeper_.handle(event, now)) return;
  const auto found = clients_.find(event.token);
  if (found == clients_.end()) return;
  if (event.writable) flush(event.token, found->second);
  if (event.readable || event.hung_up) receive(event.token, now);
}

void RendezvousLoop::admit(TimePoint now) {
  for (auto& visitor : doorkeeper_.take_visitors()) {
    if (visitor.hello.role != Role::root) continue;
    const uint64_t token = next_token_++;
    auto channel = Channel::create(std::move(visitor.fd), visitor.session);
    if (!channel || !poller_.add(channel->fd(), Interest::read, token)) continue;
    clients_.emplace(token, Client{std::move(*channel), visitor.hello, visitor.address.to_string(),
                                   kNoDeadline, false});
  }
  for (auto& refused : doorkeeper_.take_refused()) {
    if (log_limit_.allow(now)) {
      log_.info(Subsystem::boot, "the rendezvous refused {}: {}", refused.address.to_string(),
                refused.error.detail);
    }
    if (refused.member && refused.error.code == Code::version_mismatch) {
      bootstrap_.version_refused(std::move(refused.error), now);
    } else {
      bootstrap_.stranger(refused.address.to_string() + " (" + refused.error.detail + ")");
    }
  }
}

void RendezvousLoop::receive(uint64_t token, TimePoint now) {
  Client& client = clients_.at(token);
  const auto open = client.channel.receive(
      [&](MessageType type, BytesView payload) { return on_message(token, type, payload, now); });
  if (open && *open) return;
  bootstrap_.lost(token);
  drop(token);
}

Status RendezvousLoop::on_message(uint64_t token, MessageType type, BytesView payload,
                                  TimePoint now) {
  Client& client = clients_.at(token);
  switch (type) {
    case MessageType::join: {
      JoinMessage join = UNIRACK_TRY(decode_join(payload));
      bootstrap_.arrived(
          token,
          {client.hello.rank, client.hello.rank_count, client.address + " (" + join.origin + ")",
           std::move(join.contact), milliseconds(join.remaining_ms)},
          now);
      return ok_status();
    }
    case MessageType::meshed:
      bootstrap_.meshed(token);
      return ok_status();
    case MessageType::refusal:
      bootstrap_.gave_up(token, UNIRACK_TRY(decode_verdict(payload)).error);
      return ok_status();
    default:
      return make_error(Code::corrupted, "unexpected message");
  }
}

void RendezvousLoop::carry_out(TimePoint now) {
  for (const auto& action : bootstrap_.take_actions()) {
    const auto found = clients_.find(action.client);
    if (found == clients_.end()) continue;
    Client& client = found->second;
    if (action.what == Bootstrap::Do::send_table) {
      send_table(client);
    } else if (action.what == Bootstrap::Do::send_go) {
      (void)client.channel.send(MessageType::go, {});
      client.close_by = now + kFarewell;
    } else {
      (void)client.channel.send(MessageType::refusal, encode_verdict({0, bootstrap_.failure()}));
      client.close_by = now + kFarewell;
    }
    flush(action.client, client);
  }
  // Members who have said nothing yet have nothing to hope for.
  if (!bootstrap_.finished()) return;
  for (auto& [token, client] : clients_)
    client.close_by = std::min(client.close_by, now + kFarewell);
}

void RendezvousLoop::send_table(Client& client) {
  for (const Payload& part : encode_table(instance_, bootstrap_.contacts())) {
    if (!client.channel.send(MessageType::table, part)) return;
  }
}

// A failure to write shows up as a failure to read, and is dealt with there.
void RendezvousLoop::flush(uint64_t token, Client& client) {
  if (!client.channel.flush()) return;
  const bool more = client.channel.backlog_bytes() > 0;
  (void)poller_.modify(client.channel.fd(), more ? Interest::read_write : Interest::read, token);
  if (!more && client.close_by != kNoDeadline && !std::exchange(client.shut_down, true)) {
    client.channel.shut_down();
  }
}

void RendezvousLoop::drop(uint64_t token) {
  const auto found = clients_.find(token);
  poller_.remove(found->second.channel.fd());
  clients_.erase(found);
}

void RendezvousLoop::close_overdue(TimePoint now) {
  std::vector<uint64_t> overdue;
  for (const auto& [token, client] : clients_) {
    if (client.close_by <= now) overdue.push_back(token);
  }
  for (const uint64_t token : overdue) drop(token);
}

}  // namespace unirack
