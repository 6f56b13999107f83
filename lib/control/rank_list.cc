#include "lib/control/rank_list.h"

#include <vector>

namespace unirack {
namespace {

constexpr size_t kRunsMax = 12;

std::string run_text(Rank first, Rank last) {
  if (first == last) return std::to_string(first);
  return std::to_string(first) + (last == first + 1 ? ", " : "-") + std::to_string(last);
}

}  // namespace

std::string rank_list(std::span<const Rank> ranks) {
  if (ranks.empty()) return "no rank";
  std::vector<std::string> runs;
  size_t shown = 0;
  while (shown < ranks.size() && runs.size() < kRunsMax) {
    size_t last = shown;
    while (last + 1 < ranks.size() && ranks[last + 1] == ranks[last] + 1) ++last;
    runs.push_back(run_text(ranks[shown], ranks[last]));
    shown = last + 1;
  }
  std::string text = ranks.size() == 1 ? "rank " : "ranks ";
  const bool cut = shown < ranks.size();
  for (size_t i = 0; i < runs.size(); ++i) {
    if (i > 0) text += i + 1 == runs.size() && !cut ? " and " : ", ";
    text += runs[i];
  }
  if (cut) text += " and " + std::to_string(ranks.size() - shown) + " more";
  return text;
}

}  // namespace unirack
