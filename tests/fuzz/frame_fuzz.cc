// Feeds bytes to the frame reader in pieces. The first byte says how: as they come, or with the
// checksums put right first, so that the code behind them is reached as well.
#include <algorithm>
#include <vector>

#include "lib/base/crc32c.h"
#include "lib/net/frame.h"

namespace unirack {
namespace {

// Makes each header and payload of the stream pass its checksums where there are bytes enough.
void mend(std::vector<std::byte>& stream) {
  size_t at = 0;
  while (stream.size() - at >= kFrameHeaderBytes) {
    const Bytes header = Bytes(stream).subspan(at, kFrameHeaderBytes);
    const std::byte prefix[] = {std::byte{'U'}, std::byte{'N'}, std::byte{'R'},
                                std::byte{'K'}, std::byte{1},   std::byte{0}};
    std::copy(std::begin(prefix), std::end(prefix), header.begin() + 4);
    std::fill(header.begin() + 48, header.end(), std::byte{});
    const auto length = load_little<uint32_t>(header.data() + 16);
    const size_t left = stream.size() - at - kFrameHeaderBytes;
    const size_t payload = std::min<size_t>(length, left);
    store_little(header.data() + 20,
                 crc32c(BytesView(stream).subspan(at + kFrameHeaderBytes, payload)));
    store_little(header.data(), crc32c(header.subspan(4)));
    at += kFrameHeaderBytes + payload;
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2) return 0;
  const bool mended = (data[0] & 1) != 0;
  const size_t piece_bytes = size_t{1} + data[1];
  const BytesView input = std::as_bytes(std::span(data, size)).subspan(2);
  std::vector<std::byte> stream(input.begin(), input.end());
  if (mended) mend(stream);

  static MacState mac = std::move(MacState::create(SecretKey())).value();
  FrameReader reader;
  BytesView rest = stream;
  while (!rest.empty()) {
    BytesView piece = rest.first(std::min(piece_bytes, rest.size()));
    rest = rest.subspan(piece.size());
    while (!piece.empty()) {
      const size_t before = piece.size();
      const auto frame = reader.feed(piece);
      if (!frame) return 0;
      if (!*frame && !piece.empty()) __builtin_trap();
      if (!*frame) continue;
      if (piece.size() == before && (*frame)->header.payload_bytes != 0) __builtin_trap();
      if ((*frame)->payload.size() != (*frame)->header.payload_bytes) __builtin_trap();
      if ((*frame)->payload.size() > kFramePayloadBytesMax) __builtin_trap();
      const auto again = decode_header(encode_header((*frame)->header));
      if (!again || again->sequence != (*frame)->header.sequence) __builtin_trap();
      if (mac.verify(**frame)) __builtin_trap();  // nobody guesses a MAC
    }
  }
  return 0;
}

}  // namespace unirack
