// Ranks in words: "rank 3", "ranks 1, 4-7 and 9", cut off after a dozen runs. For error texts.
// Pure; callable from any thread.
#pragma once

#include <span>
#include <string>

#include "lib/base/result.h"

namespace unirack {

// `ranks` in rising order.
std::string rank_list(std::span<const Rank> ranks);

}  // namespace unirack
