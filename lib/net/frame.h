// Control frames: a fixed 64-byte header and at most 64 KiB of payload. The header carries its own
// CRC32C, so its length is trusted before the payload arrives; the payload has another. On
// authenticated connections a MAC and a sequence number that only rises make a forged, altered,
// replayed or dropped frame an error. The codec and the reader are pure: bytes in, frames out, no
// sockets and no clock. Objects have one owner and are not thread-safe.
//
// Header, little-endian: header_crc u32 | magic u32 | version u16 | type u16 | flags u32 |
// payload_bytes u32 | payload_crc u32 | sequence u64 | mac 16 | zero 16.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "lib/base/bytes.h"
#include "lib/base/crypto.h"
#include "lib/base/result.h"

namespace unirack {

inline constexpr size_t kFrameHeaderBytes = 64;
inline constexpr size_t kFramePayloadBytesMax = size_t{64} << 10;
inline constexpr size_t kFrameMacBytes = 16;

struct FrameHeader {
  uint16_t type = 0;  // meaning belongs to the protocol above
  uint32_t flags = 0;
  uint32_t payload_bytes = 0;
  uint32_t payload_crc = 0;
  uint64_t sequence = 0;
  std::array<std::byte, kFrameMacBytes> mac{};
};

using FrameHeaderBytes = std::array<std::byte, kFrameHeaderBytes>;
FrameHeaderBytes encode_header(const FrameHeader& header);
Result<FrameHeader> decode_header(std::span<const std::byte, kFrameHeaderBytes> bytes);

struct Frame {
  FrameHeader header;
  BytesView payload;
};

// One direction of an authenticated connection; the two ends hold the same key. Sequence numbers
// count from 0.
class MacState {
 public:
  static Result<MacState> create(const SecretKey& key);

  // Gives the header the next sequence number and its MAC.
  Status sign(FrameHeader& header, BytesView payload);
  // Code::unauthenticated unless this is exactly the next frame the peer signed.
  Status verify(const Frame& frame);

 private:
  explicit MacState(Hmac hmac) : hmac_(std::move(hmac)) {}
  Result<std::array<std::byte, kFrameMacBytes>> compute(FrameHeader header, BytesView payload);

  Hmac hmac_;
  uint64_t next_sequence_ = 0;
};

// Appends a signed frame to `stream`.
Status append_frame(std::vector<std::byte>& stream, MacState& mac, uint16_t type, uint32_t flags,
                    BytesView payload);

// Cuts a byte stream into frames. Holds at most one frame, and room for its payload only once its
// header is known to be good. After an error the stream is out of step: every further call returns
// that error.
class FrameReader {
 public:
  explicit FrameReader(size_t payload_bytes_max = kFramePayloadBytesMax)
      : payload_bytes_max_(payload_bytes_max) {}

  // Takes bytes off the front of `input` until a frame is whole or the input is used up. The
  // frame's payload stays valid until the next call.
  Result<std::optional<Frame>> feed(BytesView& input);

 private:
  Result<std::optional<Frame>> step(BytesView& input);

  size_t payload_bytes_max_;
  FrameHeaderBytes header_bytes_{};
  size_t header_filled_ = 0;
  std::optional<FrameHeader> header_;
  std::vector<std::byte> payload_;
  size_t payload_filled_ = 0;
  std::optional<Error> failure_;
};

}  // namespace unirack
