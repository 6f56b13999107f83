#include "lib/control/activity_board.h"

#include <algorithm>

namespace unirack {
namespace {

constexpr int kTriesMax = 64;
constexpr auto kAcquire = std::memory_order_acquire;
constexpr auto kRelease = std::memory_order_release;

}  // namespace

// Every store is a release and every load an acquire, so that a reader that sees any of a write's
// stores also sees that the version has moved. On x86 these are plain moves.
void ActivityBoard::publish(const Activity& activity) {
  const uint64_t version = version_.load(std::memory_order_relaxed);
  version_.store(version + 1, kRelease);
  Slot& slot = slots_[activity.sequence % kEnteredMax];
  slot.sequence.store(activity.sequence, kRelease);
  slot.request.store(activity.request, kRelease);
  slot.count.store(activity.count, kRelease);
  sequence_.store(activity.sequence, kRelease);
  const auto waiting = static_cast<uint32_t>(activity.waiting_for);
  step_and_waiting_.store(uint64_t{activity.step} << 32 | waiting, kRelease);
  busy_.store(activity.busy, kRelease);
  version_.store(version + 2, kRelease);
}

const ActivityBoard::Snapshot& ActivityBoard::read() {
  Snapshot snapshot;
  for (int tries = 0; tries < kTriesMax; ++tries) {
    if (!try_read(snapshot)) continue;
    last_ = std::move(snapshot);
    break;
  }
  return last_;
}

bool ActivityBoard::try_read(Snapshot& snapshot) const {
  const uint64_t before = version_.load(kAcquire);
  if (before % 2 != 0) return false;
  snapshot.entered.clear();
  Activity& activity = snapshot.activity;
  activity.sequence = sequence_.load(kAcquire);
  for (const Slot& slot : slots_) {
    const Entered entered{slot.sequence.load(kAcquire), slot.request.load(kAcquire),
                          slot.count.load(kAcquire)};
    if (entered.sequence == 0) continue;
    snapshot.entered.push_back(entered);
    if (entered.sequence != activity.sequence) continue;
    activity.request = entered.request;
    activity.count = entered.count;
  }
  const uint64_t step_and_waiting = step_and_waiting_.load(kAcquire);
  activity.step = static_cast<uint32_t>(step_and_waiting >> 32);
  activity.waiting_for = static_cast<Rank>(static_cast<uint32_t>(step_and_waiting));
  activity.busy = busy_.load(kAcquire);
  if (version_.load(std::memory_order_relaxed) != before) return false;
  std::sort(snapshot.entered.begin(), snapshot.entered.end(),
            [](const Entered& a, const Entered& b) { return a.sequence < b.sequence; });
  return true;
}

}  // namespace unirack
