#include "transports/completion_queue.h"

#include <utility>

namespace unirack {

void CompletionQueue::push(Token token, Status status) {
  if (token != kNoToken) waiting_.push_back({token, std::move(status)});
}

size_t CompletionQueue::drain(std::span<Completion> completions) {
  size_t count = 0;
  while (count < completions.size() && !empty()) {
    completions[count++] = std::move(waiting_[next_++]);
  }
  if (empty()) {
    waiting_.clear();
    next_ = 0;
  }
  return count;
}

}  // namespace unirack
