// The first byte chooses a control message, the rest is its payload, as a peer might send it. What
// is accepted must come out the same when it is written again and read again.
#include <cstdint>

#include "lib/control/messages.h"
#include "lib/control/unique_id.h"

namespace unirack {
namespace {

void expect(bool truth) {
  if (!truth) __builtin_trap();
}

void heartbeat(BytesView bytes) {
  const auto message = decode_heartbeat(bytes);
  if (!message) return;
  const auto again = decode_heartbeat(encode_heartbeat(*message));
  expect(again && again->activity == message->activity && again->entered == message->entered);
}

void verdict(BytesView bytes) {
  const auto message = decode_verdict(bytes);
  if (!message) return;
  const auto again = decode_verdict(encode_verdict(*message));
  expect(again && again->sequence == message->sequence &&
         again->error.code == message->error.code &&
         again->error.culprit == message->error.culprit &&
         again->error.detail == message->error.detail);
}

void join(BytesView bytes) {
  const auto message = decode_join(bytes);
  if (!message) return;
  const auto again = decode_join(encode_join(*message));
  expect(again && again->origin == message->origin && again->contact == message->contact);
}

void table(BytesView bytes) {
  const auto message = decode_table(bytes);
  if (!message) return;
  expect(message->contacts.size() <= message->rank_count - message->first_rank);
}

void answer(BytesView bytes) {
  const auto message = decode_answer(bytes);
  expect(!message || message->answer.size() <= kBlobBytesMax);
}

void unique_id(BytesView bytes) {
  const auto id = UniqueId::parse(bytes);
  expect(!id || UniqueId::parse(id->serialise()));
}

void any(uint8_t kind, BytesView bytes) {
  switch (kind) {
    case 0:
      return heartbeat(bytes);
    case 1:
      return verdict(bytes);
    case 2:
      return join(bytes);
    case 3:
      return table(bytes);
    case 4:
      return answer(bytes);
    case 5:
      return unique_id(bytes);
    case 6:
      (void)decode_goodbye(bytes);
      (void)decode_query(bytes);
      return;
    case 7:
      (void)decode_exchange(bytes);
      return;
    default:
      (void)decode_ask(bytes);
      return;
  }
}

}  // namespace
}  // namespace unirack

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  unirack::any(data[0] % 9, std::as_bytes(std::span(data, size)).subspan(1));
  return 0;
}
