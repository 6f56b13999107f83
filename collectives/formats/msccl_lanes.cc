#include "collectives/formats/msccl_lanes.h"

#include <algorithm>
#include <iterator>

namespace unirack {

MscclLanes::MscclLanes(int rank_count, int lane_count)
    : rank_count_(rank_count),
      lane_count_(lane_count),
      lanes_(static_cast<size_t>(rank_count) * static_cast<size_t>(lane_count)) {}

void MscclLanes::copy_first(LaneId at, uint32_t part, Slice target, Slice source) {
  const Step step{.op = Op::copy, .begin = part, .end = part + 1, .target = target};
  work(at).first.push_back({step, {source}});
}

void MscclLanes::copy(LaneId at, uint32_t part, Slice target, Slice source) {
  const Step step{.op = Op::copy, .begin = part, .end = part + 1, .target = target};
  work(at).actions.push_back({step, {source}});
}

void MscclLanes::reduce(LaneId at, uint32_t part, Slice target, std::vector<Slice> sources) {
  const Step step{.op = Op::reduce, .begin = part, .end = part + 1, .target = target};
  work(at).actions.push_back({step, std::move(sources)});
}

Mark MscclLanes::signal(LaneId at, Rank peer) {
  LaneWork& own = work(at);
  own.actions.push_back({Step{.op = Op::signal}, {}, peer});
  return {at.rank, at.lane, ++own.signals};
}

void MscclLanes::wait(LaneId at, Mark mark) {
  Step step{.op = Op::wait, .peer_lane = static_cast<uint8_t>(mark.lane), .peer = mark.writer};
  step.value.v = mark.v;
  work(at).actions.push_back({step, {}});
}

void MscclLanes::wait_record(LaneId at, Rank peer) {
  if (work(at).records.insert(peer).second) wait(at, {peer, 0, 0});
}

uint32_t MscclLanes::scratch(Rank rank, uint32_t parts, Form form) {
  auto pool = std::find_if(pools_.begin(), pools_.end(), [&](const BlockPool& each) {
    return each.parts == parts && each.form == form;
  });
  if (pool == pools_.end()) {
    pools_.push_back({parts, form, std::vector<uint32_t>(static_cast<size_t>(rank_count_), 0), {}});
    pool = std::prev(pools_.end());
  }
  const uint32_t place = pool->used[static_cast<size_t>(rank)]++;
  if (place == pool->ids.size()) {
    pool->ids.push_back(static_cast<uint32_t>(blocks_.size()));
    blocks_.push_back({parts, form});
  }
  return pool->ids[place];
}

void MscclLanes::note_read(LaneId reader, LaneId writer) {
  if (reader == writer) return;
  work(reader).end_signals.insert(writer.rank);
  work(writer).awaited.insert(reader);
}

// What a lane has written itself it writes again only after its puts have left.
void MscclLanes::note_put(LaneId reader, LaneId writer, LaneId receiver) {
  if (reader == writer) return;
  note_read(reader, writer);
  work(receiver).end_signals.insert(reader.rank);
  work(reader).forwarded.insert(receiver);
}

// The signals at a lane's end follow all others, in the order of their recipients.
Mark MscclLanes::end_mark(LaneId at, Rank recipient) {
  const LaneWork& own = work(at);
  const auto found = own.end_signals.find(recipient);
  const auto place = static_cast<uint32_t>(std::distance(own.end_signals.begin(), found));
  return {at.rank, at.lane, own.signals + place + 1};
}

void MscclLanes::play(Builder& builder, LaneId at, const std::vector<Action>& actions) {
  for (const Action& action : actions) {
    const Parts parts{action.step.begin, action.step.end};
    switch (action.step.op) {
      case Op::copy:
        builder.copy(at.rank, at.lane, parts, action.step.target, action.sources.front());
        break;
      case Op::reduce:
        builder.reduce(at.rank, at.lane, parts, action.step.target, action.sources);
        break;
      case Op::signal:
        (void)builder.signal(at.rank, at.lane, action.recipient);
        break;
      case Op::wait:
        builder.wait(at.rank, at.lane,
                     {action.step.peer, action.step.peer_lane, action.step.value.v});
        break;
    }
  }
}

Schedule MscclLanes::build(ScheduleHeader header) && {
  const bool forwards = std::any_of(lanes_.begin(), lanes_.end(),
                                    [](const LaneWork& each) { return !each.forwarded.empty(); });
  // A tile later everybody knows that what was forwarded has left.
  header.stages = forwards ? 3 : 2;
  Builder builder(std::move(header));
  for (const ScratchBlock& block : blocks_) (void)builder.scratch(block.parts, block.form);
  for (Rank rank = 0; rank < rank_count_; ++rank) {
    for (int lane = 0; lane < lane_count_; ++lane) {
      const LaneId at{rank, lane};
      const LaneWork& own = work(at);
      for (const LaneId& reader : own.awaited) {
        builder.wait(rank, lane, end_mark(reader, rank), 2);
      }
      play(builder, at, own.first);
      play(builder, at, own.actions);
      for (const LaneId& receiver : own.forwarded) {
        builder.wait(rank, lane, end_mark(receiver, rank), 1);
      }
      for (const Rank recipient : own.end_signals) (void)builder.signal(rank, lane, recipient);
    }
  }
  return std::move(builder).build();
}

}  // namespace unirack
