// Frames of a peer: whatever arrives, nothing is written outside the registered memory. Each input
// is a list of headers and raw bytes, so that checksums do not stop the fuzzer at the first frame.
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <vector>

#include "lib/memory/region_table.h"
#include "transports/tcp/tcp_inbox.h"

namespace unirack {
namespace {

constexpr size_t kRegionBytes = 3000;

class Owner : public TcpFrameHandler {
 public:
  Owner()
      : memory_(kRegionBytes), id_(*regions_.add(memory_.data(), kRegionBytes, Access::write)) {}

  std::byte* payload_target(const TcpHeader& header, uint64_t at) override {
    if (at > header.bytes) std::abort();
    const uint64_t offset = header.offset % (2 * kRegionBytes) + at;
    const auto target = regions_.check(id_, offset, header.bytes - at, Access::write);
    return target ? *target : nullptr;
  }
  Status on_frame(const TcpHeader&, bool) override { return ok_status(); }

 private:
  std::vector<std::byte> memory_;
  RegionTable regions_;
  RegionId id_;
};

std::vector<std::byte> frames_from(BytesView input) {
  std::vector<std::byte> stream;
  Reader reader(input);
  while (true) {
    const auto kind = reader.take<uint8_t>();
    const auto bytes = reader.take<uint16_t>();
    const auto offset = reader.take<uint16_t>();
    if (!kind || !bytes || !offset) break;
    TcpHeader header;
    header.kind = static_cast<TcpHeader::Kind>(*kind % 10);
    header.bytes = *bytes;
    header.offset = *offset;
    const TcpHeader::Wire wire = header.encode();
    stream.insert(stream.end(), wire.begin(), wire.end());
    const auto payload = reader.take_bytes(std::min<size_t>(*bytes, reader.remaining()));
    stream.insert(stream.end(), payload->begin(), payload->end());
  }
  return stream;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto input = std::as_bytes(std::span(data, std::min<size_t>(size, 60'000)));
  std::array<int, 2> ends{};
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends.data()) != 0) return 0;
  for (const auto& stream :
       {frames_from(input), std::vector<std::byte>(input.begin(), input.end())}) {
    Owner owner;
    TcpInbox inbox;
    for (BytesView rest = stream; !rest.empty();) {
      const BytesView part = rest.first(std::min<size_t>(rest.size(), 1000));
      if (::send(ends[0], part.data(), part.size(), MSG_NOSIGNAL) < 0) break;
      rest = rest.subspan(part.size());
      if (!inbox.receive(ends[1], 1 << 20, owner)) break;
    }
  }
  ::close(ends[0]);
  ::close(ends[1]);
  return 0;
}

}  // namespace unirack
