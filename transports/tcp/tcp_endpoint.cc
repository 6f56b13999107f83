#include "transports/tcp/tcp_endpoint.h"

#include <sys/socket.h>

#include <algorithm>
#include <atomic>
#include <string>

#include "transports/tcp/tcp_transport.h"

namespace unirack {
namespace {

constexpr size_t kOpsMax = 256;
constexpr size_t kAsksMax = 32;  // gets that wait for the peer
constexpr size_t kControlsMax = 16;
constexpr uint64_t kAckFrames = 16;                  // received between acknowledgements
constexpr uint64_t kBatchBytes = uint64_t{2} << 20;  // framed ahead of the socket

// How the kernel's queues, and through them a fabric's service levels, tell the classes apart: 4 is
// "interactive bulk", the highest that does not pass everybody else's traffic.
constexpr int priority_of(TrafficClass traffic_class) {
  switch (traffic_class) {
    case TrafficClass::collective:
      return 4;
  }
  return 0;
}

Error broke_rules(const char* what) {
  return make_error(Code::corrupted, std::string("the peer sent ") + what);
}

}  // namespace

TcpEndpoint::TcpEndpoint(TcpTransport& transport, uint64_t id, Rank peer, int path,
                         std::vector<TcpRail> peer_rails, TrafficClass traffic_class,
                         Token connect_token)
    : transport_(transport),
      id_(id),
      path_(path),
      peer_rails_(std::move(peer_rails)),
      traffic_class_(traffic_class),
      is_resumable_(peer_rails_.size() > 1 && transport.rails().size() > 1),
      state_(transport.completions(), peer, connect_token),
      outbox_(is_resumable_),
      puts_(kOpsMax),
      gets_(kOpsMax) {
  answers_.reserve(kAsksMax);
  transport_.add(this);
}

TcpEndpoint::~TcpEndpoint() {
  (void)close(TimePoint::min());
  transport_.remove(this);
}

void TcpEndpoint::attach(UniqueFd fd) {
  if (state_.is_over()) return;
  if (may_recover()) {
    drop_connection();
  } else {
    disconnect();
  }
  inbox_ = TcpInbox();
  silent_since_.reset();
  fd_ = std::move(fd);
  // Without it the connection works all the same.
  (void)set_priority(fd_.get(), priority_of(traffic_class_));
  leave_bbr(fd_.get());
  if (Status status = transport_.watch(fd_.get(), id_); !status) {
    fail(std::move(status).error());
    return;
  }
  add_aside(TcpHeader::Kind::open);
  flush(kBatchBytes);
}

void TcpEndpoint::hang_up() {
  if (fd_) transport_.unwatch(fd_.get());
  fd_.reset();
  is_blocked_ = false;
}

void TcpEndpoint::disconnect() {
  hang_up();
  recover_by_ = kNoDeadline;
  controls_.clear();
  outbox_.abandon(sent_);
  complete_sent();
}

void TcpEndpoint::complete_sent() {
  for (const Token token : sent_) state_.complete(token);
  sent_.clear();
}

void TcpEndpoint::fail(Error reason) {
  if (reason.culprit == kNoRank) reason.culprit = state_.peer();
  state_.fail(std::move(reason));
  disconnect();
  end_all();
}

// Before it was ready the answering side waits for the peer to dial again.
void TcpEndpoint::lose_connection(Error reason) {
  if (may_recover() && reason.code != Code::corrupted) {
    recover(std::move(reason));
  } else if (state_.is_connecting() && transport_.is_answering(state_.peer())) {
    disconnect();
  } else {
    fail(std::move(reason));
  }
}

Result<Remote> TcpEndpoint::import(BytesView descriptor) {
  if (!state_.is_ready()) return make_error(Code::unavailable, "the endpoint is not connected");
  const RegionDescriptor region =
      UNIRACK_TRY(RegionDescriptor::decode(descriptor, TcpTransport::kDescriptorKind));
  return transport_.imports(state_.peer()).add(region, nullptr);
}

size_t TcpEndpoint::put(std::span<const Copy> copies, const Signal* signal, Token token) {
  if (state_.is_over()) return state_.reject(copies, token);
  if (!state_.is_ready()) return 0;
  const size_t accepted = puts_.accept(Direction::put, copies, signal, token);
  fill();
  return accepted;
}

size_t TcpEndpoint::get(std::span<const Copy> copies, Token token) {
  if (state_.is_over()) return state_.reject(copies, token);
  if (!state_.is_ready()) return 0;
  const size_t accepted = gets_.accept(Direction::get, copies, nullptr, token);
  fill();
  return accepted;
}

// ---- outbound --------------------------------------------------------------------------------

bool TcpEndpoint::has_work() const {
  if (!fd_ || is_blocked_) return false;
  if (outbox_.can_send()) return true;
  if (!outbox_.has_room() || outbox_.is_paused()) return false;
  if (state_.is_over()) return !controls_.empty();
  return !controls_.empty() || !puts_.empty() || !answers_.empty() ||
         (gets_asked_ < gets_.size() && gets_asked_ < kAsksMax);
}

void TcpEndpoint::on_writable() {
  if (!std::exchange(is_blocked_, false) || !fd_) return;
  transport_.watch_readable(fd_.get(), id_);
}

void TcpEndpoint::flush(uint64_t bytes_max) {
  while (has_work() && bytes_max > 0) {
    fill();
    const uint64_t before = outbox_.waiting_bytes();
    if (before == 0) return;
    const auto sent = outbox_.send(fd_.get(), bytes_max, sent_);
    bytes_max -= std::min(bytes_max, before - outbox_.waiting_bytes());
    complete_sent();
    if (is_ending_ && !outbox_.is_holding()) end_all();
    if (!sent) return lose_connection(sent.error());
    if (*sent == IoState::would_block) {
      is_blocked_ = true;
      transport_.watch_writable(fd_.get(), id_);
    }
  }
}

void TcpEndpoint::fill() {
  bool has_framed = true;
  // What is copied should still be in the cache when the kernel takes it.
  const uint64_t batch_bytes = is_resumable_ ? 4 * kTcpKeptSegmentBytes : kBatchBytes;
  while (has_framed && outbox_.waiting_bytes() < batch_bytes && outbox_.has_room()) {
    if (!controls_.empty()) {
      outbox_.add(controls_.front(), nullptr, kNoToken);
      controls_.erase(controls_.begin());
      continue;
    }
    if (state_.is_over()) return;
    // In turn, so that none keeps the others waiting.
    has_framed = frame_put();
    if (outbox_.has_room()) has_framed |= frame_get();
    if (outbox_.has_room()) has_framed |= frame_answer();
  }
}

void TcpEndpoint::queue_control(TcpHeader::Kind kind, Code code, uint32_t tag) {
  TcpHeader header;
  header.kind = kind;
  header.code = code;
  header.tag = tag;
  if (controls_.size() < kControlsMax) controls_.push_back(header);
}

bool TcpEndpoint::frame_put() {
  if (puts_.empty()) return false;
  QueuedCopy& op = puts_.front();
  const ImportTable& imports = transport_.imports(state_.peer());
  auto entry = imports.check(op.copy.remote, op.copy.offset, op.copy.bytes, Access::write);
  if (!entry) {
    // Its token covers earlier puts, whose sources are still in use.
    if (outbox_.is_holding()) return false;
    state_.note_refused(std::move(entry).error());
    skip_signal_ = !op.signal.has_value();
    state_.complete(op.token);
    puts_.pop();
    return true;
  }
  TcpHeader header;
  header.kind = TcpHeader::Kind::put;
  header.region = (*entry)->region.id.packed();
  header.offset = op.copy.offset + op.done_bytes;
  header.bytes = std::min(op.copy.bytes - op.done_bytes, outbox_.segment_bytes());
  const std::byte* const source = op.copy.local + op.done_bytes;
  op.done_bytes += header.bytes;
  const bool is_last = op.done_bytes == op.copy.bytes;
  if (is_last && op.signal && !std::exchange(skip_signal_, false)) {
    if (auto signalled = imports.check(*op.signal)) {
      header.signal_region = (*signalled)->region.id.packed();
      header.signal_offset = op.signal->offset;
      header.signal_value = op.signal->value;
    } else {
      state_.note_refused(std::move(signalled).error());
    }
  }
  if (outbox_.add(header, source, is_last ? op.token : kNoToken) && is_last) {
    state_.complete(op.token);
  }
  if (is_last) puts_.pop();
  return true;
}

bool TcpEndpoint::frame_get() {
  if (gets_asked_ == gets_.size() || gets_asked_ == kAsksMax) return false;
  QueuedCopy& op = gets_[gets_asked_];
  auto entry = transport_.imports(state_.peer())
                   .check(op.copy.remote, op.copy.offset, op.copy.bytes, Access::read);
  if (entry) {
    TcpHeader header;
    header.kind = TcpHeader::Kind::ask;
    header.region = (*entry)->region.id.packed();
    header.offset = op.copy.offset;
    header.bytes = op.copy.bytes;
    header.tag = first_tag_ + static_cast<uint32_t>(gets_asked_);
    outbox_.add(header, nullptr, kNoToken);
  } else {
    state_.note_refused(std::move(entry).error());
    op.is_done = true;
  }
  ++gets_asked_;
  finish_gets();
  return true;
}

bool TcpEndpoint::frame_answer() {
  if (answers_.empty()) return false;
  Answer& answer = answers_.front();
  TcpHeader header;
  header.tag = answer.tag;
  const auto source =
      transport_.regions().check(answer.region, answer.offset, answer.bytes, Access::read);
  if (!source || answer.bytes == 0) {
    header.kind = TcpHeader::Kind::end;
    header.code = source.code();
    outbox_.add(header, nullptr, kNoToken);
    answers_.erase(answers_.begin());
    return true;
  }
  header.kind = TcpHeader::Kind::reply;
  header.bytes = std::min(answer.bytes, outbox_.segment_bytes());
  outbox_.add(header, *source, kNoToken, answer.region);
  answer.offset += header.bytes;
  answer.bytes -= header.bytes;
  return true;
}

// ---- inbound ---------------------------------------------------------------------------------

void TcpEndpoint::on_readable(uint64_t bytes_max) {
  if (!fd_) return;
  const auto received = inbox_.receive(fd_.get(), bytes_max, *this);
  if (!received) return lose_connection(received.error());
  if (*received == IoState::closed) {
    lose_connection(make_error(Code::peer_failed,
                               "rank " + std::to_string(state_.peer()) + " closed its connection",
                               state_.peer()));
  } else if (unanswered_count_ >= kAckFrames && !outbox_.has_aside()) {
    add_aside(TcpHeader::Kind::ack);
  }
}

std::byte* TcpEndpoint::payload_target(const TcpHeader& header, uint64_t at) {
  if (header.kind == TcpHeader::Kind::reply) {
    QueuedCopy* const op = find_get(header.tag);
    if (op == nullptr || header.bytes > op->copy.bytes - op->done_bytes) return nullptr;
    return op->copy.local + op->done_bytes + at;
  }
  if (header.offset + at < header.offset) {
    inbound_refusal_ = Code::invalid_argument;
    return nullptr;
  }
  const auto target = transport_.regions().check(
      RegionId::unpack(header.region), header.offset + at, header.bytes - at, Access::write);
  if (target) return *target;
  inbound_refusal_ = target.code();
  return nullptr;
}

Status TcpEndpoint::on_frame(const TcpHeader& header, bool is_whole) {
  count_received(header);
  switch (header.kind) {
    case TcpHeader::Kind::open:
      return on_open(header);
    case TcpHeader::Kind::ack:
      return on_ack(header);
    case TcpHeader::Kind::lost:
      transport_.on_peer_lost(state_.peer(), header.tag);
      return ok_status();
    case TcpHeader::Kind::put:
      on_put(header, is_whole);
      return ok_status();
    case TcpHeader::Kind::ask:
      return on_ask(header);
    case TcpHeader::Kind::reply:
      return on_reply(header, is_whole);
    case TcpHeader::Kind::end:
      return on_end(header);
    case TcpHeader::Kind::refused:
      state_.note_refused(
          make_error(header.code, "the owner of the region refused a put", state_.peer()));
      return ok_status();
    case TcpHeader::Kind::bye:
      on_bye();
      return ok_status();
    case TcpHeader::Kind::bye_ok:
      is_bye_confirmed_ = true;
      return ok_status();
  }
  return broke_rules("a frame of an unknown kind");
}

void TcpEndpoint::on_put(const TcpHeader& header, bool is_whole) {
  if (!is_whole) {
    skip_inbound_signal_ = true;
    tell_refused(inbound_refusal_);
  }
  if (header.signal_region == 0 || std::exchange(skip_inbound_signal_, false)) return;
  if (const Status status = deliver(header); !status) tell_refused(status.code());
}

// One word at a time is enough: the sender reports only the first anyway.
void TcpEndpoint::tell_refused(Code code) {
  const bool is_told = std::ranges::any_of(
      controls_, [](const TcpHeader& header) { return header.kind == TcpHeader::Kind::refused; });
  if (!is_told) queue_control(TcpHeader::Kind::refused, code);
}

Status TcpEndpoint::deliver(const TcpHeader& header) {
  std::byte* const word = UNIRACK_TRY(
      transport_.regions().check(RegionId::unpack(header.signal_region), header.signal_offset,
                                 sizeof(uint64_t), Access::write));
  if (reinterpret_cast<uintptr_t>(word) % sizeof(uint64_t) != 0) {
    return make_error(Code::invalid_argument, "a signal for a word that is not aligned");
  }
  std::atomic_ref<uint64_t>(*reinterpret_cast<uint64_t*>(word))
      .store(header.signal_value, std::memory_order_release);
  return ok_status();
}

Status TcpEndpoint::on_ask(const TcpHeader& header) {
  if (answers_.size() == kAsksMax) return broke_rules("more requests than allowed");
  answers_.push_back({header.tag, RegionId::unpack(header.region), header.offset, header.bytes});
  return ok_status();
}

QueuedCopy* TcpEndpoint::find_get(uint32_t tag) {
  const uint32_t place = tag - first_tag_;
  if (place >= gets_asked_ || gets_[place].is_done) return nullptr;
  return &gets_[place];
}

Status TcpEndpoint::on_reply(const TcpHeader& header, bool is_whole) {
  QueuedCopy* const op = find_get(header.tag);
  // What was asked for before the endpoint closed is of no interest any more.
  if (state_.is_over()) return ok_status();
  if (op == nullptr || !is_whole) return broke_rules("bytes that nobody asked for");
  op->done_bytes += header.bytes;
  return ok_status();
}

Status TcpEndpoint::on_end(const TcpHeader& header) {
  QueuedCopy* const op = find_get(header.tag);
  if (state_.is_over()) return ok_status();
  if (op == nullptr) return broke_rules("the end of what nobody asked for");
  if (header.code != Code::ok) {
    state_.note_refused(
        make_error(header.code, "the owner of the region refused a get", state_.peer()));
  } else if (op->done_bytes < op->copy.bytes) {
    return broke_rules("fewer bytes than were asked for");
  }
  op->is_done = true;
  finish_gets();
  return ok_status();
}

void TcpEndpoint::finish_gets() {
  while (gets_asked_ > 0 && gets_.front().is_done) {
    const Token token = gets_.front().token;
    gets_.pop();
    --gets_asked_;
    ++first_tag_;
    state_.complete(token);
  }
}

// ---- the end ---------------------------------------------------------------------------------

// The connection stays until our side has said that all is dealt with.
void TcpEndpoint::on_bye() {
  queue_control(TcpHeader::Kind::bye_ok);
  if (is_closing_) return;
  state_.fail(make_error(Code::peer_failed,
                         "rank " + std::to_string(state_.peer()) + " closed its endpoint",
                         state_.peer()));
  // The tokens of puts that are partly on their way say when their source is free.
  is_ending_ = true;
  if (!outbox_.is_holding()) end_all();
}

void TcpEndpoint::end_all() {
  is_ending_ = false;
  for (; !puts_.empty(); puts_.pop()) state_.complete(puts_.front().token);
  for (; !gets_.empty(); gets_.pop()) state_.complete(gets_.front().token);
  gets_asked_ = 0;
  answers_.clear();
}

bool TcpEndpoint::is_flushed() const {
  return puts_.empty() && gets_.empty() && outbox_.is_empty() && controls_.empty();
}

Status TcpEndpoint::close(Deadline deadline) {
  if (std::exchange(is_closed_, true)) return ok_status();
  is_closing_ = true;
  const auto may_wait = [&] {
    return (fd_ || is_recovering()) && state_.is_ready() && !expired(deadline);
  };
  while (may_wait() && !is_flushed()) transport_.wait_a_little();
  if (may_wait()) queue_control(TcpHeader::Kind::bye);
  while (may_wait() && !is_bye_confirmed_) transport_.wait_a_little();
  // Nothing of ours can land once the peer has confirmed, or has gone.
  const bool is_complete = (!fd_ && !is_recovering()) || is_bye_confirmed_ || state_.is_over();
  const bool is_cut_off = fd_ && state_.is_ready() && !is_bye_confirmed_;
  if (fd_ && !is_cut_off) flush(kBatchBytes);
  state_.close();
  if (is_cut_off) {
    // What the kernel still holds is thrown away, not delivered.
    const linger at_once{1, 0};
    ::setsockopt(fd_.get(), SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
  }
  disconnect();
  end_all();
  if (is_complete) return ok_status();
  return make_error(Code::timeout, "the endpoint was closed before the peer had everything");
}

}  // namespace unirack
