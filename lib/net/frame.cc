#include "lib/net/frame.h"

#include <fmt/format.h>

#include <algorithm>

#include "lib/base/crc32c.h"

namespace unirack {
namespace {

constexpr uint32_t kMagic = 0x4b524e55;  // "UNRK"
constexpr uint16_t kVersion = 1;
constexpr size_t kCrcBytes = sizeof(uint32_t);

// Moves what fits from the front of `input` into the unfilled part of `target`.
void fill(Bytes target, size_t& filled, BytesView& input) {
  const size_t part = std::min(target.size() - filled, input.size());
  if (part != 0) std::memcpy(target.data() + filled, input.data(), part);
  filled += part;
  input = input.subspan(part);
}

}  // namespace

FrameHeaderBytes encode_header(const FrameHeader& header) {
  FrameHeaderBytes bytes{};
  Writer writer{Bytes(bytes).subspan(kCrcBytes)};
  writer.put(kMagic);
  writer.put(kVersion);
  writer.put(header.type);
  writer.put(header.flags);
  writer.put(header.payload_bytes);
  writer.put(header.payload_crc);
  writer.put(header.sequence);
  writer.put_bytes(header.mac);
  store_little(bytes.data(), crc32c(BytesView(bytes).subspan(kCrcBytes)));
  return bytes;
}

Result<FrameHeader> decode_header(std::span<const std::byte, kFrameHeaderBytes> bytes) {
  Reader reader(bytes);
  const auto crc = UNIRACK_TRY(reader.take<uint32_t>());
  if (crc32c(reader.rest()) != crc) {
    return make_error(Code::corrupted, "frame header fails its checksum");
  }
  const auto magic = UNIRACK_TRY(reader.take<uint32_t>());
  if (magic != kMagic) return make_error(Code::corrupted, "not a frame of ours");
  const auto version = UNIRACK_TRY(reader.take<uint16_t>());
  if (version != kVersion) {
    return make_error(Code::version_mismatch,
                      fmt::format("frame of version {}, expected {}", version, kVersion));
  }
  FrameHeader header;
  header.type = UNIRACK_TRY(reader.take<uint16_t>());
  header.flags = UNIRACK_TRY(reader.take<uint32_t>());
  header.payload_bytes = UNIRACK_TRY(reader.take<uint32_t>());
  header.payload_crc = UNIRACK_TRY(reader.take<uint32_t>());
  header.sequence = UNIRACK_TRY(reader.take<uint64_t>());
  UNIRACK_TRY(reader.take_into(header.mac));
  const BytesView unused = reader.rest();
  if (std::any_of(unused.begin(), unused.end(), [](std::byte b) { return b != std::byte{}; })) {
    return make_error(Code::corrupted, "frame header has bytes where zeros belong");
  }
  return header;
}

Result<MacState> MacState::create(const SecretKey& key) {
  return MacState(UNIRACK_TRY(Hmac::create(key)));
}

Result<std::array<std::byte, kFrameMacBytes>> MacState::compute(FrameHeader header,
                                                                BytesView payload) {
  header.mac = {};
  const FrameHeaderBytes bytes = encode_header(header);
  const BytesView parts[] = {bytes, payload};
  const Digest digest = UNIRACK_TRY(hmac_.digest(parts));
  std::array<std::byte, kFrameMacBytes> mac{};
  std::copy_n(digest.begin(), mac.size(), mac.begin());
  return mac;
}

Status MacState::sign(FrameHeader& header, BytesView payload) {
  header.sequence = next_sequence_;
  header.mac = UNIRACK_TRY(compute(header, payload));
  ++next_sequence_;
  return ok_status();
}

Status MacState::verify(const Frame& frame) {
  const auto mac = UNIRACK_TRY(compute(frame.header, frame.payload));
  if (!equal_in_constant_time(mac, frame.header.mac)) {
    return make_error(Code::unauthenticated, "frame is not signed by the peer");
  }
  if (frame.header.sequence != next_sequence_) {
    return make_error(Code::unauthenticated, fmt::format("frame has sequence {}, expected {}",
                                                         frame.header.sequence, next_sequence_));
  }
  ++next_sequence_;
  return ok_status();
}

Status append_frame(std::vector<std::byte>& stream, MacState& mac, uint16_t type, uint32_t flags,
                    BytesView payload) {
  if (payload.size() > kFramePayloadBytesMax) {
    return make_error(Code::internal, fmt::format("control frame of {} bytes, at most {} allowed",
                                                  payload.size(), kFramePayloadBytesMax));
  }
  FrameHeader header;
  header.type = type;
  header.flags = flags;
  header.payload_bytes = static_cast<uint32_t>(payload.size());
  header.payload_crc = crc32c(payload);
  UNIRACK_TRY(mac.sign(header, payload));
  Writer writer(stream);
  writer.put_bytes(encode_header(header));
  writer.put_bytes(payload);
  return ok_status();
}

Result<std::optional<Frame>> FrameReader::feed(BytesView& input) {
  if (failure_) return *failure_;
  Result<std::optional<Frame>> result = step(input);
  if (!result) failure_ = result.error();
  return result;
}

Result<std::optional<Frame>> FrameReader::step(BytesView& input) {
  if (!header_) {
    fill(header_bytes_, header_filled_, input);
    if (header_filled_ < kFrameHeaderBytes) return std::optional<Frame>();
    const FrameHeader header = UNIRACK_TRY(decode_header(header_bytes_));
    if (header.payload_bytes > payload_bytes_max_) {
      return make_error(Code::corrupted, fmt::format("frame of {} bytes, at most {} allowed",
                                                     header.payload_bytes, payload_bytes_max_));
    }
    payload_.resize(header.payload_bytes);
    payload_filled_ = 0;
    header_ = header;
  }
  fill(payload_, payload_filled_, input);
  if (payload_filled_ < payload_.size()) return std::optional<Frame>();
  const Frame frame{*header_, payload_};
  header_.reset();
  header_filled_ = 0;
  if (crc32c(payload_) != frame.header.payload_crc) {
    return make_error(Code::corrupted, "frame payload fails its checksum");
  }
  return std::optional<Frame>(frame);
}

}  // namespace unirack
