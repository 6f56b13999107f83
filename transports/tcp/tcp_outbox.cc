#include "transports/tcp/tcp_outbox.h"

#include <algorithm>
#include <cstring>

namespace unirack {
namespace {

// What is sent in the place of memory that is no longer registered.
std::array<std::byte, kTcpSegmentBytes> zeros;

}  // namespace

TcpOutbox::TcpOutbox() : frames_(kFramesMax) {}

bool TcpOutbox::add(const TcpHeader& header, const std::byte* payload, Token token,
                    RegionId region) {
  Frame& frame = at(count_++);
  const TcpHeader::Wire wire = header.encode();
  std::memcpy(frame.head.data(), wire.data(), wire.size());
  frame.head_bytes = wire.size();
  frame.payload = nullptr;
  frame.payload_bytes = 0;
  // With a signal the token also says that nothing more is needed here for it to arrive.
  frame.is_held = header.signal_region != 0;
  frame.header = header;
  frame.region = region;
  const uint64_t bytes = header.has_payload() ? header.bytes : 0;
  if (bytes <= kInlineBytesMax) {
    if (bytes > 0) std::memcpy(frame.head.data() + wire.size(), payload, bytes);
    frame.head_bytes += bytes;
  } else {
    frame.payload = payload;
    frame.payload_bytes = bytes;
    frame.is_held = true;
  }
  waiting_bytes_ += frame.head_bytes + frame.payload_bytes;
  if (frame.is_held) ++held_count_;
  // A completion covers earlier copies: it waits while any of them does.
  const bool is_complete = held_count_ == 0;
  frame.token = is_complete ? kNoToken : token;
  return is_complete;
}

size_t TcpOutbox::gather(std::span<iovec> parts, uint64_t bytes_max) {
  size_t used = 0;
  uint64_t bytes = 0;
  uint64_t skip = first_sent_bytes_;
  for (size_t i = 0; i < count_ && used + 2 <= parts.size() && bytes < bytes_max; ++i) {
    Frame& frame = at(i);
    if (skip < frame.head_bytes) {
      parts[used++] = {frame.head.data() + skip, frame.head_bytes - skip};
      bytes += frame.head_bytes - skip;
      skip = 0;
    } else {
      skip -= frame.head_bytes;
    }
    if (frame.payload_bytes > 0) {
      parts[used++] = {const_cast<std::byte*>(frame.payload) + skip, frame.payload_bytes - skip};
      bytes += frame.payload_bytes - skip;
      skip = 0;
    }
  }
  return used;
}

Result<IoState> TcpOutbox::send(int fd, uint64_t bytes_max, std::vector<Token>& sent) {
  std::array<iovec, 2 * kFramesMax> parts;
  uint64_t moved = 0;
  while (count_ > 0 && moved < bytes_max) {
    const size_t used = gather(parts, bytes_max - moved);
    const Transfer transfer =
        UNIRACK_TRY(write_some(fd, std::span<const iovec>(parts).first(used)));
    if (transfer.state != IoState::moved) return transfer.state;
    moved += transfer.bytes;
    drop_sent(transfer.bytes, sent);
  }
  return IoState::moved;
}

void TcpOutbox::drop_sent(uint64_t bytes, std::vector<Token>& sent) {
  waiting_bytes_ -= bytes;
  first_sent_bytes_ += bytes;
  while (count_ > 0) {
    Frame& frame = at(0);
    const uint64_t frame_bytes = frame.head_bytes + frame.payload_bytes;
    if (first_sent_bytes_ < frame_bytes) return;
    first_sent_bytes_ -= frame_bytes;
    if (frame.is_held) --held_count_;
    if (frame.token != kNoToken) sent.push_back(frame.token);
    first_ = (first_ + 1) % kFramesMax;
    --count_;
  }
}

void TcpOutbox::retire(RegionId region) {
  std::vector<uint32_t> spoilt_tags;
  for (size_t i = 0; i < count_; ++i) {
    Frame& frame = at(i);
    if (frame.payload != nullptr && frame.region == region) {
      frame.payload = zeros.data();
      spoilt_tags.push_back(frame.header.tag);
    }
    const bool is_spoilt_end =
        frame.header.kind == TcpHeader::Kind::end &&
        std::ranges::find(spoilt_tags, frame.header.tag) != spoilt_tags.end();
    if (is_spoilt_end) {
      frame.header.code = Code::stale;
      const TcpHeader::Wire wire = frame.header.encode();
      std::memcpy(frame.head.data(), wire.data(), wire.size());
    }
  }
}

void TcpOutbox::abandon(std::vector<Token>& tokens) {
  for (size_t i = 0; i < count_; ++i) {
    if (at(i).token != kNoToken) tokens.push_back(at(i).token);
  }
  count_ = 0;
  waiting_bytes_ = 0;
  held_count_ = 0;
  first_sent_bytes_ = 0;
}

}  // namespace unirack
