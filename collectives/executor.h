// Runs programs on host memory: the only reader of a schedule that moves bytes.
//
// advance() takes each lane of an operation as far as it goes without waiting. It owns nothing: the
// engine owns links, memory and operations, and calls from the thread that owns the engine.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "collectives/operation.h"
#include "collectives/peer_link.h"

namespace unirack {

// What the engine lends the executor.
struct Workplace {
  Rank rank = 0;
  std::vector<PeerLink>* links = nullptr;  // by rank; the own entry has no paths
  std::byte* inbox = nullptr;
  std::byte* scratch = nullptr;
  uint64_t window_bytes = 0;  // scratch of one operation
  uint64_t finished = 0;      // collectives finished here, without gaps
  // Begins to resolve a region of a peer; the link's entry changes state when it is known.
  std::function<void(PeerLink&, uint32_t region)> resolve;
};

// What a token stands for.
enum class TokenKind : uint8_t { put, get, record, connect };
struct TokenParts {
  uint64_t operation = 0;  // connect: the peer
  uint32_t lane = 0;
  TokenKind kind = TokenKind::put;
};
constexpr Token make_token(const TokenParts& parts) {
  return (parts.operation + 1) << 8 | uint64_t{parts.lane} << 2 | static_cast<uint64_t>(parts.kind);
}
constexpr TokenParts split_token(Token token) {
  return {(token >> 8) - 1, static_cast<uint32_t>(token >> 2 & 0x3f),
          static_cast<TokenKind>(token & 3)};
}

class Executor {
 public:
  explicit Executor(Workplace& workplace) : at_(workplace) {}

  // Moves the operation on. True if anything moved; an error ends the operation (a mismatch names
  // the member whose record disagrees).
  Result<bool> advance(Operation& operation);
  // Whether every lane is done, every record sent and seen, every token completed.
  static bool is_finished(const Operation& operation);

 private:
  struct Location {
    std::byte* local = nullptr;  // set where this process can touch the bytes
    Remote remote;
    uint64_t offset = 0;
  };
  enum class Outcome : uint8_t { moved, blocked };

  Result<bool> publish(Operation& operation);
  Result<bool> look_for_records(Operation& operation);
  Status check_record(Operation& operation, Rank member, const Record& record);
  Result<bool> run_lane(Operation& operation, uint32_t lane);
  Result<Outcome> step(Operation& operation, uint32_t lane, const Step& step);
  Result<Outcome> wait(Operation& operation, uint32_t lane, const Step& step);
  Result<Outcome> signal(Operation& operation, uint32_t lane, const Step& step);
  Result<Outcome> reduce(Operation& operation, uint32_t lane, const Step& step);
  Result<Outcome> copy(Operation& operation, uint32_t lane, const Step& step);
  Result<Outcome> put_run(Operation& operation, uint32_t lane, Rank member);
  Result<Outcome> get(Operation& operation, uint32_t lane, const Step& step, const Location& source,
                      std::byte* target);

  // Nothing: the location is not known yet, try again.
  Result<bool> locate(Operation& operation, uint32_t lane, const Step& step, const Slice& slice,
                      Location& location);
  Result<bool> locate_remote(Operation& operation, uint32_t lane, const Slice& slice,
                             uint64_t offset, uint64_t bytes, Location& location);
  uint64_t element_offset(const Operation& operation, uint64_t tile, const Step& step,
                          const Slice& slice) const;
  uint64_t slice_bytes(const Operation& operation, uint64_t tile, const Step& step,
                       const Slice& slice) const;
  Signal make_signal(const Operation& operation, uint32_t lane, const Step& step) const;
  PeerLink& link(const Operation& operation, Rank member) {
    return (*at_.links)[static_cast<size_t>(operation.member(member))];
  }

  Workplace& at_;
  std::vector<Copy> run_;  // reused
};

}  // namespace unirack
