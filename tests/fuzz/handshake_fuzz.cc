// Lets client and server talk over a wire that cuts, alters and invents bytes as the input says.
// Both may only be done if what the other said arrived unchanged, and then their keys must fit.
#include <algorithm>
#include <vector>

#include "lib/base/bytes.h"
#include "lib/net/handshake.h"

namespace unirack {
namespace {

Nonce nonce_of(uint8_t seed) {
  Nonce nonce{};
  nonce.fill(static_cast<std::byte>(seed));
  return nonce;
}

// Delivers part of what `from` wants to say, altered if `mask` is not 0.
template <class From, class To>
bool deliver(From& from, To& to, size_t limit, size_t at, uint8_t mask) {
  const size_t length = std::min(limit, from.pending().size());
  std::vector<std::byte> bytes(from.pending().begin(),
                               from.pending().begin() + static_cast<ptrdiff_t>(length));
  from.sent(length);
  const bool altered = mask != 0 && length != 0;
  if (altered) bytes[at % length] ^= static_cast<std::byte>(mask);
  BytesView input = bytes;
  to.feed(input);
  return altered;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const JobCredentials job = JobCredentials::from_key(SecretKey()).value();
  Reader reader(std::as_bytes(std::span(data, size)));
  Hello hello;
  hello.rank = 1;
  hello.rank_count = 2;
  HandshakeClient client(job, hello, 0, nonce_of(1));
  HandshakeServer server(job, 0, nonce_of(2), {1, 2});
  bool to_server_altered = false;
  bool to_client_altered = false;
  for (;;) {
    const auto op = reader.take<uint8_t>();
    const auto amount = reader.take<uint8_t>();
    const auto mask = reader.take<uint8_t>();
    if (!op || !amount || !mask) break;
    const uint8_t flip = (*op & 4) != 0 ? *mask : uint8_t{0};
    const size_t limit = (*op & 8) != 0 ? kHandshakeBytes : *amount;
    if ((*op & 3) == 0) {
      to_server_altered |= deliver(client, server, limit, *amount, flip);
    } else if ((*op & 3) == 1) {
      to_client_altered |= deliver(server, client, limit, *amount, flip);
    } else {
      BytesView invented = reader.rest().first(std::min<size_t>(*amount, reader.remaining()));
      const bool for_server = (*op & 3) == 2;
      (for_server ? to_server_altered : to_client_altered) |= !invented.empty();
      (void)(for_server ? server.feed(invented) : client.feed(invented));
    }
  }
  const bool client_done = client.state() == HandshakeState::done;
  const bool server_done = server.state() == HandshakeState::done;
  if (client_done && !server_done) __builtin_trap();
  if (server_done && server.caller()->rank != 1) __builtin_trap();
  if (client_done && client.session().peer != 0) __builtin_trap();
  if (client_done && !equal_in_constant_time(client.session().send_key.view(),
                                             server.session().receive_key.view())) {
    __builtin_trap();
  }
  if (!to_server_altered && !to_client_altered &&
      (client.state() == HandshakeState::failed || server.state() == HandshakeState::failed)) {
    __builtin_trap();
  }
  return 0;
}

}  // namespace unirack
