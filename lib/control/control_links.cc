// The connections of the control thread: what arrives, what is sent, and what it means that one is
// lost. Part of ControlThread.
#include <string>
#include <utility>

#include "lib/control/control_thread.h"

namespace unirack {

void ControlThread::handle(const PollEvent& event, TimePoint at) {
  if (event.token == Poller::kWakeToken) return;
  const auto peer = static_cast<Rank>(event.token);
  if (link(peer).channel && event.writable) update_interest(peer);
  if (link(peer).channel && (event.readable || event.hung_up)) receive(peer, at);
}

void ControlThread::receive(Rank peer, TimePoint at) {
  const auto open = link(peer).channel->receive(
      [&](MessageType type, BytesView payload) { return on_frame(peer, type, payload, at); });
  if (!open) return lose(peer, "was lost: " + open.error().detail, at);
  if (!*open) lose(peer, "closed its control connection without leaving", at);
}

Status ControlThread::on_frame(Rank peer, MessageType type, BytesView payload, TimePoint at) {
  detector_.heard(peer, at);
  switch (type) {
    case MessageType::heartbeat:
      detector_.heartbeat(peer, UNIRACK_TRY(decode_heartbeat(payload)), at);
      return ok_status();
    case MessageType::query:
      link(peer).query_seen = UNIRACK_TRY(decode_query(payload));
      look_at_self(at);
      send_heartbeat(peer);
      return ok_status();
    case MessageType::verdict:
      return on_verdict(peer, payload, at);
    case MessageType::goodbye:
      membership_.left(peer, UNIRACK_TRY(decode_goodbye(payload)));
      return ok_status();
    case MessageType::exchange: {
      const ExchangeMessage message = UNIRACK_TRY(decode_exchange(payload));
      return blobs_.heard(peer, message.index, message.blob);
    }
    case MessageType::ask:
      return on_ask(peer, payload);
    case MessageType::answer:
      return on_answer(peer, payload);
    default:
      return make_error(Code::corrupted, "it sent a message that does not belong here");
  }
}

Status ControlThread::on_verdict(Rank peer, BytesView payload, TimePoint at) {
  Verdict verdict = UNIRACK_TRY(decode_verdict(payload));
  if (verdict.error.culprit >= membership_.rank_count()) {
    return make_error(Code::corrupted, "it blamed a rank that does not exist");
  }
  membership_.heard(peer, std::move(verdict), at);
  return ok_status();
}

Status ControlThread::on_ask(Rank peer, BytesView payload) {
  const AskMessage message = UNIRACK_TRY(decode_ask(payload));
  send(peer, MessageType::answer, encode_answer(message.id, answer(peer, message.question)));
  return ok_status();
}

Status ControlThread::on_answer(Rank peer, BytesView payload) {
  AnswerMessage message = UNIRACK_TRY(decode_answer(payload));
  const auto found = questions_.find(message.id);
  // Answers to questions that were given up meanwhile still come.
  if (found == questions_.end() || found->second.peer != peer) return ok_status();
  const OnAnswer on_answer = std::move(found->second.on_answer);
  questions_.erase(found);
  if (message.error.code != Code::ok) {
    on_answer(std::move(message.error));
  } else {
    on_answer(Blob(message.answer.begin(), message.answer.end()));
  }
  return ok_status();
}

void ControlThread::lose(Rank peer, const std::string& how, TimePoint at) {
  Link& lost = link(peer);
  if (lost.channel) poller_.remove(lost.channel->fd());
  lost.channel.reset();
  const bool in_order = membership_.presence(peer) == Presence::left;
  if (!in_order) {
    membership_.lost(peer);
    if (!leaving_ && membership_.standing() == nullptr) detector_.connection_lost(peer, how, at);
  }
  fail_questions(
      make_error(Code::peer_failed,
                 "rank " + std::to_string(peer) + (in_order ? " has left the pool" : " was lost"),
                 peer),
      peer);
}

void ControlThread::send(Rank peer, MessageType type, const Payload& payload) {
  Link& target = link(peer);
  if (!target.channel || leaving_ || membership_.presence(peer) != Presence::present) return;
  // A broken connection shows when reading, where what it still holds is read first.
  (void)target.channel->send(type, payload);
  update_interest(peer);
}

void ControlThread::send_to_all(MessageType type, const Payload& payload) {
  for (Rank peer = 0; peer < membership_.rank_count(); ++peer) send(peer, type, payload);
}

void ControlThread::update_interest(Rank peer) {
  Link& target = link(peer);
  if (!target.channel) return;
  const bool flushed = static_cast<bool>(target.channel->flush());
  const bool more = flushed && target.channel->backlog_bytes() > 0;
  (void)poller_.modify(target.channel->fd(), more ? Interest::read_write : Interest::read,
                       static_cast<uint64_t>(peer));
  if (leaving_ && !more && !std::exchange(target.shut_down, true)) target.channel->shut_down();
}

void ControlThread::send_heartbeat(Rank peer) {
  HeartbeatMessage message;
  message.activity = self_.activity;
  message.entered = self_.entered;
  message.query_seen = link(peer).query_seen;
  send(peer, MessageType::heartbeat, encode_heartbeat(message));
}

}  // namespace unirack
