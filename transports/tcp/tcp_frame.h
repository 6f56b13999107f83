// The header of everything that travels on a data connection: 64 bytes, little-endian, with a
// CRC32C of its own, so that a length is believed only if it arrived whole. Payload follows some
// kinds. Regions are names, never addresses. Pure codec.
//
//   magic u32 | kind u8 | code u8 | zero u16 | region u64 | offset u64 | bytes u64 |
//   signal_region u64 | signal_offset u64 | signal_value u64 | tag u32 | crc32c u32
#pragma once

#include <array>
#include <cstdint>

#include "lib/base/bytes.h"
#include "lib/base/result.h"

namespace unirack {

struct TcpHeader {
  enum class Kind : uint8_t {
    open = 1,     // the sender has an endpoint here, and has dealt with `offset` numbered frames
    put = 2,      // payload for (region, offset), then a signal if signal_region is not 0
    ask = 3,      // please send `bytes` of (region, offset) under `tag`
    reply = 4,    // payload, the next of what was asked under `tag`
    end = 5,      // of what was asked under `tag`, with `code`
    refused = 6,  // an earlier put, with `code`
    bye = 7,      // the last frame of this direction, but for bye_ok
    bye_ok = 8,   // all before the bye has been dealt with
    ack = 9,      // the sender has dealt with `offset` numbered frames
    lost = 10,    // path `tag` of this pair gets no answer: dial it again
  };

  static constexpr size_t kWireBytes = 64;
  using Wire = std::array<std::byte, kWireBytes>;

  Kind kind = Kind::open;
  Code code = Code::ok;
  uint64_t region = 0;
  uint64_t offset = 0;
  uint64_t bytes = 0;
  uint64_t signal_region = 0;
  uint64_t signal_offset = 0;
  uint64_t signal_value = 0;
  uint32_t tag = 0;

  bool has_payload() const { return kind == Kind::put || kind == Kind::reply; }
  // What is sent again over another rail if the connection is lost before the peer has it.
  bool is_numbered() const { return kind != Kind::open && kind != Kind::ack; }
  Wire encode() const;
  static Result<TcpHeader> decode(BytesView wire);
};

// A put or a reply is cut into frames of at most this many bytes, so that a large one does not keep
// others waiting.
inline constexpr uint64_t kTcpSegmentBytes = uint64_t{1} << 20;
// The same where frames are kept until the peer has them.
inline constexpr uint64_t kTcpKeptSegmentBytes = uint64_t{64} << 10;

}  // namespace unirack
