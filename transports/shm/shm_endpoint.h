// One path to a rank of another process. Each copy goes the best way its memory allows: by plain
// loads and stores where the peer's region is mapped, by CMA where it is private, through the rings
// of the link where CMA is not allowed.
//
// Owned by the caller of connect(), used by the thread that owns the transport.
#pragma once

#include "transports/endpoint_state.h"
#include "transports/op_queue.h"
#include "transports/shm/shm_link.h"

namespace unirack {

class ShmTransport;

class ShmEndpoint final : public Endpoint, private ShmReplySink {
 public:
  ShmEndpoint(ShmTransport& transport, ShmLink* link, int path, Token connect_token);
  ~ShmEndpoint() override;

  Result<Remote> import(BytesView descriptor) override;
  size_t put(std::span<const Copy> copies, const Signal* signal, Token token) override;
  size_t get(std::span<const Copy> copies, Token token) override;
  Status close(Deadline deadline) override;

  int path() const { return path_; }
  void on_peer_open();
  void fail(Error reason);
  // Moves at most about this many bytes; whether it did anything.
  bool progress(uint64_t bytes_max);

 private:
  using Entry = ImportTable::Entry;

  std::byte* reply_target(uint64_t get, uint64_t bytes) override;
  void reply_end(uint64_t get, Status status) override;

  bool advance_puts(uint64_t bytes_max);
  bool advance_gets(uint64_t bytes_max);
  // One step of the front put or of the next get; how many bytes, 0 if it must wait.
  Result<uint64_t> step(QueuedCopy& op, uint64_t bytes_max);
  Result<uint64_t> step_mapped(const QueuedCopy& op, const Entry& entry, uint64_t bytes);
  // False if it must wait.
  bool finish_put();
  Result<bool> deliver(const Signal& signal);
  bool start_get(QueuedCopy& op, uint64_t& bytes_left);
  void finish_gets();
  void refuse(Error error);
  void end_all();

  ShmTransport& transport_;
  ShmLink* link_;  // null once closed or failed
  int path_;
  EndpointState state_;
  OpQueue puts_;
  OpQueue gets_;
  size_t gets_started_ = 0;      // of those in the queue
  uint64_t first_get_ = 0;       // number of the oldest in the queue
  uint64_t drain_position_ = 0;  // in the ring, after the last put or signal of this path
  bool skip_signal_ = false;     // bytes before it were refused
};

}  // namespace unirack
