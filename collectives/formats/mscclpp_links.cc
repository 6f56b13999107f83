#include "collectives/formats/mscclpp_links.h"

#include <fmt/format.h>

namespace unirack {

MscclppLinks::MscclppLinks(const Schedule& schedule)
    : schedule_(&schedule),
      peers_(static_cast<size_t>(schedule.header().rank_count)),
      semaphores_(static_cast<size_t>(schedule.header().rank_count), 0) {}

Result<MscclppLinks> MscclppLinks::find(const Schedule& schedule) {
  MscclppLinks links(schedule);
  const auto lanes = static_cast<int>(schedule.program_view(0).lanes.size());
  for (Rank rank = 0; rank < schedule.header().rank_count; ++rank) {
    for (int lane = 0; lane < lanes; ++lane) {
      links.find_hosts({rank, lane});
      UNIRACK_TRY(links.match_waits({rank, lane}));
    }
  }
  links.schedule_ = nullptr;
  return links;
}

void MscclppLinks::find_hosts(LaneId at) {
  const Program& program = schedule_->program_view(at.rank);
  std::set<Rank>& hosts = hosts_[at];
  for (const Step& step : program.lanes[static_cast<size_t>(at.lane)].steps) {
    if (step.op == Op::signal || step.op == Op::wait) continue;
    hosts.insert(step.target.rank);
    for (uint32_t i = 0; i < step.sources.count; ++i) {
      hosts.insert(program.sources[step.sources.first + i].rank);
    }
  }
  hosts.erase(at.rank);
  for (const Rank host : hosts) join(at, {host, 0});
}

// Values of a lane rise, so the first that is high enough answers.
Status MscclppLinks::match_waits(LaneId at) {
  const auto& steps = schedule_->program_view(at.rank).lanes[static_cast<size_t>(at.lane)].steps;
  std::map<LaneId, uint32_t> heard;  // the next signal of that lane that was not taken
  for (uint32_t i = 0; i < steps.size(); ++i) {
    const Step& wait = steps[i];
    // Of a record the handshake at the begin speaks, and there is no earlier tile.
    if (wait.op != Op::wait || wait.value.v == 0 || wait.value.tiles_back > 0) continue;
    const LaneId writer{wait.peer, wait.peer_lane};
    const auto& others = schedule_->program_view(wait.peer).lanes[wait.peer_lane].steps;
    uint32_t signal = 0;
    const auto answers = [&](const Step& step) {
      return step.op == Op::signal && step.peer == at.rank && step.value.v >= wait.value.v;
    };
    while (signal < others.size() && !answers(others[signal])) ++signal;
    if (signal == others.size()) {
      return make_error(Code::invalid_argument,
                        fmt::format("rank {} lane {} step {} waits for a signal that rank {} lane "
                                    "{} never sends",
                                    at.rank, at.lane, i, writer.rank, writer.lane));
    }
    uint32_t& next = heard[writer];
    if (signal < next) continue;
    next = signal + 1;
    if (writer == at) continue;
    readers_[{writer, signal}].push_back(at);
    awaited_.insert({{at, i}, writer});
    join(writer, at);
  }
  return ok_status();
}

void MscclppLinks::join(LaneId a, LaneId b) {
  if (a.rank == b.rank) {
    const auto [at, is_new] = semaphore_ids_.try_emplace({a, b}, semaphore_count(a.rank));
    if (is_new) ++semaphores_[static_cast<size_t>(a.rank)];
    return;
  }
  auto& own = peers_[static_cast<size_t>(a.rank)];
  auto& theirs = peers_[static_cast<size_t>(b.rank)];
  if (!channels_.try_emplace({a, b}, own.size()).second) return;
  channels_.insert({{b, a}, theirs.size()});
  own.push_back(b.rank);
  theirs.push_back(a.rank);
}

std::vector<LaneId> MscclppLinks::visitors(LaneId at) const {
  std::vector<LaneId> visitors;
  if (at.lane != 0) return visitors;
  for (const auto& [visitor, hosts] : hosts_) {
    if (hosts.contains(at.rank)) visitors.push_back(visitor);
  }
  return visitors;
}

const std::set<Rank>& MscclppLinks::hosts(LaneId at) const { return hosts_.at(at); }

const std::vector<LaneId>& MscclppLinks::readers(LaneId at, uint32_t index) const {
  static const std::vector<LaneId> nobody;
  const auto found = readers_.find({at, index});
  return found == readers_.end() ? nobody : found->second;
}

std::optional<LaneId> MscclppLinks::awaited(LaneId at, uint32_t index) const {
  const auto found = awaited_.find({at, index});
  if (found == awaited_.end()) return std::nullopt;
  return found->second;
}

size_t MscclppLinks::channel(LaneId at, LaneId other) const { return channels_.at({at, other}); }

size_t MscclppLinks::semaphore(LaneId writer, LaneId reader) const {
  return semaphore_ids_.at({writer, reader});
}

}  // namespace unirack
