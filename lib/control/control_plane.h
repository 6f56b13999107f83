// One rank's place in the pool: joins it, holds the control connections, watches the peers, and
// turns the first evidence of a failure into a verdict that every rank learns.
//
// Owned by the communicator. One control thread per instance owns the sockets and runs the pure
// machines (bootstrap, failure_detector, membership); every method here may be called from any
// thread unless it says otherwise. Nothing here is called on the fast path except verdict() (one
// acquire load) and publish() (a few relaxed stores).
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "lib/base/clock.h"
#include "lib/base/config.h"
#include "lib/base/result.h"
#include "lib/control/unique_id.h"

namespace unirack {

// What a rank is doing, as heartbeats carry it. `request` and `count` are opaque to the control
// plane except for equality; the describe function given at join turns them into words.
struct Activity {
  uint64_t sequence = 0;  // operations entered so far; 0 is none
  uint64_t request = 0;   // packed operation, type, reduction, root
  uint64_t count = 0;     // elements
  uint32_t step = 0;
  Rank waiting_for = kNoRank;
  bool busy = false;  // an operation is in progress
};

// The one failure that ends the pool: the lowest (sequence, culprit) of all evidence.
struct Verdict {
  uint64_t sequence = 0;
  Error error;  // code and culprit are the same on every rank
};

struct JoinRequest {
  UniqueId id;
  Rank rank = 0;
  int rank_count = 1;
  std::vector<std::byte> card;  // opaque bytes every rank gets of every other; at most 16 KiB
  const Config* config = nullptr;
  // Words for (request, count): "all_reduce float sum x 1024".
  std::function<std::string(uint64_t request, uint64_t count)> describe;
  // Answers a peer's ask(); called on the control thread; must not block.
  std::function<Result<std::vector<std::byte>>(Rank asker, std::span<const std::byte> question)>
      answer;
  // Called on the control thread at least every `progress_interval` while anything is in progress,
  // and at every heartbeat; returns when it wants to be called next (kNoDeadline: at the next kick
  // or heartbeat).
  std::function<TimePoint()> progress;
  // Called once, on the control thread, when a verdict stands: wakes whoever sleeps.
  std::function<void()> on_verdict;
};

class ControlPlane {
 public:
  // Blocks until all ranks have joined and all control connections stand, or says by the join
  // deadline who is missing and which addresses were refused.
  static Result<std::unique_ptr<ControlPlane>> join(JoinRequest request);
  virtual ~ControlPlane() = default;

  virtual std::span<const std::byte> card(Rank rank) const = 0;
  // Same on all ranks of this pool, differs between pools.
  virtual uint64_t instance() const = 0;

  // All-gather of small blobs (at most 32 KiB) over the control connections; calls are matched in
  // order. Blocks.
  virtual Result<std::vector<std::vector<std::byte>>> exchange(std::span<const std::byte> mine,
                                                               Deadline deadline) = 0;
  // Asks a peer; the answer (at most 32 KiB) is delivered on the control thread.
  virtual void ask(Rank peer, std::span<const std::byte> question,
                   std::function<void(Result<std::vector<std::byte>>)> on_answer) = 0;

  virtual void publish(const Activity& activity) = 0;
  // Null while all is well.
  virtual const Verdict* verdict() const = 0;
  // Local evidence. The first becomes a verdict and is flooded; returns the verdict in force.
  virtual void report(uint64_t sequence, Error error) = 0;
  // A peer called something else at this sequence: finds the minority and reports it.
  virtual void report_mismatch(uint64_t sequence) = 0;
  // An operation's deadline passed while this rank waited for `peer`: follows who waits for whom to
  // the root of the chain and reports it.
  virtual void report_stall(uint64_t sequence, Rank peer) = 0;
  // Wakes the control thread to run `progress`.
  virtual void kick() = 0;
  // Leaves in order: tells peers, so that the closed connections are no failure. Idempotent.
  virtual void leave() = 0;
};

}  // namespace unirack
