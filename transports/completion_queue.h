// Completions that wait to be polled. Owned by a transport and used by the thread that owns it; in
// the steady state it does not allocate.
#pragma once

#include <span>
#include <vector>

#include "transports/transport.h"

namespace unirack {

class CompletionQueue {
 public:
  void push(Token token, Status status);
  bool empty() const { return next_ == waiting_.size(); }
  size_t drain(std::span<Completion> completions);

 private:
  std::vector<Completion> waiting_;
  size_t next_ = 0;
};

}  // namespace unirack
