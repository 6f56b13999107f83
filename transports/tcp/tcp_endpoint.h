// One connection to a peer. Puts become frames whose payload the peer receives straight into its
// region; a get asks the peer, which sends from its region; a signal rides in the header of the
// last frame of its put. What the peer's frames ask for is checked against our region table, every
// time bytes are about to move.
//
// Owned by the caller of connect(), used by the thread that owns the transport.
#pragma once

#include <vector>

#include "transports/endpoint_state.h"
#include "transports/op_queue.h"
#include "transports/region_descriptor.h"
#include "transports/tcp/tcp_inbox.h"
#include "transports/tcp/tcp_outbox.h"

namespace unirack {

class TcpTransport;

class TcpEndpoint final : public Endpoint, private TcpFrameHandler {
 public:
  TcpEndpoint(TcpTransport& transport, uint64_t id, Rank peer, int path, Token connect_token);
  ~TcpEndpoint() override;

  Result<Remote> import(BytesView descriptor) override;
  size_t put(std::span<const Copy> copies, const Signal* signal, Token token) override;
  size_t get(std::span<const Copy> copies, Token token) override;
  Status close(Deadline deadline) override;

  uint64_t id() const { return id_; }  // names its socket's events
  Rank peer() const { return state_.peer(); }
  int path() const { return path_; }
  bool is_connecting() const { return state_.is_connecting(); }
  bool is_over() const { return state_.is_over(); }

  // The connection, once both ends have proved who they are.
  void attach(UniqueFd fd);
  void fail(Error reason);
  void on_readable(uint64_t bytes_max);
  void on_writable();
  // Whether frames are ready and the socket may take them.
  bool has_work() const;
  void flush(uint64_t bytes_max);
  // The region's memory is used no more.
  void retire(RegionId region) { outbox_.retire(region); }

 private:
  struct Answer {
    uint32_t tag = 0;
    RegionId region;
    uint64_t offset = 0;
    uint64_t bytes = 0;
  };

  std::byte* payload_target(const TcpHeader& header, uint64_t at) override;
  Status on_frame(const TcpHeader& header, bool is_whole) override;
  void on_put(const TcpHeader& header, bool is_whole);
  Status deliver(const TcpHeader& header);
  Status on_ask(const TcpHeader& header);
  Status on_reply(const TcpHeader& header, bool is_whole);
  Status on_end(const TcpHeader& header);
  void on_bye();
  QueuedCopy* find_get(uint32_t tag);
  void tell_refused(Code code);

  void fill();
  bool frame_put();
  bool frame_get();
  bool frame_answer();
  bool start_put(QueuedCopy& op);
  void finish_gets();
  void queue_control(TcpHeader::Kind kind, Code code = Code::ok);
  bool is_flushed() const;
  void lose_connection(Error reason);
  void end_all();
  void disconnect();

  TcpTransport& transport_;
  uint64_t id_;
  int path_;
  EndpointState state_;
  UniqueFd fd_;
  TcpInbox inbox_;
  TcpOutbox outbox_;
  std::vector<TcpHeader> controls_;  // go before everything else
  OpQueue puts_;
  OpQueue gets_;
  size_t gets_asked_ = 0;   // of those in the queue
  uint32_t first_tag_ = 0;  // of the oldest in the queue
  std::vector<Answer> answers_;
  std::vector<Token> sent_;
  bool skip_signal_ = false;          // outbound: bytes before it were refused
  bool skip_inbound_signal_ = false;  // the same for the peer's
  Code inbound_refusal_ = Code::ok;
  bool is_blocked_ = false;
  bool is_closing_ = false;
  bool is_closed_ = false;
  bool is_ending_ = false;  // over, but frames that borrow their payload are still being sent
  bool is_bye_confirmed_ = false;
};

}  // namespace unirack
