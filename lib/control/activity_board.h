// Where the engine writes what this rank is doing and the control thread reads it: the last
// activity and the last operations entered. One writer at a time, one reader; neither waits for the
// other. A sequence lock: publishing is a dozen plain stores.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <vector>

#include "lib/control/activity.h"

namespace unirack {

class ActivityBoard {
 public:
  void publish(const Activity& activity);

  struct Snapshot {
    Activity activity;
    std::vector<Entered> entered;  // oldest first
  };
  // The latest that could be read whole; the one before if the writer was interrupted half-way.
  const Snapshot& read();

 private:
  struct Slot {
    std::atomic<uint64_t> sequence{0};
    std::atomic<uint64_t> request{0};
    std::atomic<uint64_t> count{0};
  };
  bool try_read(Snapshot& snapshot) const;

  std::atomic<uint64_t> version_{0};  // odd while a write is going on
  std::atomic<uint64_t> sequence_{0};
  std::atomic<uint64_t> step_and_waiting_{0};  // step in the upper half
  std::atomic<bool> busy_{false};
  std::array<Slot, kEnteredMax> slots_;
  Snapshot last_;
};

}  // namespace unirack
