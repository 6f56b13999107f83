#include "transports/loopback/loopback_transport.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>

#include "transports/loopback/loopback_endpoint.h"
#include "transports/region_descriptor.h"

namespace unirack {
namespace {

constexpr uint32_t kAddressMagic = 0x30504c55;  // "ULP0"
constexpr uint64_t kBytesPerPoll = uint64_t{1} << 20;

class LoopbackRegistration final : public Registration {
 public:
  LoopbackRegistration(LoopbackPort* port, const RegionDescriptor& region)
      : port_(port), id_(region.id), wire_(region.encode(LoopbackTransport::kDescriptorKind)) {}
  ~LoopbackRegistration() override { port_->regions.retire(id_); }
  BytesView descriptor() const override { return wire_; }

 private:
  LoopbackPort* port_;
  RegionId id_;
  RegionDescriptor::Wire wire_;
};

}  // namespace

Result<std::unique_ptr<Transport>> LoopbackTransport::open(const TransportContext& context) {
  LoopbackPort* const port = UNIRACK_TRY(LoopbackHub::of_process().open_port());
  return std::unique_ptr<Transport>(std::make_unique<LoopbackTransport>(context, port));
}

LoopbackTransport::LoopbackTransport(const TransportContext& context, LoopbackPort* port)
    : rank_(context.rank),
      instance_(context.instance),
      domain_(context.config->domain),
      port_(port) {}

LoopbackTransport::~LoopbackTransport() { LoopbackHub::of_process().close_port(port_); }

std::vector<std::byte> LoopbackTransport::address() const {
  std::vector<std::byte> address;
  Writer writer(address);
  writer.put(kAddressMagic);
  writer.put_bytes(LoopbackHub::of_process().process_id());
  writer.put(static_cast<int32_t>(::getpid()));
  writer.put(instance_);
  writer.put_bytes(bytes_of(domain_));
  return address;
}

// Everything an address says must be the same: process, pool and domain.
Reach LoopbackTransport::reach(BytesView peer_address) const {
  return std::ranges::equal(address(), peer_address) ? Reach::load_store : Reach::none;
}

Result<std::unique_ptr<Registration>> LoopbackTransport::register_memory(const Memory& memory,
                                                                         Access access) {
  const RegionId id = UNIRACK_TRY(port_->regions.add(memory.data, memory.bytes, access));
  const RegionDescriptor region{id, memory.bytes, access, memory.fd >= 0};
  return std::unique_ptr<Registration>(std::make_unique<LoopbackRegistration>(port_, region));
}

Result<std::unique_ptr<Endpoint>> LoopbackTransport::connect(Rank peer, BytesView peer_address,
                                                             int path, TrafficClass traffic_class,
                                                             Token token) {
  if (peer == rank_) return make_error(Code::invalid_argument, "a rank needs no path to itself");
  if (reach(peer_address) == Reach::none) {
    return make_error(Code::unavailable, "the peer is no rank of this process and domain", peer);
  }
  const LoopbackLinkKey key{instance_, std::min(rank_, peer), std::max(rank_, peer), path,
                            traffic_class};
  const int side = rank_ < peer ? 0 : 1;
  LoopbackLink* const link = UNIRACK_TRY(LoopbackHub::of_process().attach(key, side, port_));
  return std::unique_ptr<Endpoint>(
      std::make_unique<LoopbackEndpoint>(*this, link, side, peer, token));
}

size_t LoopbackTransport::poll(std::span<Completion> completions) {
  if (is_armed_) {
    is_armed_ = false;
    port_->is_sleeping.store(false, std::memory_order_relaxed);
    eventfd_t count = 0;
    ::eventfd_read(port_->event.get(), &count);
  }
  for (LoopbackEndpoint* const endpoint : endpoints_) endpoint->progress(kBytesPerPoll);
  return completions_.drain(completions);
}

std::optional<int> LoopbackTransport::arm() {
  is_armed_ = true;
  port_->is_sleeping.store(true, std::memory_order_relaxed);
  std::atomic_thread_fence(std::memory_order_seq_cst);
  const auto has_work = [](const LoopbackEndpoint* endpoint) { return endpoint->has_work(); };
  if (!completions_.empty() || std::ranges::any_of(endpoints_, has_work)) return std::nullopt;
  return port_->event.get();
}

}  // namespace unirack
