#include "lib/net/handshake_message.h"

#include <fmt/format.h>

#include <algorithm>

namespace unirack {
namespace {

constexpr uint32_t kMagic = 0x48524e55;  // "UNRH"
constexpr uint16_t kFormat = 1;

Error malformed(const char* what) {
  return make_error(Code::corrupted, fmt::format("malformed handshake: {}", what));
}

Writer begin(HandshakeMessage& message, HandshakeKind kind) {
  Writer writer{Bytes(message).first(kHandshakeSignedBytes)};
  writer.put(kMagic);
  writer.put(kFormat);
  writer.put(static_cast<uint8_t>(kind));
  writer.put(uint8_t{0});
  return writer;
}

void put_range(Writer& writer, ProtocolRange range) {
  writer.put(range.min);
  writer.put(range.max);
}

Result<Reader> open(HandshakeView message, HandshakeKind expected) {
  const HandshakeKind kind = UNIRACK_TRY(decode_kind(message.first<kHandshakePrefixBytes>()));
  if (kind != expected) return malformed("unexpected kind");
  return Reader(
      message.subspan(kHandshakePrefixBytes, kHandshakeSignedBytes - kHandshakePrefixBytes));
}

Result<ProtocolRange> take_range(Reader& reader) {
  ProtocolRange range;
  range.min = UNIRACK_TRY(reader.take<uint16_t>());
  range.max = UNIRACK_TRY(reader.take<uint16_t>());
  if (range.min == 0 || range.min > range.max) return malformed("protocol range");
  return range;
}

Status expect_zeros(BytesView bytes) {
  const bool zeros =
      std::all_of(bytes.begin(), bytes.end(), [](std::byte b) { return b == std::byte{}; });
  return zeros ? ok_status() : Status(malformed("bytes where zeros belong"));
}

Status expect_zeros(Reader& reader, size_t byte_count) {
  return expect_zeros(UNIRACK_TRY(reader.take_bytes(byte_count)));
}

}  // namespace

HandshakeMessage encode(const Hello& hello) {
  HandshakeMessage message{};
  Writer writer = begin(message, HandshakeKind::hello);
  put_range(writer, hello.protocols);
  writer.put(static_cast<uint8_t>(hello.role));
  writer.put(uint8_t{0});
  writer.put(hello.path);
  writer.put_bytes(hello.job_id);
  writer.put(hello.rank);
  writer.put(hello.rank_count);
  writer.put(hello.instance);
  writer.put_bytes(hello.nonce);
  return message;
}

HandshakeMessage encode(const Answer& answer) {
  HandshakeMessage message{};
  Writer writer = begin(message, HandshakeKind::answer);
  writer.put(answer.protocol);
  put_range(writer, answer.protocols);
  writer.put(uint16_t{0});
  writer.put(answer.rank);
  writer.put(uint32_t{0});
  writer.put_bytes(answer.nonce);
  return message;
}

HandshakeMessage encode_proof() {
  HandshakeMessage message{};
  (void)begin(message, HandshakeKind::proof);
  return message;
}

HandshakeMessage encode(const Outcome& outcome) {
  HandshakeMessage message{};
  Writer writer = begin(message, HandshakeKind::outcome);
  writer.put(static_cast<uint8_t>(outcome.code));
  writer.put(static_cast<uint8_t>(outcome.has_mac ? 1 : 0));
  put_range(writer, outcome.protocols);
  return message;
}

Result<HandshakeKind> decode_kind(std::span<const std::byte, kHandshakePrefixBytes> prefix) {
  Reader reader(prefix);
  const auto magic = UNIRACK_TRY(reader.take<uint32_t>());
  if (magic != kMagic) return malformed("not unirack");
  const auto format = UNIRACK_TRY(reader.take<uint16_t>());
  if (format != kFormat) {
    return make_error(Code::version_mismatch,
                      fmt::format("handshake of format {}, expected {}", format, kFormat));
  }
  const auto kind = UNIRACK_TRY(reader.take<uint8_t>());
  const auto zero = UNIRACK_TRY(reader.take<uint8_t>());
  if (zero != 0 || kind < static_cast<uint8_t>(HandshakeKind::hello) ||
      kind > static_cast<uint8_t>(HandshakeKind::outcome)) {
    return malformed("unknown kind");
  }
  return static_cast<HandshakeKind>(kind);
}

Result<Hello> decode_hello(HandshakeView message) {
  Reader reader = UNIRACK_TRY(open(message, HandshakeKind::hello));
  Hello hello;
  hello.protocols = UNIRACK_TRY(take_range(reader));
  const auto role = UNIRACK_TRY(reader.take<uint8_t>());
  UNIRACK_TRY(expect_zeros(reader, 1));
  hello.role = static_cast<Role>(role);
  hello.path = UNIRACK_TRY(reader.take<uint16_t>());
  UNIRACK_TRY(reader.take_into(hello.job_id));
  hello.rank = UNIRACK_TRY(reader.take<int32_t>());
  hello.rank_count = UNIRACK_TRY(reader.take<int32_t>());
  hello.instance = UNIRACK_TRY(reader.take<uint64_t>());
  UNIRACK_TRY(reader.take_into(hello.nonce));
  UNIRACK_TRY(expect_zeros(reader.rest()));
  UNIRACK_TRY(expect_zeros(message.last<kHandshakeMacBytes>()));
  if (hello.role < Role::root || hello.role > Role::data) return malformed("unknown role");
  if (hello.rank < 0 || hello.rank >= kRankCountMax) return malformed("rank out of range");
  if (hello.rank_count < 1 || hello.rank_count > kRankCountMax) {
    return malformed("rank count out of range");
  }
  return hello;
}

Result<Answer> decode_answer(HandshakeView message) {
  Reader reader = UNIRACK_TRY(open(message, HandshakeKind::answer));
  Answer answer;
  answer.protocol = UNIRACK_TRY(reader.take<uint16_t>());
  answer.protocols = UNIRACK_TRY(take_range(reader));
  UNIRACK_TRY(expect_zeros(reader, sizeof(uint16_t)));
  answer.rank = UNIRACK_TRY(reader.take<int32_t>());
  UNIRACK_TRY(expect_zeros(reader, sizeof(uint32_t)));
  UNIRACK_TRY(reader.take_into(answer.nonce));
  UNIRACK_TRY(expect_zeros(reader.rest()));
  if (answer.rank < kNoRank || answer.rank >= kRankCountMax) return malformed("rank out of range");
  return answer;
}

Status decode_proof(HandshakeView message) {
  const Reader reader = UNIRACK_TRY(open(message, HandshakeKind::proof));
  return expect_zeros(reader.rest());
}

Result<Outcome> decode_outcome(HandshakeView message) {
  Reader reader = UNIRACK_TRY(open(message, HandshakeKind::outcome));
  Outcome outcome;
  const auto code = UNIRACK_TRY(reader.take<uint8_t>());
  const auto has_mac = UNIRACK_TRY(reader.take<uint8_t>());
  outcome.protocols = UNIRACK_TRY(take_range(reader));
  UNIRACK_TRY(expect_zeros(reader.rest()));
  outcome.code = static_cast<Code>(code);
  outcome.has_mac = has_mac == 1;
  const bool known = outcome.code == Code::ok || outcome.code == Code::unauthenticated ||
                     outcome.code == Code::version_mismatch;
  if (!known || has_mac > 1) return malformed("unknown outcome");
  return outcome;
}

}  // namespace unirack
