#include "transports/tcp/tcp_inbox.h"

#include <algorithm>
#include <array>
#include <cstring>

namespace unirack {
namespace {

constexpr size_t kStagingBytes = size_t{32} << 10;

}  // namespace

TcpInbox::TcpInbox() : staging_(kStagingBytes) {}

Result<IoState> TcpInbox::receive(int fd, uint64_t bytes_max, TcpFrameHandler& handler) {
  uint64_t received = 0;
  while (received < bytes_max) {
    const uint64_t done_before = done_bytes_;
    const Transfer transfer = UNIRACK_TRY(read(fd, handler));
    if (transfer.state != IoState::moved) return transfer.state;
    received += transfer.bytes;
    const uint64_t direct = done_bytes_ - done_before;
    UNIRACK_TRY(use_staged(BytesView(staging_).first(transfer.bytes - direct), handler));
  }
  return IoState::moved;
}

std::byte* TcpInbox::target(TcpFrameHandler& handler) {
  if (!is_whole_) return nullptr;
  std::byte* const target = handler.payload_target(header_, done_bytes_);
  is_whole_ = target != nullptr;
  return target;
}

// Straight to where the payload belongs, and what comes after it to the staging buffer.
Result<Transfer> TcpInbox::read(int fd, TcpFrameHandler& handler) {
  std::byte* const direct = is_in_payload() ? target(handler) : nullptr;
  if (direct == nullptr) return read_some(fd, Bytes(staging_));
  const uint64_t wanted = payload_bytes_ - done_bytes_;
  const std::array<iovec, 2> parts{iovec{direct, wanted}, iovec{staging_.data(), staging_.size()}};
  const Transfer transfer = UNIRACK_TRY(read_some(fd, std::span<const iovec>(parts)));
  if (transfer.state == IoState::moved) {
    done_bytes_ += std::min<uint64_t>(wanted, transfer.bytes);
  }
  return transfer;
}

Status TcpInbox::use_staged(BytesView staged, TcpFrameHandler& handler) {
  while (true) {
    if (!has_header_) {
      staged = staged.subspan(take_header(staged));
      if (wire_bytes_ < wire_.size()) return ok_status();
      header_ = UNIRACK_TRY(TcpHeader::decode(wire_));
      wire_bytes_ = 0;
      has_header_ = true;
      is_whole_ = true;
      done_bytes_ = 0;
      payload_bytes_ = header_.has_payload() ? header_.bytes : 0;
      // An access of no bytes is checked too.
      if (header_.has_payload() && payload_bytes_ == 0) (void)target(handler);
    }
    staged = staged.subspan(take_payload(staged, handler));
    if (is_in_payload()) return ok_status();
    has_header_ = false;
    UNIRACK_TRY(handler.on_frame(header_, is_whole_));
  }
}

size_t TcpInbox::take_header(BytesView staged) {
  const size_t taken = std::min(staged.size(), wire_.size() - wire_bytes_);
  if (taken > 0) std::memcpy(wire_.data() + wire_bytes_, staged.data(), taken);
  wire_bytes_ += taken;
  return taken;
}

size_t TcpInbox::take_payload(BytesView staged, TcpFrameHandler& handler) {
  const auto taken =
      static_cast<size_t>(std::min<uint64_t>(staged.size(), payload_bytes_ - done_bytes_));
  if (taken == 0) return 0;
  if (std::byte* const to = target(handler)) std::memcpy(to, staged.data(), taken);
  done_bytes_ += taken;
  return taken;
}

}  // namespace unirack
