// A bounded first-in first-out queue of accepted copies, each with the signal and token that belong
// to it. One endpoint owns it; used by the thread that owns the transport; allocates only when it
// is made.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "lib/memory/copy.h"
#include "transports/transport.h"

namespace unirack {

enum class Direction : uint8_t { put, get };

struct QueuedCopy {
  Direction direction = Direction::put;
  Copy copy;
  std::optional<Signal> signal;
  Token token = kNoToken;
  uint64_t done_bytes = 0;
  CopyKind kind = CopyKind::cached;
  bool is_done = false;
};

class OpQueue {
 public:
  explicit OpQueue(size_t capacity) : ops_(capacity) {}

  bool empty() const { return count_ == 0; }
  size_t size() const { return count_; }
  size_t room() const { return ops_.size() - count_; }

  // The i-th oldest.
  QueuedCopy& operator[](size_t i) { return ops_[(first_ + i) % ops_.size()]; }
  QueuedCopy& front() { return ops_[first_]; }
  void pop() {
    first_ = (first_ + 1) % ops_.size();
    --count_;
  }
  void push(QueuedCopy op) { ops_[(first_ + count_++) % ops_.size()] = std::move(op); }

  // As many copies as fit; signal and token go to the last one, if it fits.
  size_t accept(Direction direction, std::span<const Copy> copies, const Signal* signal,
                Token token) {
    size_t accepted = 0;
    for (const Copy& copy : copies) {
      if (room() == 0) break;
      QueuedCopy op{direction, copy, {}, kNoToken, 0, copy_kind(copy.bytes), false};
      if (++accepted == copies.size()) {
        if (signal != nullptr) op.signal = *signal;
        op.token = token;
      }
      push(op);
    }
    return accepted;
  }

 private:
  std::vector<QueuedCopy> ops_;
  size_t first_ = 0;
  size_t count_ = 0;
};

}  // namespace unirack
