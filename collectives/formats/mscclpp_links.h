// Who has to hear from whom in a schedule of one tile, as MSCCL++ counts it: every signal of a
// channel is taken by one wait, in order. So two lanes have a channel of their own, a signal is
// sent to the lanes that wait for it, and waits for what has been heard already vanish. Pure.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "collectives/formats/msccl_lanes.h"
#include "collectives/schedule.h"

namespace unirack {

class MscclppLinks {
 public:
  // An error names a wait that no signal answers.
  static Result<MscclppLinks> find(const Schedule& schedule);

  // Lanes of others that touch this rank's memory: its first lane tells them that it has begun.
  std::vector<LaneId> visitors(LaneId at) const;
  // Ranks whose memory this lane touches.
  const std::set<Rank>& hosts(LaneId at) const;
  // Who waits for the signal that is step `index` of this lane.
  const std::vector<LaneId>& readers(LaneId at, uint32_t index) const;
  // Whose signal step `index`, a wait, takes; nothing: it need not wait.
  std::optional<LaneId> awaited(LaneId at, uint32_t index) const;

  // Of the rank of `at`: the number of the channel between the two lanes.
  size_t channel(LaneId at, LaneId other) const;
  // The peers of a rank's channels, by number. Those with one peer pair up in order.
  const std::vector<Rank>& peers(Rank rank) const { return peers_[static_cast<size_t>(rank)]; }
  size_t semaphore(LaneId writer, LaneId reader) const;
  size_t semaphore_count(Rank rank) const { return semaphores_[static_cast<size_t>(rank)]; }

 private:
  using StepKey = std::pair<LaneId, uint32_t>;
  using LanePair = std::pair<LaneId, LaneId>;

  explicit MscclppLinks(const Schedule& schedule);

  void find_hosts(LaneId at);
  Status match_waits(LaneId at);
  void join(LaneId a, LaneId b);

  const Schedule* schedule_;
  std::map<LaneId, std::set<Rank>> hosts_;
  std::map<StepKey, std::vector<LaneId>> readers_;
  std::map<StepKey, LaneId> awaited_;
  std::map<LanePair, size_t> channels_;
  std::map<LanePair, size_t> semaphore_ids_;
  std::vector<std::vector<Rank>> peers_;  // by rank
  std::vector<size_t> semaphores_;        // by rank
};

}  // namespace unirack
