#include "transports/shm/shm_exchange.h"

#include <algorithm>
#include <atomic>
#include <cstring>

namespace unirack {
namespace {

Error corrupted(const char* what) {
  return make_error(Code::corrupted, std::string("the peer sent ") + what);
}

ShmRecord make_record(ShmRecord::Kind kind, uint32_t path, RegionId region, uint64_t offset) {
  ShmRecord record;
  record.kind = kind;
  record.path = path;
  record.region = region.packed();
  record.offset = offset;
  return record;
}

}  // namespace

ShmExchange::ShmExchange(SharedMemory pair, uint32_t ring_bytes, size_t side, RegionTable& regions)
    : memory_(std::move(pair)),
      pair_(reinterpret_cast<ShmPair*>(memory_.data())),
      side_(side),
      regions_(regions) {
  std::byte* const rings = memory_.data() + sizeof(ShmPair);
  out_ = ShmRingWriter(&pair_->directions[side].ring, rings + side * ring_bytes, ring_bytes);
  in_ =
      ShmRingReader(&pair_->directions[1 - side].ring, rings + (1 - side) * ring_bytes, ring_bytes);
  asks_.reserve(kAsksMax);
  answers_.reserve(kAsksMax);
}

uint64_t ShmExchange::put(uint32_t path, RegionId region, uint64_t offset, const std::byte* source,
                          uint64_t bytes) {
  ShmRecord record = make_record(ShmRecord::Kind::put, path, region, offset);
  record.payload_bytes = static_cast<uint32_t>(std::min<uint64_t>(bytes, out_.payload_bytes_max()));
  std::byte* const payload = out_.reserve(record.payload_bytes);
  if (payload == nullptr) return 0;
  std::memcpy(payload, source, record.payload_bytes);
  out_.commit(record);
  drain_position_ = out_.position();
  return record.payload_bytes;
}

bool ShmExchange::signal(uint32_t path, RegionId region, uint64_t offset, uint64_t value) {
  ShmRecord record = make_record(ShmRecord::Kind::signal, path, region, offset);
  record.value = value;
  if (!out_.push(record)) return false;
  drain_position_ = out_.position();
  return true;
}

bool ShmExchange::ask(ShmReplySink* sink, uint64_t get, RegionId region, uint64_t offset,
                      uint64_t bytes) {
  if (asks_.size() == kAsksMax) return false;
  ShmRecord record = make_record(ShmRecord::Kind::ask, 0, region, offset);
  record.value = bytes;
  record.tag = next_tag_;
  if (!out_.push(record)) return false;
  asks_.push_back({next_tag_++, sink, get});
  return true;
}

void ShmExchange::forget(const ShmReplySink* sink) {
  for (Ask& ask : asks_) {
    if (ask.sink == sink) ask.sink = nullptr;
  }
}

bool ShmExchange::note_drained() {
  seen_drained_ = out_.read_position();
  return seen_drained_ >= drain_position_;
}

Result<bool> ShmExchange::serve(uint64_t bytes_max) {
  bool has_moved = false;
  uint64_t bytes_left = bytes_max;
  while (!in_.is_empty() && bytes_left > 0) {
    ShmRecord record;
    const std::byte* const payload = UNIRACK_TRY(in_.front(record));
    if (payload == nullptr) break;
    if (pair_->directions[1 - side_].is_revoked.load(std::memory_order_acquire) == 0) {
      UNIRACK_TRY(take_in(record, payload));
    }
    in_.pop(record);
    bytes_left -= std::min<uint64_t>(bytes_left, record.payload_bytes + sizeof(record));
    has_moved = true;
  }
  bytes_left = bytes_max;
  while (!answers_.empty() && bytes_left > 0 && answer_front(bytes_left)) has_moved = true;
  return has_moved;
}

Status ShmExchange::take_in(const ShmRecord& record, const std::byte* payload) {
  if (record.path >= kShmPathsMax) return corrupted("a record of an unknown path");
  switch (record.kind) {
    case ShmRecord::Kind::put:
      take_put(record, payload);
      return ok_status();
    case ShmRecord::Kind::signal:
      take_signal(record);
      return ok_status();
    case ShmRecord::Kind::ask:
      return take_ask(record);
    case ShmRecord::Kind::reply:
    case ShmRecord::Kind::end:
      return take_reply(record, payload);
    case ShmRecord::Kind::skip:
      break;
  }
  return corrupted("a record of an unknown kind");
}

void ShmExchange::take_put(const ShmRecord& record, const std::byte* payload) {
  const auto target = regions_.check(RegionId::unpack(record.region), record.offset,
                                     record.payload_bytes, Access::write);
  if (target) {
    std::memcpy(*target, payload, record.payload_bytes);
  } else {
    refused_paths_ |= uint64_t{1} << record.path;
  }
}

void ShmExchange::take_signal(const ShmRecord& record) {
  const uint64_t path_bit = uint64_t{1} << record.path;
  if ((refused_paths_ & path_bit) != 0) {
    refused_paths_ &= ~path_bit;
    return;
  }
  const auto word = regions_.check(RegionId::unpack(record.region), record.offset, sizeof(uint64_t),
                                   Access::write);
  if (!word || reinterpret_cast<uintptr_t>(*word) % sizeof(uint64_t) != 0) return;
  std::atomic_ref<uint64_t>(*reinterpret_cast<uint64_t*>(*word))
      .store(record.value, std::memory_order_release);
}

Status ShmExchange::take_ask(const ShmRecord& record) {
  if (answers_.size() == kAsksMax) return corrupted("more requests than allowed");
  answers_.push_back({record.tag, RegionId::unpack(record.region), record.offset, record.value});
  return ok_status();
}

Status ShmExchange::take_reply(const ShmRecord& record, const std::byte* payload) {
  const auto ask = std::ranges::find(asks_, record.tag, &Ask::tag);
  if (ask == asks_.end()) return corrupted("a reply that nobody asked for");
  ShmReplySink* const sink = ask->sink;
  if (record.kind == ShmRecord::Kind::reply) {
    if (sink == nullptr) return ok_status();
    std::byte* const target = sink->reply_target(ask->get, record.payload_bytes);
    if (target == nullptr) return corrupted("more bytes than were asked for");
    std::memcpy(target, payload, record.payload_bytes);
    return ok_status();
  }
  const uint64_t get = ask->get;
  asks_.erase(ask);
  if (sink == nullptr) return ok_status();
  if (record.value == 0) {
    sink->reply_end(get, ok_status());
  } else {
    const bool is_known = record.value <= static_cast<uint64_t>(Code::internal);
    sink->reply_end(get, make_error(is_known ? static_cast<Code>(record.value) : Code::corrupted,
                                    "the owner of the region refused to send it"));
  }
  return ok_status();
}

// Whether it got any further; false when the ring is full.
bool ShmExchange::answer_front(uint64_t& bytes_left) {
  Answer& answer = answers_.front();
  const auto source = regions_.check(answer.region, answer.offset, answer.bytes, Access::read);
  if (!source) return end_front(source.code());
  if (answer.bytes == 0) return end_front(Code::ok);
  ShmRecord record;
  record.kind = ShmRecord::Kind::reply;
  record.tag = answer.tag;
  record.payload_bytes =
      static_cast<uint32_t>(std::min<uint64_t>(answer.bytes, out_.payload_bytes_max()));
  std::byte* const payload = out_.reserve(record.payload_bytes);
  if (payload == nullptr) return false;
  std::memcpy(payload, *source, record.payload_bytes);
  out_.commit(record);
  answer.offset += record.payload_bytes;
  answer.bytes -= record.payload_bytes;
  bytes_left -= std::min<uint64_t>(bytes_left, record.payload_bytes);
  return true;
}

bool ShmExchange::end_front(Code code) {
  ShmRecord record;
  record.kind = ShmRecord::Kind::end;
  record.tag = answers_.front().tag;
  record.value = static_cast<uint64_t>(code);
  if (!out_.push(record)) return false;
  answers_.erase(answers_.begin());
  return true;
}

}  // namespace unirack
