#include "lib/control/messages.h"

#include <algorithm>

namespace unirack {
namespace {

constexpr auto kLastCode = static_cast<uint8_t>(Code::internal);

void put_short(Writer& writer, BytesView bytes, size_t bytes_max) {
  const BytesView kept = bytes.first(std::min(bytes.size(), bytes_max));
  writer.put(static_cast<uint16_t>(kept.size()));
  writer.put_bytes(kept);
}

Result<BytesView> take_short(Reader& reader, size_t bytes_max) {
  const auto length = UNIRACK_TRY(reader.take<uint16_t>());
  if (length > bytes_max) {
    return make_error(Code::corrupted, "expected a field of at most " + std::to_string(bytes_max) +
                                           " bytes, found " + std::to_string(length));
  }
  return reader.take_bytes(length);
}

Result<Rank> take_rank(Reader& reader) {
  const auto rank = UNIRACK_TRY(reader.take<int32_t>());
  if (rank < kNoRank || rank >= kRanksMax) {
    return make_error(Code::corrupted, "expected a rank, found " + std::to_string(rank));
  }
  return rank;
}

void put_error(Writer& writer, const Error& error) {
  writer.put(static_cast<uint8_t>(error.code));
  writer.put(error.culprit);
  writer.put(static_cast<int32_t>(error.sys_errno));
  put_short(writer, bytes_of(error.detail), kDetailBytesMax);
}

Status take_error(Reader& reader, Error& error) {
  const auto code = UNIRACK_TRY(reader.take<uint8_t>());
  if (code > kLastCode) {
    return make_error(Code::corrupted, "expected an error code, found " + std::to_string(code));
  }
  error.code = static_cast<Code>(code);
  error.culprit = UNIRACK_TRY(take_rank(reader));
  error.sys_errno = UNIRACK_TRY(reader.take<int32_t>());
  error.detail = text_of(UNIRACK_TRY(take_short(reader, kDetailBytesMax)));
  return ok_status();
}

Result<BytesView> take_blob(Reader& reader) {
  const BytesView blob = reader.rest();
  if (blob.size() > kBlobBytesMax) {
    return make_error(Code::corrupted, "expected at most " + std::to_string(kBlobBytesMax) +
                                           " bytes, found " + std::to_string(blob.size()));
  }
  return blob;
}

std::vector<std::byte> to_vector(BytesView bytes) { return {bytes.begin(), bytes.end()}; }

}  // namespace

Payload encode_join(const JoinMessage& message) {
  Payload payload;
  Writer writer(payload);
  writer.put(message.remaining_ms);
  put_short(writer, bytes_of(message.origin), kOriginBytesMax);
  put_short(writer, message.contact, kContactBytesMax);
  return payload;
}

Result<JoinMessage> decode_join(BytesView bytes) {
  Reader reader(bytes);
  JoinMessage message;
  message.remaining_ms = UNIRACK_TRY(reader.take<uint32_t>());
  message.origin = text_of(UNIRACK_TRY(take_short(reader, kOriginBytesMax)));
  message.contact = to_vector(UNIRACK_TRY(take_short(reader, kContactBytesMax)));
  UNIRACK_TRY(reader.expect_end());
  return message;
}

std::vector<Payload> encode_table(uint64_t instance,
                                  const std::vector<std::vector<std::byte>>& contacts) {
  std::vector<Payload> parts;
  for (size_t first = 0; first < contacts.size();) {
    size_t end = first;
    size_t part_bytes = 0;
    while (end < contacts.size() && part_bytes < kTableBytesMax) {
      part_bytes += sizeof(uint16_t) + contacts[end++].size();
    }
    Writer writer(parts.emplace_back());
    writer.put(instance);
    writer.put(static_cast<uint32_t>(contacts.size()));
    writer.put(static_cast<uint32_t>(first));
    writer.put(static_cast<uint32_t>(end - first));
    for (; first < end; ++first) put_short(writer, contacts[first], kContactBytesMax);
  }
  return parts;
}

Result<TableMessage> decode_table(BytesView bytes) {
  Reader reader(bytes);
  TableMessage message;
  message.instance = UNIRACK_TRY(reader.take<uint64_t>());
  message.rank_count = UNIRACK_TRY(reader.take<uint32_t>());
  message.first_rank = UNIRACK_TRY(reader.take<uint32_t>());
  const auto count = UNIRACK_TRY(reader.take<uint32_t>());
  if (message.rank_count > kRanksMax || message.first_rank > message.rank_count ||
      count > message.rank_count - message.first_rank) {
    return make_error(Code::corrupted,
                      "expected contacts of a pool's ranks, found ranks beyond it");
  }
  for (uint32_t i = 0; i < count; ++i) {
    message.contacts.push_back(to_vector(UNIRACK_TRY(take_short(reader, kContactBytesMax))));
  }
  UNIRACK_TRY(reader.expect_end());
  return message;
}

Payload encode_heartbeat(const HeartbeatMessage& message) {
  Payload payload;
  Writer writer(payload);
  writer.put(message.query_seen);
  writer.put(message.activity.sequence);
  writer.put(message.activity.request);
  writer.put(message.activity.count);
  writer.put(message.activity.step);
  writer.put(message.activity.waiting_for);
  writer.put(static_cast<uint8_t>(message.activity.busy ? 1 : 0));
  const size_t count = std::min(message.entered.size(), kEnteredMax);
  writer.put(static_cast<uint8_t>(count));
  for (size_t i = message.entered.size() - count; i < message.entered.size(); ++i) {
    writer.put(message.entered[i].sequence);
    writer.put(message.entered[i].request);
    writer.put(message.entered[i].count);
  }
  return payload;
}

Result<HeartbeatMessage> decode_heartbeat(BytesView bytes) {
  Reader reader(bytes);
  HeartbeatMessage message;
  message.query_seen = UNIRACK_TRY(reader.take<uint32_t>());
  message.activity.sequence = UNIRACK_TRY(reader.take<uint64_t>());
  message.activity.request = UNIRACK_TRY(reader.take<uint64_t>());
  message.activity.count = UNIRACK_TRY(reader.take<uint64_t>());
  message.activity.step = UNIRACK_TRY(reader.take<uint32_t>());
  message.activity.waiting_for = UNIRACK_TRY(take_rank(reader));
  message.activity.busy = UNIRACK_TRY(reader.take<uint8_t>()) != 0;
  const auto count = UNIRACK_TRY(reader.take<uint8_t>());
  if (count > kEnteredMax) {
    return make_error(Code::corrupted, "expected at most " + std::to_string(kEnteredMax) +
                                           " operations, found " + std::to_string(count));
  }
  message.entered.resize(count);
  for (Entered& entered : message.entered) {
    entered.sequence = UNIRACK_TRY(reader.take<uint64_t>());
    entered.request = UNIRACK_TRY(reader.take<uint64_t>());
    entered.count = UNIRACK_TRY(reader.take<uint64_t>());
  }
  UNIRACK_TRY(reader.expect_end());
  return message;
}

Payload encode_query(uint32_t number) {
  Payload payload;
  Writer(payload).put(number);
  return payload;
}

Result<uint32_t> decode_query(BytesView bytes) {
  Reader reader(bytes);
  const auto number = UNIRACK_TRY(reader.take<uint32_t>());
  UNIRACK_TRY(reader.expect_end());
  return number;
}

Payload encode_verdict(const Verdict& verdict) {
  Payload payload;
  Writer writer(payload);
  writer.put(verdict.sequence);
  put_error(writer, verdict.error);
  return payload;
}

Result<Verdict> decode_verdict(BytesView bytes) {
  Reader reader(bytes);
  Verdict verdict;
  verdict.sequence = UNIRACK_TRY(reader.take<uint64_t>());
  UNIRACK_TRY(take_error(reader, verdict.error));
  UNIRACK_TRY(reader.expect_end());
  if (verdict.error.code == Code::ok) {
    return make_error(Code::corrupted, "expected a verdict, found ok");
  }
  return verdict;
}

Payload encode_goodbye(uint64_t last_sequence) {
  Payload payload;
  Writer(payload).put(last_sequence);
  return payload;
}

Result<uint64_t> decode_goodbye(BytesView bytes) {
  Reader reader(bytes);
  const auto last_sequence = UNIRACK_TRY(reader.take<uint64_t>());
  UNIRACK_TRY(reader.expect_end());
  return last_sequence;
}

Payload encode_exchange(uint64_t index, BytesView blob) {
  Payload payload;
  Writer writer(payload);
  writer.put(index);
  writer.put_bytes(blob);
  return payload;
}

Result<ExchangeMessage> decode_exchange(BytesView bytes) {
  Reader reader(bytes);
  ExchangeMessage message;
  message.index = UNIRACK_TRY(reader.take<uint64_t>());
  message.blob = UNIRACK_TRY(take_blob(reader));
  return message;
}

Payload encode_ask(uint64_t id, BytesView question) {
  Payload payload;
  Writer writer(payload);
  writer.put(id);
  writer.put_bytes(question);
  return payload;
}

Result<AskMessage> decode_ask(BytesView bytes) {
  Reader reader(bytes);
  AskMessage message;
  message.id = UNIRACK_TRY(reader.take<uint64_t>());
  message.question = UNIRACK_TRY(take_blob(reader));
  return message;
}

Payload encode_answer(uint64_t id, const Result<std::vector<std::byte>>& answer) {
  Payload payload;
  Writer writer(payload);
  writer.put(id);
  put_error(writer, answer ? make_error(Code::ok, "") : answer.error());
  if (answer) writer.put_bytes(*answer);
  return payload;
}

Result<AnswerMessage> decode_answer(BytesView bytes) {
  Reader reader(bytes);
  AnswerMessage message;
  message.id = UNIRACK_TRY(reader.take<uint64_t>());
  UNIRACK_TRY(take_error(reader, message.error));
  message.answer = UNIRACK_TRY(take_blob(reader));
  return message;
}

}  // namespace unirack
