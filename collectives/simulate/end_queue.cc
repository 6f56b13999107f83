#include "collectives/simulate/end_queue.h"

#include <algorithm>

namespace unirack {

void EndQueue::put(uint32_t at, End end) {
  heap_[at] = end;
  place_[end.flow] = at;
}

void EndQueue::rise(uint32_t at, End end) {
  while (at > 0) {
    const uint32_t parent = (at - 1) / kChildren;
    if (!(end < heap_[parent])) break;
    put(at, heap_[parent]);
    at = parent;
  }
  put(at, end);
}

void EndQueue::sink(uint32_t at, End end) {
  const auto size = static_cast<uint32_t>(heap_.size());
  while (at * kChildren + 1 < size) {
    const uint32_t first = at * kChildren + 1;
    const uint32_t last = std::min(first + kChildren, size);
    uint32_t least = first;
    for (uint32_t child = first + 1; child < last; ++child) {
      if (heap_[child] < heap_[least]) least = child;
    }
    if (!(heap_[least] < end)) break;
    put(at, heap_[least]);
    at = least;
  }
  put(at, end);
}

void EndQueue::take_out(uint32_t at) {
  place_[heap_[at].flow] = kAbsent;
  const End last = heap_.back();
  heap_.pop_back();
  if (at == heap_.size()) return;
  if (at > 0 && last < heap_[(at - 1) / kChildren]) {
    rise(at, last);
  } else {
    sink(at, last);
  }
}

uint32_t EndQueue::pop() {
  const uint32_t flow = heap_.front().flow;
  take_out(0);
  return flow;
}

void EndQueue::set(uint32_t flow, uint64_t ticks) {
  if (place_.size() <= flow) place_.resize(flow + 1, kAbsent);
  const End end{ticks, flow};
  if (place_[flow] == kAbsent) {
    heap_.push_back(end);
    rise(static_cast<uint32_t>(heap_.size() - 1), end);
    return;
  }
  const uint32_t at = place_[flow];
  if (end < heap_[at]) {
    rise(at, end);
  } else {
    sink(at, end);
  }
}

void EndQueue::remove(uint32_t flow) {
  if (flow < place_.size() && place_[flow] != kAbsent) take_out(place_[flow]);
}

void EndQueue::shift(uint64_t by_ticks) {
  for (End& end : heap_) end.ticks += by_ticks;
}

}  // namespace unirack
