// Ranks as threads of one process. The reference implementation: the simplest thing that keeps the
// contract of transports/transport.h, and the one to read first.
//
// Owned by an engine and used by whoever owns that. Peers reach its port from their own threads.
#pragma once

#include <string>

#include "transports/completion_queue.h"
#include "transports/loopback/loopback_hub.h"
#include "transports/registry.h"

namespace unirack {

class LoopbackEndpoint;

class LoopbackTransport final : public Transport {
 public:
  static constexpr uint8_t kDescriptorKind = 1;

  static Result<std::unique_ptr<Transport>> open(const TransportContext& context);
  LoopbackTransport(const TransportContext& context, LoopbackPort* port);
  ~LoopbackTransport() override;

  std::string_view name() const override { return "loopback"; }
  std::vector<std::byte> address() const override;
  Reach reach(BytesView peer_address) const override;
  Result<std::unique_ptr<Registration>> register_memory(const Memory& memory,
                                                        Access access) override;
  Result<std::unique_ptr<Endpoint>> connect(Rank peer, BytesView peer_address, int path,
                                            TrafficClass traffic_class, Token token) override;
  size_t poll(std::span<Completion> completions) override;
  std::optional<int> arm() override;

  // For its endpoints.
  CompletionQueue& completions() { return completions_; }
  void add(LoopbackEndpoint* endpoint) { endpoints_.push_back(endpoint); }
  void remove(LoopbackEndpoint* endpoint) { std::erase(endpoints_, endpoint); }

 private:
  Rank rank_;
  uint64_t instance_;
  std::string domain_;
  LoopbackPort* port_;
  bool is_armed_ = false;
  CompletionQueue completions_;
  std::vector<LoopbackEndpoint*> endpoints_;
};

}  // namespace unirack
