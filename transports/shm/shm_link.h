// Everything between this process and one peer: the socket, the proof of who is there, the peer's
// control segment and mapped memory, and the exchange of what CMA cannot move.
//
// Both ends go the same way: the lower rank dials and proves (lib/net/handshake), each gives the
// other its control segment and eventfd and tries whether it may use CMA, the lower rank makes the
// pair segment. Owned by the transport, shared by the endpoints of all paths to the peer; used by
// the thread that owns the transport.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "lib/net/handshake.h"
#include "transports/region_descriptor.h"
#include "transports/shm/shm_channel.h"
#include "transports/shm/shm_exchange.h"
#include "transports/shm/shm_message.h"
#include "transports/shm/shm_region.h"

namespace unirack {

class ShmEndpoint;

inline constexpr uint8_t kShmDescriptorKind = 2;

// What a link needs of the transport it belongs to.
struct ShmLocal {
  Rank rank = 0;
  int rank_count = 1;
  uint64_t instance = 0;
  bool may_use_cma = true;
  JobCredentials job;
  SharedMemory control;
  UniqueFd event;
  RegionTable regions{kShmRegionsMax};

  struct Symmetric {
    RegionDescriptor region;
    UniqueFd fd;
  };
  std::vector<Symmetric> symmetric;

  ShmControl& shared() { return *reinterpret_cast<ShmControl*>(control.data()); }
};

class ShmLink {
 public:
  ShmLink(ShmLocal& local, Rank peer) : local_(local), peer_(peer) {}
  ShmLink(const ShmLink&) = delete;
  ShmLink& operator=(const ShmLink&) = delete;

  Rank peer() const { return peer_; }
  int fd() const { return channel_ ? channel_->fd() : -1; }
  bool has_channel() const { return channel_.has_value(); }
  bool is_idle() const { return phase_ == Phase::idle; }
  bool is_ready() const { return phase_ == Phase::ready; }
  bool is_over() const { return phase_ == Phase::over; }
  bool has_backlog() const { return channel_ && channel_->has_backlog(); }

  // The lower rank. `unavailable`: try again.
  Status dial(const std::string& socket_name);
  // The higher rank: a caller who has proved to be the peer.
  void adopt(ShmChannel channel);
  // Reads what has come and sends what waits.
  void on_event();
  // Ends the link for all its endpoints. The socket stays open until the transport has stopped
  // watching it.
  void fail(Error reason);
  void drop_channel() { channel_.reset(); }

  void add(ShmEndpoint* endpoint);
  // Tells the peer.
  void remove(ShmEndpoint* endpoint);
  bool has_endpoints() const { return !endpoints_.empty(); }
  ShmEndpoint* endpoint_at(int path) const;

  void announce(const ShmLocal::Symmetric& symmetric);
  void announce_retired(RegionId id);
  // Returns once the peer no longer touches the region through CMA.
  void wait_untouched(RegionId id);

  // The exchange and every endpoint; whether anything moved.
  bool progress(uint64_t bytes_max);

  // For endpoints, once ready.
  Result<Remote> import(BytesView descriptor);
  const ImportTable& imports() const { return imports_; }
  const ShmControl& peer_control() const {
    return *reinterpret_cast<const ShmControl*>(peer_control_.data());
  }
  ShmExchange& exchange() { return *exchange_; }
  bool uses_cma() const { return uses_cma_; }
  // One step of CMA between local memory and a range of the peer's region. `unavailable` turns CMA
  // off for this link, `peer_failed` means that the process is gone.
  Result<size_t> copy_by_cma(CmaDirection direction, RegionId region, uint64_t offset,
                             std::byte* local, size_t bytes);
  void wake_peer();

 private:
  enum class Phase : uint8_t { idle, proving, attaching, ready, over };

  bool is_dialer() const { return local_.rank < peer_; }
  Status drain();
  Status on_packet(ShmPacket& packet);
  Status prove(BytesView input);
  Status on_message(const ShmMessage& message, ShmPacket& packet);
  Status on_attach(const ShmMessage& message, ShmPacket& packet);
  Status on_pair(const ShmMessage& message, ShmPacket& packet);
  Status on_region(const ShmMessage& message, ShmPacket& packet);
  void on_retire(RegionId id);
  void on_path(const ShmMessage& message);
  Status attach();
  Status make_pair(bool peer_uses_cma);
  Status become_ready(SharedMemory pair, uint32_t ring_bytes);
  bool can_use_cma(uint64_t probe_address) const;
  void send(const ShmMessage& message, int fd_a = -1, int fd_b = -1);

  struct Mapping {
    RegionDescriptor region;
    SharedMemory memory;
  };

  ShmLocal& local_;
  Rank peer_;
  Phase phase_ = Phase::idle;
  std::optional<ShmChannel> channel_;
  std::optional<HandshakeClient> client_;
  pid_t peer_pid_ = -1;
  bool uses_cma_ = false;
  SharedMemory peer_control_;
  UniqueFd peer_event_;
  std::unique_ptr<ShmExchange> exchange_;
  ImportTable imports_;
  std::vector<Mapping> mappings_;  // by region index
  std::vector<ShmEndpoint*> endpoints_;
  uint64_t peer_paths_ = 0;  // one bit for each path the peer has opened
};

}  // namespace unirack
