// One path to a rank of the same process. The thread that polls copies straight into the peer's
// registered memory, region by region pinned, so the peer need not run and its memory cannot go
// away in the middle of a step.
//
// Owned by the caller of connect(), used by the thread that owns the transport.
#pragma once

#include "transports/endpoint_state.h"
#include "transports/loopback/loopback_hub.h"
#include "transports/op_queue.h"
#include "transports/region_descriptor.h"

namespace unirack {

class LoopbackTransport;

class LoopbackEndpoint final : public Endpoint {
 public:
  LoopbackEndpoint(LoopbackTransport& transport, LoopbackLink* link, int side, Rank peer,
                   Token connect_token);
  ~LoopbackEndpoint() override;

  Result<Remote> import(BytesView descriptor) override;
  size_t put(std::span<const Copy> copies, const Signal* signal, Token token) override;
  size_t get(std::span<const Copy> copies, Token token) override;
  Status close(Deadline deadline) override;

  // Notices that the peer came or went, then copies at most this many bytes.
  void progress(uint64_t bytes_max);
  // Whether progress() has something to do or to notice.
  bool has_work() const;

 private:
  size_t accept(Direction direction, std::span<const Copy> copies, const Signal* signal,
                Token token);
  bool has_peer_left() const {
    return link_->is_gone[static_cast<size_t>(1 - side_)].load(std::memory_order_acquire);
  }
  void notice_peer();
  void advance(uint64_t bytes_max);
  Status step(QueuedCopy& op, uint64_t bytes);
  Status deliver(const Signal& signal);
  void finish_front();
  void end_all();
  LoopbackPort& peer_port() { return *link_->ports[static_cast<size_t>(1 - side_)]; }

  LoopbackTransport& transport_;
  LoopbackLink* link_;  // null once detached
  int side_;
  EndpointState state_;
  ImportTable imports_;
  OpQueue ops_;
  bool skip_signal_ = false;  // bytes before it were refused
};

}  // namespace unirack
