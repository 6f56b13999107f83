// Frames on their way into a connection. Small payloads are copied beside their header, large ones
// are sent from where they lie; many frames go in one system call.
//
// Where the peer can be reached over another rail the outbox keeps a copy of every numbered frame
// until the peer has dealt with it, so that a new connection can go on where the old one broke:
// rewind(), then acknowledge() what the peer says it has. A frame thus takes effect exactly once.
//
// Bounded. Owned by an endpoint and used by the thread that owns the transport.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <vector>

#include "lib/memory/region_table.h"
#include "lib/net/socket.h"
#include "transports/tcp/tcp_frame.h"
#include "transports/transport.h"

namespace unirack {

class TcpOutbox {
 public:
  static constexpr size_t kFramesMax = 64;
  static constexpr size_t kInlineBytesMax = 960;

  explicit TcpOutbox(bool keeps_frames);

  bool has_room() const { return count_ < kFramesMax; }
  // Nothing waits to be sent.
  bool is_empty() const { return sent_count_ == count_ && aside_.empty(); }
  // Whether something waits that may go now.
  bool can_send() const { return !aside_.empty() || (!is_paused_ && sent_count_ < count_); }
  // Whether a frame waits whose token must: its payload was not copied, or it carries a signal.
  bool is_holding() const { return held_count_ > 0; }
  // Bytes of frames that wait to be sent, headers included.
  uint64_t waiting_bytes() const { return waiting_bytes_; }
  bool has_aside() const { return !aside_.empty(); }
  // The most bytes of payload that a frame may carry.
  uint64_t segment_bytes() const { return keeps_frames_ ? kTcpKeptSegmentBytes : kTcpSegmentBytes; }

  // The payload (of header.bytes) is copied if it is small or kept. Returns whether the token may
  // complete now; if not, send() will report it when the payload is no longer needed. `region` is
  // the one a reply reads from.
  bool add(const TcpHeader& header, const std::byte* payload, Token token, RegionId region = {});
  // A frame without number or payload: goes before the next one, and never again.
  void add_aside(const TcpHeader& header);

  // At most about this many bytes. `closed` never comes back; `would_block` means that the socket
  // is full. Appends the tokens of frames that are sent.
  Result<IoState> send(int fd, uint64_t bytes_max, std::vector<Token>& sent);

  // The connection is gone: what is kept goes again over the next one, once resume() is called.
  void rewind();
  // The peer has dealt with this many numbered frames in all; false if there were not so many.
  bool acknowledge(uint64_t received, std::vector<Token>& sent);
  bool is_paused() const { return is_paused_; }
  void pause() { is_paused_ = true; }
  void resume() { is_paused_ = false; }

  // Replies must no longer read from this region: zeros are sent instead, and their end says
  // `stale`.
  void retire(RegionId region);
  // The tokens of all frames that are left; they are forgotten.
  void abandon(std::vector<Token>& tokens);

 private:
  struct Frame {
    std::array<std::byte, TcpHeader::kWireBytes + kInlineBytesMax> head;
    size_t head_bytes = 0;
    const std::byte* payload = nullptr;  // null when it is in `head`
    uint64_t payload_bytes = 0;
    std::unique_ptr<std::byte[]> kept;  // the copy that `payload` names
    bool is_held = false;
    Token token = kNoToken;
    TcpHeader header;
    RegionId region;

    uint64_t bytes() const { return head_bytes + payload_bytes; }
  };

  Frame& at(size_t i) { return frames_[(first_ + i) % kFramesMax]; }
  void keep(Frame& frame);
  void release(Frame& frame, std::vector<Token>& sent);
  void pop();
  size_t gather(std::span<iovec> parts, uint64_t bytes_max);
  void drop_sent(uint64_t bytes, std::vector<Token>& sent);
  uint64_t advance_frame(uint64_t bytes, std::vector<Token>& sent);

  bool keeps_frames_;
  bool is_paused_ = false;
  std::vector<Frame> frames_;
  size_t first_ = 0;
  size_t count_ = 0;
  size_t sent_count_ = 0;            // the oldest of them, which are only kept
  uint64_t popped_count_ = 0;        // that the peer has dealt with
  uint64_t current_sent_bytes_ = 0;  // of the frame after those
  uint64_t waiting_bytes_ = 0;
  size_t held_count_ = 0;
  std::vector<std::byte> aside_;
  size_t aside_sent_bytes_ = 0;
  std::vector<std::unique_ptr<std::byte[]>> spare_;  // for copies
};

}  // namespace unirack
