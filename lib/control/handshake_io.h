// Moves a handshake over a non-blocking socket, and not a byte further: what follows the last
// message stays in the socket for whoever reads frames. For a HandshakeClient or HandshakeServer;
// its owner's thread.
#pragma once

#include <array>

#include "lib/net/handshake.h"
#include "lib/net/socket.h"

namespace unirack {

// `received` counts the bytes read so far. Returns the state when the socket has no more to give;
// an error is a lost connection, peer_failed if it was closed before the handshake was over.
template <class Handshake>
Result<HandshakeState> move_handshake(int fd, Handshake& handshake, size_t& received) {
  for (;;) {
    while (!handshake.pending().empty()) {
      const Transfer out = UNIRACK_TRY(write_some(fd, handshake.pending()));
      if (out.state != IoState::moved) break;
      handshake.sent(out.bytes);
    }
    if (handshake.state() != HandshakeState::running) return handshake.state();
    std::array<std::byte, kHandshakeBytes> buffer;
    const size_t wanted = kHandshakeBytes - received % kHandshakeBytes;
    const Transfer in = UNIRACK_TRY(read_some(fd, Bytes(buffer).first(wanted)));
    if (in.state == IoState::would_block) return HandshakeState::running;
    if (in.state == IoState::closed) {
      return make_error(Code::peer_failed, "the connection was closed during the handshake");
    }
    received += in.bytes;
    BytesView input = BytesView(buffer).first(in.bytes);
    handshake.feed(input);
  }
}

}  // namespace unirack
