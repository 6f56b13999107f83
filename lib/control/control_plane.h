// One rank's place in the pool: joins it, holds the control connections, watches the peers, and
// turns the first evidence of a failure into a verdict that every rank learns.
//
// Owned by the communicator. One control thread per instance owns the sockets and runs the pure
// machines (bootstrap, failure_detector, membership); every method here may be called from any
// thread unless it says otherwise. Nothing here is called on the fast path except verdict() (one
// acquire load) and publish() (a few relaxed stores).
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "lib/base/clock.h"
#include "lib/base/config.h"
#include "lib/base/result.h"
#include "lib/control/activity.h"
#include "lib/control/rendezvous.h"
#include "lib/control/unique_id.h"

namespace unirack {

struct JoinRequest {
  UniqueId id;
  Rank rank = 0;
  int rank_count = 1;
  std::vector<std::byte> card;     // opaque bytes every rank gets of every other; at most 16 KiB
  const Config* config = nullptr;  // read by join() only
  // Given the rendezvous that rank 0 opened by UNIRACK_RENDEZVOUS, when the join has failed: as
  // long as it is kept, ranks that come late learn why. Called by join() itself.
  std::function<void(std::unique_ptr<Rendezvous>)> keep_rendezvous;
  // Words for (request, count): "all_reduce float sum x 1024".
  std::function<std::string(uint64_t request, uint64_t count)> describe;
  // The callbacks below run on the control thread and must not block. They may run before join()
  // has returned, and never after leave() has.
  // Answers a peer's ask().
  std::function<Result<std::vector<std::byte>>(Rank asker, std::span<const std::byte> question)>
      answer;
  // Called at every heartbeat (a tenth of the peer timeout, at most 100 ms), at every kick and when
  // it asked to be: it returns when it wants to be called next (kNoDeadline: not before the next
  // kick or heartbeat).
  std::function<TimePoint()> progress;
  // Called once, when a verdict stands: wakes whoever sleeps.
  std::function<void()> on_verdict;
};

class ControlPlane {
 public:
  // Blocks until all ranks have joined and all control connections stand, or says by the join
  // deadline who is missing and which addresses were refused.
  static Result<std::unique_ptr<ControlPlane>> join(const JoinRequest& request);
  virtual ~ControlPlane() = default;

  virtual std::span<const std::byte> card(Rank rank) const = 0;
  // Same on all ranks of this pool, differs between pools.
  virtual uint64_t instance() const = 0;

  // All-gather of small blobs (at most 32 KiB) over the control connections; calls are matched in
  // order, one at a time. Blocks; not for callbacks. A deadline that passes is the caller's error,
  // which names who is missing, and no verdict.
  virtual Result<std::vector<std::vector<std::byte>>> exchange(std::span<const std::byte> mine,
                                                               Deadline deadline) = 0;
  // Asks a peer (or this rank itself) at most 32 KiB; the answer, or why there is none, is
  // delivered on the control thread, exactly once (after leave(), from
  // within ask()).
  virtual void ask(Rank peer, std::span<const std::byte> question,
                   std::function<void(Result<std::vector<std::byte>>)> on_answer) = 0;

  // By one thread at a time, and before a peer can see anything of the operation.
  virtual void publish(const Activity& activity) = 0;
  // Null while all is well; once set, the same for ever.
  virtual const Verdict* verdict() const = 0;
  // The reports return at once; a verdict stands soon after (on_verdict): within a round trip or
  // two, at the latest after 0.7 s. It need not be the one reported: the peers may know better.
  // Local evidence.
  virtual void report(uint64_t sequence, Error error) = 0;
  // A peer called something else at this sequence: finds the minority and reports it.
  virtual void report_mismatch(uint64_t sequence) = 0;
  // An operation's deadline passed while this rank waited for `peer`: follows who waits for whom to
  // the root of the chain and reports it.
  virtual void report_stall(uint64_t sequence, Rank peer) = 0;
  // Wakes the control thread to run `progress`.
  virtual void kick() = 0;
  // Leaves in order: tells peers, so that the closed connections are no failure. Blocks for at most
  // half a second; not for callbacks. Idempotent.
  virtual void leave() = 0;
};

}  // namespace unirack
