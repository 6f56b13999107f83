// The rings of a link at work: what this side sends through them, and what it does with what the
// peer has sent. Only here is memory of ours written because a peer said so, chunk by chunk after
// the region table has allowed it.
//
// Owned by a link that is ready; used by the thread that owns the transport.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "lib/memory/region_table.h"
#include "lib/memory/shared_memory.h"
#include "transports/shm/shm_ring.h"

namespace unirack {

inline constexpr int kShmPathsMax = 64;

// Where the bytes of a get go that had to be asked of the peer.
class ShmReplySink {
 public:
  virtual ~ShmReplySink() = default;
  // Null if this get takes no such bytes (any more).
  virtual std::byte* reply_target(uint64_t get, uint64_t bytes) = 0;
  virtual void reply_end(uint64_t get, Status status) = 0;
};

class ShmExchange {
 public:
  static constexpr size_t kAsksMax = 16;

  // `side` is 0 for the lower rank.
  ShmExchange(SharedMemory pair, uint32_t ring_bytes, size_t side, RegionTable& regions);
  static size_t pair_bytes(uint32_t ring_bytes) { return sizeof(ShmPair) + 2 * size_t{ring_bytes}; }

  // Each says false, or moves 0 bytes, while the ring is full.
  uint64_t put(uint32_t path, RegionId region, uint64_t offset, const std::byte* source,
               uint64_t bytes);
  bool signal(uint32_t path, RegionId region, uint64_t offset, uint64_t value);
  bool ask(ShmReplySink* sink, uint64_t get, RegionId region, uint64_t offset, uint64_t bytes);
  // Its replies are thrown away from now on.
  void forget(const ShmReplySink* sink);

  // Where our last put or signal ends, and whether the peer has used up all until there.
  uint64_t drain_position() const { return drain_position_; }
  bool is_drained(uint64_t position) { return out_.read_position() >= position; }
  // Whether a signal stored directly could overtake a put.
  bool may_overtake() { return drain_position_ > seen_drained_ && !note_drained(); }
  // What is left in the ring is not to be used.
  void revoke() { mine().is_revoked.store(1, std::memory_order_seq_cst); }

  // The note that guards CMA; see ShmDirection.
  void touch(RegionId region) { mine().touching.store(region.packed(), std::memory_order_seq_cst); }
  void untouch() { mine().touching.store(0, std::memory_order_release); }
  bool is_peer_touching(RegionId region) const {
    return pair_->directions[1 - side_].touching.load(std::memory_order_seq_cst) == region.packed();
  }

  // Takes in what has arrived and answers what was asked, at most about this many bytes. Whether
  // anything moved.
  Result<bool> serve(uint64_t bytes_max);

 private:
  struct Ask {
    uint64_t tag = 0;
    ShmReplySink* sink = nullptr;
    uint64_t get = 0;
  };
  struct Answer {
    uint64_t tag = 0;
    RegionId region;
    uint64_t offset = 0;
    uint64_t bytes = 0;
  };

  ShmDirection& mine() { return pair_->directions[side_]; }
  bool note_drained();
  Status take_in(const ShmRecord& record, const std::byte* payload);
  Status take_ask(const ShmRecord& record);
  Status take_reply(const ShmRecord& record, const std::byte* payload);
  void take_put(const ShmRecord& record, const std::byte* payload);
  void take_signal(const ShmRecord& record);
  bool answer_front(uint64_t& bytes_left);
  bool end_front(Code code);

  SharedMemory memory_;
  ShmPair* pair_;
  size_t side_;
  RegionTable& regions_;
  ShmRingWriter out_;
  ShmRingReader in_;
  uint64_t drain_position_ = 0;  // after our last put or signal
  uint64_t seen_drained_ = 0;
  uint64_t next_tag_ = 1;
  std::vector<Ask> asks_;
  std::vector<Answer> answers_;
  uint64_t refused_paths_ = 0;  // one bit each: its next signal is not delivered
};

}  // namespace unirack
