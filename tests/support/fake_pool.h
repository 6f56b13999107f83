// A pool whose control planes live in one process and need no sockets: ranks as threads join,
// exchange and ask; a reported failure becomes everyone's verdict at once. For tests of what stands
// on the control plane.
#pragma once

#include <atomic>
#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <vector>

#include "lib/control/control_plane.h"

namespace unirack::testing {

class FakePool {
 public:
  explicit FakePool(int rank_count) : requests_(static_cast<size_t>(rank_count)) {}

  // Blocks until all ranks have called it.
  std::unique_ptr<ControlPlane> join(JoinRequest request);

 private:
  friend class FakeControl;

  std::vector<std::vector<std::byte>> exchange(Rank rank, uint64_t number,
                                               std::span<const std::byte> mine);
  void report(uint64_t sequence, const Error& error);

  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<JoinRequest> requests_;
  size_t joined_ = 0;
  struct Round {
    std::vector<std::vector<std::byte>> blobs;
    size_t count = 0;
  };
  std::map<uint64_t, Round> rounds_;
  std::atomic<const Verdict*> verdict_ = nullptr;
  Verdict first_verdict_;
};

}  // namespace unirack::testing
