// Frames on their way into a connection. Small payloads are copied beside their header, large ones
// are sent from where they lie; many frames go in one system call.
//
// Bounded. Owned by an endpoint and used by the thread that owns the transport.
#pragma once

#include <array>
#include <cstdint>
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

  TcpOutbox();

  bool has_room() const { return count_ < kFramesMax; }
  bool is_empty() const { return count_ == 0; }
  // Whether a frame waits whose token must: its payload was not copied, or it carries a signal.
  bool is_holding() const { return held_count_ > 0; }
  // Bytes that wait, headers included.
  uint64_t waiting_bytes() const { return waiting_bytes_; }

  // The payload (of header.bytes) is copied if it is small. Returns whether the token may complete
  // now; if not, send() will report it when the payload is no longer needed. `region` is the one a
  // reply reads from.
  bool add(const TcpHeader& header, const std::byte* payload, Token token, RegionId region = {});

  // At most about this many bytes. `closed` never comes back; `would_block` means that the socket
  // is full. Appends the tokens of frames that are sent.
  Result<IoState> send(int fd, uint64_t bytes_max, std::vector<Token>& sent);

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
    bool is_held = false;
    Token token = kNoToken;
    TcpHeader header;
    RegionId region;
  };

  Frame& at(size_t i) { return frames_[(first_ + i) % kFramesMax]; }
  size_t gather(std::span<iovec> parts, uint64_t bytes_max);
  void drop_sent(uint64_t bytes, std::vector<Token>& sent);

  std::vector<Frame> frames_;
  size_t first_ = 0;
  size_t count_ = 0;
  uint64_t first_sent_bytes_ = 0;  // of the first frame
  uint64_t waiting_bytes_ = 0;
  size_t held_count_ = 0;
};

}  // namespace unirack
