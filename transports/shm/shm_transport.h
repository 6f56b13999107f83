// Load and store between the processes of one machine: symmetric memory is a sealed memfd that
// peers map, private memory is reached by CMA or through rings. Nothing has a name in a file
// system, so nothing is left when a process is killed.
//
// Owned by an engine and used by whoever owns that. In the steady state poll() makes no system
// call: it looks at the rings and at its own queues, and at the sockets only now and then.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "lib/net/poller.h"
#include "transports/completion_queue.h"
#include "transports/registry.h"
#include "transports/shm/shm_address.h"
#include "transports/shm/shm_link.h"

namespace unirack {

class ShmTransport final : public Transport {
 public:
  static Result<std::unique_ptr<Transport>> open(const TransportContext& context);
  ShmTransport(ShmAddress address, ShmListener listener, Poller poller);

  std::string_view name() const override { return "shm"; }
  std::vector<std::byte> address() const override { return address_.encode(); }
  Reach reach(BytesView peer_address) const override;
  Result<std::unique_ptr<Registration>> register_memory(const Memory& memory,
                                                        Access access) override;
  Result<std::unique_ptr<Endpoint>> connect(Rank peer, BytesView peer_address, int path,
                                            TrafficClass traffic_class, Token token) override;
  size_t poll(std::span<Completion> completions) override;
  std::optional<int> arm() override;

  // For its endpoints and registrations.
  CompletionQueue& completions() { return completions_; }
  // A poll that leaves the completions where they are; whether anything moved.
  bool progress();
  void release(ShmLink* link, ShmEndpoint* endpoint);
  void retire(const RegionDescriptor& region);

 private:
  // Somebody who has connected and not yet proved who he is.
  struct Caller {
    ShmChannel channel;
    HandshakeServer server;
    Deadline deadline;
  };

  Status prepare(const TransportContext& context);
  ShmLink* find_link(Rank peer) const;
  void disarm();
  void handle_events();
  void handle_event(uint64_t token);
  void accept_callers();
  void hear_callers();
  // False once the caller is to be dropped: he failed, or is a link now.
  bool hear(Caller& caller);
  void welcome(Caller& caller);
  void sweep_links();

  ShmAddress address_;
  ShmListener listener_;
  Poller poller_;
  ShmLocal local_;
  CompletionQueue completions_;
  std::vector<std::unique_ptr<Caller>> callers_;
  struct Entry {
    std::unique_ptr<ShmLink> link;
    uint64_t token;         // of its events
    std::string dial_name;  // set for links that we dial
    bool is_watched = false;
  };
  std::vector<Entry> links_;
  uint64_t next_token_ = 16;
  uint64_t poll_count_ = 0;
  bool is_armed_ = false;
};

}  // namespace unirack
