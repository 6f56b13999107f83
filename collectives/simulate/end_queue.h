// When flows end, the earliest first; an end that moves is moved, so that there is one for each
// flow, however often rates change. Flows that end at one time come by their number. A value owned
// by one simulation.
#pragma once

#include <cstdint>
#include <vector>

namespace unirack {

class EndQueue {
 public:
  bool empty() const { return heap_.empty(); }
  uint64_t first_ticks() const { return heap_.front().ticks; }
  // Takes out the first.
  uint32_t pop();
  // Adds a flow, or moves its end.
  void set(uint32_t flow, uint64_t ticks);
  void remove(uint32_t flow);
  void shift(uint64_t by_ticks);

 private:
  struct End {
    uint64_t ticks = 0;
    uint32_t flow = 0;

    bool operator<(const End& other) const {
      return ticks != other.ticks ? ticks < other.ticks : flow < other.flow;
    }
  };
  static constexpr uint32_t kAbsent = UINT32_MAX;
  static constexpr uint32_t kChildren = 4;

  void put(uint32_t at, End end);
  void rise(uint32_t at, End end);
  void sink(uint32_t at, End end);
  void take_out(uint32_t at);

  std::vector<End> heap_;
  std::vector<uint32_t> place_;  // by flow
};

}  // namespace unirack
