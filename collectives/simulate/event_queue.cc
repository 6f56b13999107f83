#include "collectives/simulate/event_queue.h"

#include <algorithm>

namespace unirack {

namespace {

struct Later {
  template <typename Moment>
  bool operator()(const Moment& a, const Moment& b) const {
    return b < a;
  }
};

}  // namespace

EventQueue::EventQueue() { open_.fill({}); }

size_t EventQueue::place_of(uint64_t ticks) {
  return static_cast<size_t>((ticks * 0x9e3779b97f4a7c15ull) >> 56) % kOpenBunches;
}

uint32_t EventQueue::begin_bunch(uint64_t ticks) {
  auto bunch = static_cast<uint32_t>(bunches_.size());
  if (free_.empty()) {
    bunches_.emplace_back();
  } else {
    bunch = free_.back();
    free_.pop_back();
  }
  heap_.push_back({ticks, order_++, bunch});
  std::push_heap(heap_.begin(), heap_.end(), Later());
  return bunch;
}

void EventQueue::push(uint64_t ticks, const RunEvent& event) {
  OpenBunch& open = open_[place_of(ticks)];
  if (open.ticks != ticks) open = {ticks, begin_bunch(ticks)};
  bunches_[open.bunch].events.push_back(event);
}

RunEvent EventQueue::pop() {
  Bunch& first = bunches_[heap_.front().bunch];
  const RunEvent event = first.events[first.head++];
  if (first.head == first.events.size()) drop_first();
  return event;
}

void EventQueue::drop_first() {
  const Moment first = heap_.front();
  std::pop_heap(heap_.begin(), heap_.end(), Later());
  heap_.pop_back();
  OpenBunch& open = open_[place_of(first.ticks)];
  if (open.ticks == first.ticks && open.bunch == first.bunch) open = {};
  bunches_[first.bunch].events.clear();
  bunches_[first.bunch].head = 0;
  free_.push_back(first.bunch);
}

void EventQueue::shift(uint64_t by_ticks) {
  for (Moment& moment : heap_) moment.ticks += by_ticks;
  open_.fill({});
}

}  // namespace unirack
