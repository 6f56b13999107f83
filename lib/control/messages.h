// The payloads of control frames, and the only code that reads or writes their bytes.
//
// Between a joining rank and the rendezvous: join, table, meshed, go, refusal. Between ranks: card,
// heartbeat, query, verdict, goodbye, exchange, ask, answer. Decoders bound every length, refuse
// what is left over, and allocate no more than the frame they are given. Pure functions, callable
// from any thread.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "lib/base/bytes.h"
#include "lib/control/activity.h"

namespace unirack {

// Frame types; the numbers are on the wire.
enum class MessageType : uint16_t {
  join = 1,
  table = 2,
  meshed = 3,
  go = 4,
  refusal = 5,
  card = 16,
  heartbeat = 17,
  query = 18,
  verdict = 19,
  goodbye = 20,
  exchange = 21,
  ask = 22,
  answer = 23,
};

inline constexpr int kRanksMax = 65'536;
inline constexpr size_t kCardBytesMax = size_t{16} << 10;
inline constexpr size_t kBlobBytesMax = size_t{32} << 10;   // exchange, ask and answer
inline constexpr size_t kContactBytesMax = 256;             // where a rank's control listener is
inline constexpr size_t kOriginBytesMax = 128;              // "host pid 123"
inline constexpr size_t kDetailBytesMax = 2048;             // an error's text; cut when longer
inline constexpr size_t kTableBytesMax = size_t{48} << 10;  // a longer table travels in parts

// A rank's first words to the rendezvous, after the handshake has said which rank of how many.
struct JoinMessage {
  uint32_t remaining_ms = 0;  // how long it is ready to wait
  std::string origin;
  std::vector<std::byte> contact;
};

// Contacts of the ranks from `first_rank` on. `instance` names the pool.
struct TableMessage {
  uint64_t instance = 0;
  uint32_t rank_count = 0;
  uint32_t first_rank = 0;
  std::vector<std::vector<std::byte>> contacts;
};

struct HeartbeatMessage {
  Activity activity;
  std::vector<Entered> entered;  // at most kEnteredMax, oldest first
  uint32_t query_seen = 0;       // the last query received from the rank this goes to
};

struct ExchangeMessage {
  uint64_t index = 0;
  BytesView blob;  // into the frame
};

struct AskMessage {
  uint64_t id = 0;
  BytesView question;  // into the frame
};

struct AnswerMessage {
  uint64_t id = 0;
  Error error;       // code ok: `answer` holds
  BytesView answer;  // into the frame
};

using Payload = std::vector<std::byte>;

Payload encode_join(const JoinMessage& message);
Result<JoinMessage> decode_join(BytesView bytes);

// As many parts as it takes.
std::vector<Payload> encode_table(uint64_t instance,
                                  const std::vector<std::vector<std::byte>>& contacts);
Result<TableMessage> decode_table(BytesView bytes);

Payload encode_heartbeat(const HeartbeatMessage& message);
Result<HeartbeatMessage> decode_heartbeat(BytesView bytes);

Payload encode_query(uint32_t number);
Result<uint32_t> decode_query(BytesView bytes);

// A refusal of the rendezvous is a verdict too, at sequence 0.
Payload encode_verdict(const Verdict& verdict);
Result<Verdict> decode_verdict(BytesView bytes);

Payload encode_goodbye(uint64_t last_sequence);
Result<uint64_t> decode_goodbye(BytesView bytes);

Payload encode_exchange(uint64_t index, BytesView blob);
Result<ExchangeMessage> decode_exchange(BytesView bytes);

Payload encode_ask(uint64_t id, BytesView question);
Result<AskMessage> decode_ask(BytesView bytes);

Payload encode_answer(uint64_t id, const Result<std::vector<std::byte>>& answer);
Result<AnswerMessage> decode_answer(BytesView bytes);

}  // namespace unirack
