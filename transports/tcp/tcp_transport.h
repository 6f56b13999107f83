// Messages between any two hosts: several connections a peer, spread over the rails (network
// interfaces) of both. Every access of a peer is checked against the region table.
//
// Owned by an engine and used by whoever owns that. It listens on the chosen interfaces only; who
// has not proved to hold the job key after two seconds is dropped, and there are never more than 64
// of them.
#pragma once

#include <map>
#include <memory>
#include <unordered_map>
#include <vector>

#include "transports/completion_queue.h"
#include "transports/region_descriptor.h"
#include "transports/registry.h"
#include "transports/tcp/tcp_address.h"
#include "transports/tcp/tcp_greeting.h"

namespace unirack {

class TcpEndpoint;

class TcpTransport final : public Transport {
 public:
  static constexpr uint8_t kDescriptorKind = 3;

  static Result<std::unique_ptr<Transport>> open(const TransportContext& context);
  TcpTransport(const TransportContext& context, JobCredentials job, Poller poller);

  std::string_view name() const override { return "tcp"; }
  std::vector<std::byte> address() const override { return address_.encode(); }
  Reach reach(BytesView peer_address) const override;
  uint32_t rail_count() const override { return static_cast<uint32_t>(rails().size()); }
  Result<std::unique_ptr<Registration>> register_memory(const Memory& memory,
                                                        Access access) override;
  Result<std::unique_ptr<Endpoint>> connect(Rank peer, BytesView peer_address, int path,
                                            TrafficClass traffic_class, Token token) override;
  size_t poll(std::span<Completion> completions) override;
  std::optional<int> arm() override;

  // For its endpoints and registrations.
  CompletionQueue& completions() { return completions_; }
  RegionTable& regions() { return regions_; }
  ImportTable& imports(Rank peer) { return imports_[peer]; }
  bool is_answering(Rank peer) const { return peer < rank_; }
  const std::vector<TcpRail>& rails() const { return address_.rails; }
  // A new connection for a path that lost its own, over another rail.
  void redial(TcpEndpoint& endpoint);
  // The peer dials, and may not know yet.
  void ask_to_redial(Rank peer, int path);
  // The peer asks us.
  void on_peer_lost(Rank peer, uint32_t path);
  void add(TcpEndpoint* endpoint);
  void remove(TcpEndpoint* endpoint);
  Status watch(int fd, uint64_t id) { return poller_.add(fd, Interest::read, id); }
  // These fail only for what is not watched, and then the next read or write tells.
  void watch_writable(int fd, uint64_t id) { (void)poller_.modify(fd, Interest::read_write, id); }
  void watch_readable(int fd, uint64_t id) { (void)poller_.modify(fd, Interest::read, id); }
  void unwatch(int fd) { poller_.remove(fd); }
  void retire(RegionId region);
  // A poll that leaves the completions where they are, and lets others run.
  void wait_a_little();

 private:
  using PathKey = std::pair<Rank, int>;

  Status listen(const Config& config);
  void progress();
  void handle_events();
  void handle_event(const PollEvent& event);
  void accept_callers(Listener& listener);
  void step_callers(TimePoint at);
  void welcome(TcpCaller& caller);
  void step_dialers(TimePoint at);
  void check_rails(TimePoint at);
  Hello hello_for(int path, bool resumes) const;
  size_t rail_of(const std::optional<SocketAddress>& source) const;
  TcpEndpoint* find(Rank peer, int path) const;

  Rank rank_;
  int rank_count_;
  JobCredentials job_;
  Poller poller_;
  UniqueFd timer_;  // wakes a sleeper while somebody is dialling or greeting
  TcpAddress address_;
  std::vector<Listener> listeners_;
  RegionTable regions_;
  std::map<Rank, ImportTable> imports_;
  CompletionQueue completions_;
  std::vector<TcpEndpoint*> endpoints_;
  std::unordered_map<uint64_t, TcpEndpoint*> endpoint_of_id_;
  std::vector<std::unique_ptr<TcpCaller>> callers_;
  std::map<uint64_t, std::unique_ptr<TcpDialer>> dialers_;  // by the id of their endpoint
  std::map<PathKey, UniqueFd> unclaimed_;  // proven connections that nobody here asked for yet
  std::vector<PathKey> reported_lost_;     // by peers, since the last check
  TimePoint next_check_{};
  uint64_t next_id_;
};

}  // namespace unirack
