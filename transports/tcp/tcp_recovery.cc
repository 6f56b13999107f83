// How a path outlives its connection: who notices, who dials, and what goes again. Part of
// TcpEndpoint.
//
// Numbered frames are counted by both ends and kept by the sender until the receiver has dealt with
// them. Over a new connection each end first says how many it has dealt with (`open`); the other
// forgets those and sends the rest again. A frame that arrived in part is received again from its
// start: the same bytes to the same place, before any signal that stands behind them.
//
// The lower rank dials. If the higher one notices first, it says so over another path of the pair.
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <string>
#include <utility>

#include "transports/tcp/tcp_endpoint.h"
#include "transports/tcp/tcp_transport.h"

namespace unirack {
namespace {

// How long a peer's kernel may leave repeated segments without an answer; the first repetition
// comes after 200 ms or more.
constexpr milliseconds kSilence{250};
// For a new connection. Whoever closed the old one either dials at once or is gone; nobody may have
// noticed a silent one yet.
constexpr milliseconds kRecoveryFromSilence{8000};
constexpr milliseconds kRecoveryFromClose{2500};
// New connections that the peer closes before it says what it has: it knows this path no more.
constexpr int kRefusalsMax = 3;

// A peer that is alive but does not read acknowledges probes of its full window, so it counts as
// answering.
bool is_repeating(int fd) {
  tcp_info info{};
  socklen_t size = sizeof(info);
  if (::getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) != 0) return false;
  return (info.tcpi_unacked > 0 && info.tcpi_retransmits > 0) || info.tcpi_probes > 1;
}

}  // namespace

bool TcpEndpoint::may_recover() const {
  return is_resumable_ && state_.is_ready() && !is_ending_ && !is_bye_confirmed_;
}

void TcpEndpoint::drop_connection() {
  hang_up();
  outbox_.rewind();
}

void TcpEndpoint::recover(Error reason) {
  const bool is_at_it = is_recovering() && !fd_;
  if (!may_recover() || is_at_it) return;
  drop_connection();
  if (!is_recovering()) {
    const bool is_silent = reason.code == Code::timeout;
    reason.code = Code::peer_failed;
    lost_by_ = std::move(reason);
    recover_by_ = deadline_in(is_silent ? kRecoveryFromSilence : kRecoveryFromClose);
    refusal_count_ = 0;
  } else if (++refusal_count_ == kRefusalsMax) {
    return give_up(lost_by_);
  }
  if (transport_.is_answering(state_.peer())) {
    transport_.ask_to_redial(state_.peer(), path_);
  } else {
    transport_.redial(*this);
  }
}

void TcpEndpoint::give_up(Error reason) {
  fail(is_recovering() ? Error(lost_by_) : std::move(reason));
}

bool TcpEndpoint::tell_lost(int path) {
  if (!may_recover() || is_recovering() || path == path_) return false;
  queue_control(TcpHeader::Kind::lost, Code::ok, static_cast<uint32_t>(path));
  return true;
}

void TcpEndpoint::check_rail(TimePoint at) {
  if (!may_recover()) return;
  if (is_recovering() && at >= recover_by_) return give_up(lost_by_);
  if (!fd_ || !is_repeating(fd_.get())) return silent_since_.reset();
  if (!silent_since_) silent_since_ = at;
  if (at - *silent_since_ >= kSilence) {
    recover(make_error(Code::timeout,
                       "rank " + std::to_string(state_.peer()) + " does not answer over tcp path " +
                           std::to_string(path_),
                       state_.peer()));
  }
}

void TcpEndpoint::add_aside(TcpHeader::Kind kind) {
  TcpHeader header;
  header.kind = kind;
  header.offset = received_count_;
  unanswered_count_ = 0;
  outbox_.add_aside(header);
}

void TcpEndpoint::count_received(const TcpHeader& header) {
  if (!is_resumable_ || !header.is_numbered()) return;
  ++received_count_;
  ++unanswered_count_;
}

Status TcpEndpoint::on_open(const TcpHeader& header) {
  if (is_resumable_ && !outbox_.acknowledge(header.offset, sent_)) {
    return make_error(Code::corrupted, "the peer has dealt with frames that were never sent");
  }
  outbox_.resume();
  complete_sent();
  recover_by_ = kNoDeadline;
  if (state_.is_connecting()) state_.set_ready();
  return ok_status();
}

Status TcpEndpoint::on_ack(const TcpHeader& header) {
  if (!is_resumable_ || !outbox_.acknowledge(header.offset, sent_)) {
    return make_error(Code::corrupted, "the peer acknowledged frames that were never sent");
  }
  complete_sent();
  return ok_status();
}

}  // namespace unirack
