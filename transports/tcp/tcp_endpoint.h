// One path to a peer. Puts become frames whose payload the peer receives straight into its region;
// a get asks the peer, which sends from its region; a signal rides in the header of the last frame
// of its put. What the peer's frames ask for is checked against our region table, every time bytes
// are about to move.
//
// A path is one connection at a time. Where both ends have several rails and the connection breaks,
// or gets no answer, the lower rank dials over the next rail and both go on where they were
// (tcp_recovery.cc); nobody above notices.
//
// Owned by the caller of connect(), used by the thread that owns the transport.
#pragma once

#include <optional>
#include <vector>

#include "transports/endpoint_state.h"
#include "transports/op_queue.h"
#include "transports/region_descriptor.h"
#include "transports/tcp/tcp_address.h"
#include "transports/tcp/tcp_inbox.h"
#include "transports/tcp/tcp_outbox.h"

namespace unirack {

class TcpTransport;

class TcpEndpoint final : public Endpoint, private TcpFrameHandler {
 public:
  TcpEndpoint(TcpTransport& transport, uint64_t id, Rank peer, int path,
              std::vector<TcpRail> peer_rails, TrafficClass traffic_class, Token connect_token);
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
  const std::vector<TcpRail>& peer_rails() const { return peer_rails_; }
  // Which rail of ours the dialled connection uses.
  size_t rail() const { return rail_; }
  void set_rail(size_t rail) { rail_ = rail; }
  // Survives the loss of its connection.
  bool is_resumable() const { return is_resumable_; }

  // The connection, once both ends have proved who they are.
  void attach(UniqueFd fd);
  void fail(Error reason);
  void on_readable(uint64_t bytes_max);
  void on_writable();
  // Whether frames are ready and the socket may take them.
  bool has_work() const;
  void flush(uint64_t bytes_max);
  // Now and then: whether the peer still answers, and whether a lost connection came back in time.
  void check_rail(TimePoint at);
  // This path, or another to the same peer, has lost its connection.
  void recover(Error reason);
  // Nobody could be dialled.
  void give_up(Error reason);
  // False when this path cannot tell the peer about another one now.
  bool tell_lost(int path);
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
  void queue_control(TcpHeader::Kind kind, Code code = Code::ok, uint32_t tag = 0);
  void add_aside(TcpHeader::Kind kind);
  bool is_flushed() const;
  bool may_recover() const;
  bool is_recovering() const { return recover_by_ != kNoDeadline; }
  Status on_open(const TcpHeader& header);
  Status on_ack(const TcpHeader& header);
  void count_received(const TcpHeader& header);
  void complete_sent();
  void lose_connection(Error reason);
  void end_all();
  void hang_up();          // the socket only
  void drop_connection();  // what was on its way will go again
  void disconnect();       // what was on its way is given up

  TcpTransport& transport_;
  uint64_t id_;
  int path_;
  std::vector<TcpRail> peer_rails_;
  TrafficClass traffic_class_;
  bool is_resumable_;
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

  uint64_t received_count_ = 0;        // numbered frames dealt with
  uint64_t unanswered_count_ = 0;      // of these, since the peer was told
  Deadline recover_by_ = kNoDeadline;  // set while the connection is lost
  Error lost_by_;
  std::optional<TimePoint> silent_since_;
  int refusal_count_ = 0;
  size_t rail_ = 0;
};

}  // namespace unirack
