#include "lib/control/channel.h"

#include <sys/socket.h>

#include <array>

#include "lib/net/socket.h"

namespace unirack {
namespace {

constexpr size_t kReadBytes = size_t{16} << 10;

}  // namespace

Result<Channel> Channel::create(UniqueFd fd, const Session& session) {
  MacState send_mac = UNIRACK_TRY(MacState::create(session.send_key));
  MacState receive_mac = UNIRACK_TRY(MacState::create(session.receive_key));
  return Channel(std::move(fd), std::move(send_mac), std::move(receive_mac));
}

Status Channel::send(MessageType type, BytesView payload) {
  UNIRACK_TRY(append_frame(outbox_, send_mac_, static_cast<uint16_t>(type), 0, payload));
  return flush();
}

Status Channel::flush() {
  while (backlog_bytes() > 0) {
    const Transfer transfer =
        UNIRACK_TRY(write_some(fd_.get(), BytesView(outbox_).subspan(written_)));
    if (transfer.state != IoState::moved) break;
    written_ += transfer.bytes;
  }
  if (backlog_bytes() == 0 || written_ > kFramePayloadBytesMax) {
    outbox_.erase(outbox_.begin(), outbox_.begin() + static_cast<ptrdiff_t>(written_));
    written_ = 0;
  }
  return ok_status();
}

void Channel::shut_down() { ::shutdown(fd_.get(), SHUT_WR); }

Result<bool> Channel::receive(const Handler& handler) {
  std::array<std::byte, kReadBytes> buffer;
  for (;;) {
    const Transfer transfer = UNIRACK_TRY(read_some(fd_.get(), Bytes(buffer)));
    if (transfer.state == IoState::would_block) return true;
    if (transfer.state == IoState::closed) return false;
    UNIRACK_TRY(hand_over(BytesView(buffer).first(transfer.bytes), handler));
  }
}

Status Channel::hand_over(BytesView input, const Handler& handler) {
  while (!input.empty()) {
    const std::optional<Frame> frame = UNIRACK_TRY(reader_.feed(input));
    if (!frame) break;
    UNIRACK_TRY(receive_mac_.verify(*frame));
    UNIRACK_TRY(handler(static_cast<MessageType>(frame->header.type), frame->payload));
  }
  return ok_status();
}

}  // namespace unirack
