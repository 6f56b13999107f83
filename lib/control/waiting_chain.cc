#include "lib/control/waiting_chain.h"

#include <algorithm>
#include <string>
#include <vector>

#include "lib/control/rank_list.h"

namespace unirack {
namespace {

constexpr size_t kLinksNamed = 6;

std::string name(Rank rank) { return "rank " + std::to_string(rank); }
std::string operation(uint64_t sequence) { return "operation " + std::to_string(sequence); }

// "rank 0 waits for rank 1, which waits for rank 3, which"
std::string path_text(const std::vector<Rank>& path) {
  std::string text = name(path[0]) + " waits for ";
  const size_t skipped = path.size() > kLinksNamed ? path.size() - kLinksNamed : 0;
  if (skipped > 0) text += std::to_string(skipped) + " others in a row, the last for ";
  for (size_t i = 1 + skipped; i < path.size(); ++i) {
    if (i > 1 + skipped) text += ", which waits for ";
    text += name(path[i]);
  }
  return text + ", which";
}

std::string end_text(const RankView& view, uint64_t sequence) {
  using Condition = RankView::Condition;
  if (view.condition == Condition::lost) return "has failed";
  if (view.condition == Condition::silent) return "does not answer";
  if (view.condition == Condition::left) {
    return "has left the pool after " + std::to_string(view.last_sequence) + " operations";
  }
  const Activity& activity = view.activity;
  if (activity.sequence < sequence) {
    return "has not entered " + operation(sequence) +
           (activity.busy ? " and still works on " : " since it finished ") +
           operation(activity.sequence);
  }
  if (activity.busy) {
    return "makes no progress in " + operation(activity.sequence) + " at step " +
           std::to_string(activity.step);
  }
  return "has finished " + operation(activity.sequence);
}

Error cycle_error(const std::vector<Rank>& path, Rank again) {
  std::vector<Rank> cycle(std::find(path.begin(), path.end(), again), path.end());
  std::sort(cycle.begin(), cycle.end());
  return make_error(Code::timeout, rank_list(cycle) + " wait for each other in a circle",
                    cycle.front());
}

bool is_rank(std::span<const RankView> views, Rank rank) {
  return rank >= 0 && std::cmp_less(rank, views.size());
}

}  // namespace

Error follow_chain(std::span<const RankView> views, Rank from, Rank peer, uint64_t sequence) {
  std::vector<Rank> path{from};
  std::string why;
  for (;;) {
    const RankView& view = views[static_cast<size_t>(peer)];
    path.push_back(peer);
    const Activity& activity = view.activity;
    const Rank next = activity.waiting_for;
    const bool waits = view.condition == RankView::Condition::answers && activity.busy &&
                       is_rank(views, next) && next != peer;
    if (!waits) break;
    if (std::find(path.begin(), path.end(), next) != path.end()) {
      // Whoever has gone on to a later operation owes the earlier one to the rank before it.
      if (activity.sequence > sequence) break;
      return cycle_error(path, next);
    }
    sequence = activity.sequence;
    peer = next;
  }
  const RankView& end = views[static_cast<size_t>(peer)];
  const bool gone =
      end.condition == RankView::Condition::left || end.condition == RankView::Condition::lost;
  return make_error(gone ? Code::peer_failed : Code::timeout,
                    path_text(path) + " " + end_text(end, sequence), peer);
}

}  // namespace unirack
