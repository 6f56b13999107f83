// An authenticated control connection: signed frames out, verified frames in. Never blocks; what
// the socket does not take waits in a buffer. One owner, one thread at a time.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "lib/base/unique_fd.h"
#include "lib/control/messages.h"
#include "lib/net/frame.h"
#include "lib/net/handshake.h"

namespace unirack {

class Channel {
 public:
  using Handler = std::function<Status(MessageType type, BytesView payload)>;

  static Result<Channel> create(UniqueFd fd, const Session& session);

  int fd() const { return fd_.get(); }
  // Queues the frame and writes what the socket takes.
  Status send(MessageType type, BytesView payload);
  Status flush();
  size_t backlog_bytes() const { return outbox_.size() - written_; }
  // Says that no more will be sent; call it with an empty backlog.
  void shut_down();

  // Hands over every frame that has arrived. False once the peer has closed in order. An error is a
  // broken connection, a frame that fails its checks, or what `handler` returned; frames that came
  // before it have been handed over.
  Result<bool> receive(const Handler& handler);

 private:
  Channel(UniqueFd fd, MacState send_mac, MacState receive_mac)
      : fd_(std::move(fd)), send_mac_(std::move(send_mac)), receive_mac_(std::move(receive_mac)) {}

  Status hand_over(BytesView input, const Handler& handler);

  UniqueFd fd_;
  MacState send_mac_;
  MacState receive_mac_;
  FrameReader reader_;
  std::vector<std::byte> outbox_;
  size_t written_ = 0;  // of outbox_
};

}  // namespace unirack
