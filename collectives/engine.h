// Starts operations, keeps them moving, and waits for them: the progress engine of one
// communicator.
//
// Whoever wins the owner word polls: normally the thread that waits, so a small collective never
// pays a hand-over; the control thread only steps in when work is open and nobody else polls. All
// public methods may be called from any thread; they take the owner word.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "collectives/executor.h"
#include "collectives/fabric.h"
#include "collectives/memory_directory.h"
#include "collectives/operation.h"
#include "lib/base/clock.h"
#include "lib/base/config.h"
#include "lib/base/unique_fd.h"
#include "lib/control/control_plane.h"

namespace unirack {

// A short-held lock that yields to the scheduler instead of sleeping.
class OwnerWord {
 public:
  bool try_lock() { return !held_.exchange(true, std::memory_order_acquire); }
  void lock();
  void unlock() { held_.store(false, std::memory_order_release); }

 private:
  std::atomic<bool> held_ = false;
};

class Engine {
 public:
  static Result<std::unique_ptr<Engine>> create(std::unique_ptr<Fabric> fabric,
                                                ControlPlane& control, const Config& config);
  ~Engine();

  // Queues the operation and starts it when its turn comes. The id is for wait() and test().
  Result<uint64_t> submit(Launch launch);
  // Until the operation is done or has failed; forgets it.
  Status wait(uint64_t id);
  // Nothing while it is under way; forgets it otherwise. Makes progress.
  std::optional<Status> test(uint64_t id);

  // Steps once if nobody else does; returns when it wants to be called again. For the control
  // thread.
  TimePoint background();
  // Wakes a waiter that sleeps.
  void wake();

  Result<std::byte*> allocate(uint64_t bytes);
  Status release(const std::byte* data);
  Result<uint32_t> add_memory(std::byte* data, uint64_t bytes);
  Status remove_memory(uint32_t id);
  bool is_symmetric(const void* data, uint64_t bytes);
  Result<std::vector<std::byte>> answer(std::span<const std::byte> question);

  const Topology& topology() const { return fabric_->topology; }
  const Fabric& fabric() const { return *fabric_; }

 private:
  Engine(std::unique_ptr<Fabric> fabric, ControlPlane& control, const Config& config);
  void set_patience();
  Status open_epoll();
  Status watch(int fd);

  // A waiter since it last saw anything move.
  struct Idle {
    int turns = 0;
    TimePoint since;
  };

  bool step();
  bool advance_all();
  bool poll_transports();
  void complete(const Completion& completion);
  void take_answers();
  void start_queued();
  bool can_start(const Operation& operation) const;
  Status start(Operation& operation);
  Status bind_buffers(Operation& operation);
  void write_record(const Operation& operation, size_t member, Meeting& meeting) const;
  void begin_meetings(Operation& operation);
  void finish(Operation& operation, Status status);
  void fail_all(const Error& error);
  void handle_error(Operation& operation, const Error& error);
  void check_suspects();
  void count_finished();
  void publish(const Operation* operation);
  void resolve(PeerLink& link, uint32_t region);
  Operation* find(uint64_t id);
  Operation* take_free();
  std::optional<Status> harvest(uint64_t id);
  void check_deadline(uint64_t id);
  // What heartbeats compare: send and receive do not count.
  uint64_t sequence_of(const Operation& operation) const {
    return operation.is_collective ? operation.collective + 1 : collectives_;
  }
  void rest(std::unique_lock<OwnerWord>& owner, Idle& idle, uint64_t id);
  void sleep_once(std::unique_lock<OwnerWord>& owner, Deadline until);

  // How long a waiter spins, then yields, before it sleeps.
  struct Patience {
    bool spins = true;
    Duration spin{};
    Duration yield{};
  };

  struct Answer {
    Rank peer = kNoRank;
    uint32_t region = 0;
    Result<std::vector<std::byte>> content;
  };
  // A link whose transport has failed; the control plane may know more, so it gets a moment.
  struct Suspect {
    Rank peer = kNoRank;
    TimePoint since;
    Error error;
  };

  std::unique_ptr<Fabric> fabric_;
  ControlPlane& control_;
  const Config& config_;
  MemoryDirectory directory_;
  Workplace workplace_;
  Executor executor_;
  Patience patience_;
  OwnerWord owner_;
  std::atomic<int> waiters_ = 0;

  std::vector<std::unique_ptr<Operation>> operations_;  // all that exist
  std::deque<Operation*> queued_;                       // in issue order
  std::vector<Operation*> running_;                     // in issue order
  uint64_t next_id_ = 1;
  uint64_t collectives_ = 0;  // started or queued
  Activity activity_;
  std::vector<Suspect> suspects_;
  std::vector<Completion> completions_;
  bool has_failed_ = false;
  Error failure_;

  std::mutex answers_mutex_;
  std::vector<Answer> answers_;
  std::atomic<bool> has_answers_ = false;

  UniqueFd epoll_;
  UniqueFd wake_;
  std::vector<int> watched_;  // transports' descriptors in epoll_
};

}  // namespace unirack
