// What every transport offers, and all it offers: puts, gets and signals between registered
// regions.
//
// A transport belongs to one engine and is called by one thread at a time (whoever owns the
// engine). Nothing blocks: all progress happens in poll(). Endpoints and registrations are owned by
// the caller and must die before their transport. Peers are named by rank; their memory by a Remote
// that import() made from a descriptor, never by an address.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "lib/base/bytes.h"
#include "lib/base/clock.h"
#include "lib/base/result.h"
#include "lib/memory/region_table.h"

namespace unirack {

// Chosen by the caller, returned in a Completion. Zero asks for no completion.
using Token = uint64_t;
inline constexpr Token kNoToken = 0;

inline constexpr size_t kDescriptorBytesMax = 512;
inline constexpr size_t kAddressBytesMax = 1024;

enum class Reach : uint8_t { none, message, load_store };
enum class MemoryKind : uint8_t { host = 0 };
enum class TrafficClass : uint8_t { collective = 0 };

// Memory to be reached by peers. `fd` is the sealed memfd that backs symmetric memory (`data` is
// its offset 0), or -1 for private memory, which no peer ever maps.
struct Memory {
  std::byte* data = nullptr;
  size_t bytes = 0;
  int fd = -1;
  MemoryKind kind = MemoryKind::host;
};

// Peer memory as this process sees it: mapped where reach is load/store and the region can be
// mapped.
struct Remote {
  std::byte* mapped = nullptr;
  uint32_t handle = 0;
};

struct Copy {
  std::byte* local = nullptr;
  Remote remote;
  uint64_t offset = 0;  // into the remote region
  uint64_t bytes = 0;   // 0 is legal: a signal on its own is a put of 0 bytes
};

// Sets the 8-byte aligned little-endian word at `offset` of a remote region to `value`.
struct Signal {
  Remote remote;
  uint64_t offset = 0;
  uint64_t value = 0;
};

struct Completion {
  Token token = kNoToken;
  Status status = ok_status();
};

// Inbound access to a region; it ends when this object dies: afterwards nothing of a peer lands in
// the memory and nothing is read from it by the transport.
class Registration {
 public:
  virtual ~Registration() = default;
  // What a peer's import() needs; at most kDescriptorBytesMax; holds no address a peer could
  // choose.
  virtual BytesView descriptor() const = 0;
};

// One peer, one path (a connection, a queue pair), one traffic class. A Remote is good for the
// endpoint that imported it; importing again costs little.
//
// put() and get() accept a prefix of `copies` (backpressure: the rest is offered again after a
// poll) and return its length; `copies` is never empty. Signal and token belong to the last copy:
// they take effect only when it is accepted. A put's token completes when its source may be reused
// and, with a signal, when the signal needs no more poll() here to arrive; a get's when its bytes
// have landed; a completion covers every earlier copy of the same kind on this endpoint. A signal
// becomes visible (release) after all bytes of all earlier puts of this endpoint. A source must
// stay unchanged, and a get's target untouched, until then.
//
// Before the endpoint is ready nothing is accepted; after it broke or closed everything is, and its
// token completes with the reason. An access that the owner of the region refuses (`stale`,
// `invalid_argument`) breaks nothing: the next completion of this endpoint carries the refusal,
// and the next signal is not delivered, since bytes before it are missing.
class Endpoint {
 public:
  virtual ~Endpoint() = default;
  virtual Result<Remote> import(BytesView descriptor) = 0;
  virtual size_t put(std::span<const Copy> copies, const Signal* signal, Token token) = 0;
  virtual size_t get(std::span<const Copy> copies, Token token) = 0;
  // Afterwards nothing of ours lands at the peer and every token has completed once.
  virtual Status close(Deadline deadline) = 0;
};

class Transport {
 public:
  virtual ~Transport() = default;
  virtual std::string_view name() const = 0;
  // What peers need to reach this transport, exchanged when the pool is joined.
  virtual std::vector<std::byte> address() const = 0;
  // Symmetric: both ends answer alike.
  virtual Reach reach(BytesView peer_address) const = 0;
  // How many rails lead here. Path p uses rail p mod rails; paths of one rail share its bandwidth.
  virtual uint32_t rail_count() const { return 1; }
  virtual Result<std::unique_ptr<Registration>> register_memory(const Memory& memory,
                                                                Access access) = 0;
  // Both ends call connect with each other's address; the lower rank dials. `token` completes once
  // when the endpoint is ready, and once more with an error if it breaks later.
  virtual Result<std::unique_ptr<Endpoint>> connect(Rank peer, BytesView peer_address, int path,
                                                    TrafficClass traffic_class, Token token) = 0;
  // Moves bytes; returns how many completions were written.
  virtual size_t poll(std::span<Completion> completions) = 0;
  // Before sleeping: a descriptor that becomes readable when poll() may have work or a signal may
  // have arrived, or nothing: poll again first. After arming, the caller looks at its own words
  // once more before it sleeps; the next poll() disarms.
  virtual std::optional<int> arm() = 0;
};

}  // namespace unirack
