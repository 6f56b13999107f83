// Reads frames from a connection. Headers and small payloads come through a staging buffer, large
// payloads are received where they belong. Where that is, its owner says anew before every read, so
// memory that is taken back in the middle of a frame is not touched any more: the rest of the frame
// goes nowhere.
//
// Owned by an endpoint and used by the thread that owns the transport.
#pragma once

#include <cstdint>
#include <vector>

#include "lib/net/socket.h"
#include "transports/tcp/tcp_frame.h"

namespace unirack {

class TcpFrameHandler {
 public:
  virtual ~TcpFrameHandler() = default;
  // Where payload byte `at` of this frame and those after it go, or null: nowhere, now and for the
  // rest of the frame.
  virtual std::byte* payload_target(const TcpHeader& header, uint64_t at) = 0;
  // After all payload. An error ends the connection.
  virtual Status on_frame(const TcpHeader& header, bool is_whole) = 0;
};

class TcpInbox {
 public:
  TcpInbox();

  // At most about this many bytes. `closed`: the peer has ended its direction.
  Result<IoState> receive(int fd, uint64_t bytes_max, TcpFrameHandler& handler);

 private:
  Result<Transfer> read(int fd, TcpFrameHandler& handler);
  Status use_staged(BytesView staged, TcpFrameHandler& handler);
  size_t take_header(BytesView staged);
  size_t take_payload(BytesView staged, TcpFrameHandler& handler);
  std::byte* target(TcpFrameHandler& handler);
  bool is_in_payload() const { return has_header_ && done_bytes_ < payload_bytes_; }

  std::vector<std::byte> staging_;
  TcpHeader::Wire wire_{};
  size_t wire_bytes_ = 0;
  TcpHeader header_;
  bool has_header_ = false;
  bool is_whole_ = true;  // nothing of the payload went nowhere
  uint64_t payload_bytes_ = 0;
  uint64_t done_bytes_ = 0;
};

}  // namespace unirack
