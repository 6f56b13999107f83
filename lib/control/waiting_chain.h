// Who holds everybody up: follows who waits for whom to a rank that waits for nobody, has not come,
// has gone, or does not answer. Pure; callable from any thread.
#pragma once

#include <cstdint>
#include <span>

#include "lib/control/activity.h"

namespace unirack {

struct RankView {
  enum class Condition : uint8_t { answers, silent, left, lost };
  Condition condition = Condition::answers;
  Activity activity;           // the last heard
  uint64_t last_sequence = 0;  // if it left: how many operations it had entered
};

// The error names the rank at the end of the chain and, in words, the way there. `views` is indexed
// by rank; `from` has waited in vain for `peer` in operation `sequence`.
Error follow_chain(std::span<const RankView> views, Rank from, Rank peer, uint64_t sequence);

}  // namespace unirack
