// What happens when, but for the ends of flows: the earliest first, and of one time what was pushed
// first. Ranks that are alike do the same things at the same times, so events are kept by time, and
// only times are sorted. A value owned by one simulation.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace unirack {

enum class RunEventKind : uint8_t { wake, arrive, land_get, land_read, request, engine };

struct RunEvent {
  RunEventKind kind = RunEventKind::wake;
  uint32_t index = 0;   // thread or signal
  uint32_t detail = 0;  // step
  uint32_t cause = 0;   // the activity that led to it
  uint64_t tile = 0;
};

class EventQueue {
 public:
  EventQueue();

  bool empty() const { return heap_.empty(); }
  uint64_t first_ticks() const { return heap_.front().ticks; }
  void push(uint64_t ticks, const RunEvent& event);
  // Takes out the first.
  RunEvent pop();
  void shift(uint64_t by_ticks);

  // Calls `look(ticks, event)` for all of them, in no order.
  template <typename Look>
  void for_each(Look look) const {
    for (const Moment& moment : heap_) {
      const Bunch& bunch = bunches_[moment.bunch];
      for (std::size_t i = bunch.head; i < bunch.events.size(); ++i)
        look(moment.ticks, bunch.events[i]);
    }
  }

 private:
  // Events of one time, pushed one after the other.
  struct Bunch {
    std::vector<RunEvent> events;
    std::size_t head = 0;
  };
  // A time may come several times: what was pushed later is in a later bunch.
  struct Moment {
    uint64_t ticks = 0;
    uint64_t order = 0;
    uint32_t bunch = 0;

    bool operator<(const Moment& other) const {
      return ticks != other.ticks ? ticks < other.ticks : order < other.order;
    }
  };
  // The bunch that still takes events of a time.
  struct OpenBunch {
    uint64_t ticks = UINT64_MAX;
    uint32_t bunch = 0;
  };
  static constexpr std::size_t kOpenBunches = 256;

  static std::size_t place_of(uint64_t ticks);
  uint32_t begin_bunch(uint64_t ticks);
  void drop_first();

  std::vector<Moment> heap_;
  std::vector<Bunch> bunches_;
  std::vector<uint32_t> free_;  // bunches
  std::array<OpenBunch, kOpenBunches> open_;
  uint64_t order_ = 0;
};

}  // namespace unirack
