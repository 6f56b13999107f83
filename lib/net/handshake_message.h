// The four messages of the handshake, each exactly 160 bytes, so that parsing needs no lengths and
// no memory. The last 32 bytes are the MAC; what is not named is zero and is checked to be. Pure
// codec.
//
// Common, little-endian: magic u32 | format u16 | kind u8 | zero u8, then
//   hello    proto_min u16 | proto_max u16 | role u8 | zero u8 | path u16 | job_id 16 |
//            rank i32 | rank_count i32 | instance u64 | nonce 32
//   answer   protocol u16 (0: none in common) | proto_min u16 | proto_max u16 | zero u16 | rank i32
//   |
//            zero u32 | nonce 32
//   proof    nothing
//   outcome  code u8 | has_mac u8 | proto_min u16 | proto_max u16
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "lib/base/bytes.h"
#include "lib/base/result.h"

namespace unirack {

inline constexpr size_t kHandshakeBytes = 160;
inline constexpr size_t kHandshakeMacBytes = 32;
inline constexpr size_t kHandshakeSignedBytes = kHandshakeBytes - kHandshakeMacBytes;
inline constexpr size_t kHandshakePrefixBytes = 8;
inline constexpr Rank kRankCountMax = 65'536;

using HandshakeMessage = std::array<std::byte, kHandshakeBytes>;
using HandshakeView = std::span<const std::byte, kHandshakeBytes>;
using Nonce = std::array<std::byte, 32>;
using JobId = std::array<std::byte, 16>;

enum class HandshakeKind : uint8_t { hello = 1, answer = 2, proof = 3, outcome = 4 };

// What a connection is for.
enum class Role : uint8_t { root = 1, control = 2, data = 3 };

struct ProtocolRange {
  uint16_t min = 1;
  uint16_t max = 1;
  bool operator==(const ProtocolRange&) const = default;
};

// What this build speaks.
inline constexpr ProtocolRange kProtocols{1, 1};

struct Hello {
  ProtocolRange protocols = kProtocols;
  Role role = Role::root;
  uint16_t path = 0;  // which of several connections to the same rank
  JobId job_id{};
  Rank rank = 0;
  int32_t rank_count = 1;  // as the caller believes; whether it is right is for the pool to say
  uint64_t instance = 0;   // which pool of the job; 0 before it is known
  Nonce nonce{};
};

struct Answer {
  uint16_t protocol = 0;
  ProtocolRange protocols = kProtocols;
  Rank rank = kNoRank;  // kNoRank: a rendezvous that is no rank
  Nonce nonce{};
};

// Ok, unauthenticated or version_mismatch. Without a MAC it cannot be trusted, only believed.
struct Outcome {
  Code code = Code::unauthenticated;
  bool has_mac = false;
  ProtocolRange protocols = kProtocols;
};

HandshakeMessage encode(const Hello& hello);
HandshakeMessage encode(const Answer& answer);
HandshakeMessage encode_proof();
HandshakeMessage encode(const Outcome& outcome);

// Looks at the first bytes only: refuses what does not speak this handshake.
Result<HandshakeKind> decode_kind(std::span<const std::byte, kHandshakePrefixBytes> prefix);
Result<Hello> decode_hello(HandshakeView message);
Result<Answer> decode_answer(HandshakeView message);
Status decode_proof(HandshakeView message);
Result<Outcome> decode_outcome(HandshakeView message);

}  // namespace unirack
