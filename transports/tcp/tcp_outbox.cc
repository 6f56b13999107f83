#include "transports/tcp/tcp_outbox.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace unirack {
namespace {

// What is sent in the place of memory that is no longer registered.
std::array<std::byte, kTcpSegmentBytes> zeros;

}  // namespace

TcpOutbox::TcpOutbox(bool keeps_frames) : keeps_frames_(keeps_frames), frames_(kFramesMax) {}

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
    if (keeps_frames_) {
      keep(frame);
    } else {
      frame.is_held = true;
    }
  }
  waiting_bytes_ += frame.bytes();
  if (frame.is_held) ++held_count_;
  // A completion covers earlier copies: it waits while any of them does.
  const bool is_complete = held_count_ == 0;
  frame.token = is_complete ? kNoToken : token;
  return is_complete;
}

void TcpOutbox::keep(Frame& frame) {
  if (spare_.empty()) {
    spare_.push_back(std::make_unique_for_overwrite<std::byte[]>(kTcpKeptSegmentBytes));
  }
  frame.kept = std::move(spare_.back());
  spare_.pop_back();
  std::memcpy(frame.kept.get(), frame.payload, frame.payload_bytes);
  frame.payload = frame.kept.get();
  frame.region = {};
}

void TcpOutbox::add_aside(const TcpHeader& header) {
  const TcpHeader::Wire wire = header.encode();
  aside_.insert(aside_.end(), wire.begin(), wire.end());
  waiting_bytes_ += wire.size();
}

// The frame that is partly sent, then what stands aside, then the others.
size_t TcpOutbox::gather(std::span<iovec> parts, uint64_t bytes_max) {
  size_t used = 0;
  uint64_t bytes = 0;
  uint64_t skip = current_sent_bytes_;
  const auto add_part = [&](const std::byte* data, uint64_t size) {
    const uint64_t skipped = std::min(skip, size);
    skip -= skipped;
    if (skipped == size) return;
    parts[used++] = {const_cast<std::byte*>(data) + skipped, size - skipped};
    bytes += size - skipped;
  };
  const auto add_frame = [&](const Frame& frame) {
    add_part(frame.head.data(), frame.head_bytes);
    add_part(frame.payload, frame.payload_bytes);
  };
  size_t next = sent_count_;
  if (skip > 0) add_frame(at(next++));
  add_part(aside_.data() + aside_sent_bytes_, aside_.size() - aside_sent_bytes_);
  if (is_paused_) return used;
  for (; next < count_ && used + 2 <= parts.size() && bytes < bytes_max; ++next) {
    add_frame(at(next));
  }
  return used;
}

Result<IoState> TcpOutbox::send(int fd, uint64_t bytes_max, std::vector<Token>& sent) {
  std::array<iovec, 2 * kFramesMax + 1> parts;
  uint64_t moved = 0;
  while (can_send() && moved < bytes_max) {
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
  if (current_sent_bytes_ > 0) bytes = advance_frame(bytes, sent);
  if (bytes > 0 && !aside_.empty()) {
    const uint64_t moved = std::min<uint64_t>(bytes, aside_.size() - aside_sent_bytes_);
    bytes -= moved;
    aside_sent_bytes_ += moved;
    if (aside_sent_bytes_ == aside_.size()) {
      aside_.clear();
      aside_sent_bytes_ = 0;
    }
  }
  while (bytes > 0) bytes = advance_frame(bytes, sent);
}

// How many of the bytes belong to what follows the current frame.
uint64_t TcpOutbox::advance_frame(uint64_t bytes, std::vector<Token>& sent) {
  Frame& frame = at(sent_count_);
  const uint64_t moved = std::min(bytes, frame.bytes() - current_sent_bytes_);
  current_sent_bytes_ += moved;
  if (current_sent_bytes_ < frame.bytes()) return 0;
  current_sent_bytes_ = 0;
  release(frame, sent);
  if (keeps_frames_) {
    ++sent_count_;
  } else {
    pop();
  }
  return bytes - moved;
}

void TcpOutbox::release(Frame& frame, std::vector<Token>& sent) {
  if (std::exchange(frame.is_held, false)) --held_count_;
  if (frame.token != kNoToken) sent.push_back(std::exchange(frame.token, kNoToken));
}

void TcpOutbox::pop() {
  Frame& frame = at(0);
  if (frame.kept != nullptr) spare_.push_back(std::move(frame.kept));
  first_ = (first_ + 1) % kFramesMax;
  --count_;
  ++popped_count_;
}

void TcpOutbox::rewind() {
  pause();
  sent_count_ = 0;
  current_sent_bytes_ = 0;
  aside_.clear();
  aside_sent_bytes_ = 0;
  waiting_bytes_ = 0;
  for (size_t i = 0; i < count_; ++i) waiting_bytes_ += at(i).bytes();
}

bool TcpOutbox::acknowledge(uint64_t received, std::vector<Token>& sent) {
  // Over a new connection the peer may know frames that are about to be sent again.
  if (received > popped_count_ + (is_paused_ ? count_ : sent_count_)) return false;
  while (popped_count_ < received) {
    Frame& frame = at(0);
    if (sent_count_ > 0) {
      --sent_count_;
    } else {
      // Of an earlier connection.
      waiting_bytes_ -= frame.bytes();
      release(frame, sent);
    }
    pop();
  }
  return true;
}

void TcpOutbox::retire(RegionId region) {
  std::vector<uint32_t> spoilt_tags;
  for (size_t i = 0; i < count_; ++i) {
    Frame& frame = at(i);
    if (frame.payload != nullptr && frame.kept == nullptr && frame.region == region) {
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
    Frame& frame = at(i);
    if (frame.token != kNoToken) tokens.push_back(std::exchange(frame.token, kNoToken));
    frame.kept.reset();
  }
  count_ = 0;
  sent_count_ = 0;
  waiting_bytes_ = 0;
  held_count_ = 0;
  current_sent_bytes_ = 0;
  aside_.clear();
  aside_sent_bytes_ = 0;
}

}  // namespace unirack
