// Matches the blobs of successive all-gathers, whose frames may come before this rank has started
// its own. Pure; one owner, one thread (the control thread).
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <utility>
#include <vector>

#include "lib/base/bytes.h"

namespace unirack {

class BlobExchange {
 public:
  using Blob = std::vector<std::byte>;

  // A peer cannot be further ahead than this unless its earlier exchanges timed out.
  static constexpr size_t kAheadMax = 16;

  BlobExchange(Rank rank, int rank_count)
      : rank_(rank), waiting_(static_cast<size_t>(rank_count)) {}

  // Returns the index to send `mine` under.
  uint64_t start(BytesView mine);
  bool started() const { return started_; }
  Status heard(Rank peer, uint64_t index, BytesView blob);
  bool has(Rank peer) const;
  // Ranks whose blob is missing.
  std::vector<Rank> missing() const;
  // All blobs by rank, once none is missing; ends the exchange.
  std::vector<Blob> finish();
  // Ends it without a result; blobs that still come for it are dropped.
  void give_up();

 private:
  using Indexed = std::pair<uint64_t, Blob>;

  void next();

  Rank rank_;
  std::vector<std::deque<Indexed>> waiting_;  // by rank, rising index
  uint64_t index_ = 1;                        // of the exchange that is, or comes next
  bool started_ = false;
};

}  // namespace unirack
