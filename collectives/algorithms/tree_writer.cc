#include "collectives/algorithms/tree_writer.h"

#include <algorithm>
#include <set>
#include <tuple>

namespace unirack {

TreeWriter::TreeWriter(const RankTrees& trees, ScheduleHeader header, bool up, bool down)
    : trees_(trees),
      header_(std::move(header)),
      layout_(header_.collective, header_.rank_count, header_.root),
      up_(up),
      down_(down) {
  stage_count_ = trees.depth_max * ((up ? 1 : 0) + (down ? 1 : 0));
  // One more, which only waits.
  lane_count_ = std::min(kLanesMax, stage_count_ + 1);
  find_legs();
  if (up_) find_slots();
}

void TreeWriter::find_legs() {
  legs_.resize(stage_count_ + 1);
  for (uint32_t tree = 0; tree < trees_.roots.size(); ++tree) {
    for (Rank rank = 0; rank < trees_.rank_count; ++rank) {
      const Rank parent = trees_.parent[trees_.at(tree, rank)];
      if (parent == kNoRank) continue;
      const uint32_t depth = trees_.depth[trees_.at(tree, rank)];
      if (up_) legs_[trees_.depth_max - depth].push_back({rank, parent, tree});
      const uint32_t first = up_ ? trees_.depth_max : 0;
      if (down_) legs_[first + depth - 1].push_back({parent, rank, tree});
    }
  }
  const int ranks = trees_.rank_count;
  for (auto& legs : legs_) {
    std::sort(legs.begin(), legs.end(), [&](const Leg& a, const Leg& b) {
      return std::tuple(a.from, (a.to - a.from + ranks) % ranks, a.tree) <
             std::tuple(b.from, (b.to - b.from + ranks) % ranks, b.tree);
    });
  }
}

// Everything that arrives at a rank has a place of its own.
void TreeWriter::find_slots() {
  const size_t count = trees_.parent.size();
  children_.resize(count);
  slot_of_.resize(count, 0);
  sum_of_.resize(count, 0);
  for (uint32_t tree = 0; tree < trees_.roots.size(); ++tree) {
    for (Rank rank = 0; rank < trees_.rank_count; ++rank) {
      const Rank parent = trees_.parent[trees_.at(tree, rank)];
      if (parent != kNoRank) children_[trees_.at(tree, parent)].push_back(rank);
    }
  }
  const auto ranks = static_cast<size_t>(trees_.rank_count);
  std::vector<uint32_t> raw(ranks, 0);
  std::vector<uint32_t> partial(ranks, 0);
  std::vector<uint32_t> sums(ranks, 0);
  for (uint32_t tree = 0; tree < trees_.roots.size(); ++tree) {
    for (Rank rank = 0; rank < trees_.rank_count; ++rank) {
      const size_t at = trees_.at(tree, rank);
      if (trees_.parent[at] == kNoRank) continue;
      auto& used = children_[at].empty() ? raw : partial;
      slot_of_[at] = used[static_cast<size_t>(trees_.parent[at])]++;
      if (!children_[at].empty()) sum_of_[at] = sums[static_cast<size_t>(rank)]++;
    }
  }
  raw_slots_ = *std::max_element(raw.begin(), raw.end());
  partial_slots_ = *std::max_element(partial.begin(), partial.end());
  sum_slots_ = *std::max_element(sums.begin(), sums.end());
}

Slice TreeWriter::buffer(Rank rank, BufferId buffer, uint32_t tree) const {
  const uint32_t data = trees_.parts[tree] / header_.chunks;
  const uint32_t block = layout_.blocks(rank, buffer) > 1 ? data : 0;
  return {rank, buffer, block, data * header_.chunks};
}

Slice TreeWriter::arrived(uint32_t tree, Rank child) const {
  const size_t at = trees_.at(tree, child);
  const uint32_t first = children_[at].empty() ? 0 : raw_slots_;
  return scratch(trees_.parent[at], first + slot_of_[at], tree);
}

Schedule TreeWriter::write() && {
  // What a rank says when it has folded is waited for before it is said: the first pass finds out
  // its value, which waits do not change.
  if (up_) {
    taken_.resize(stage_count_ + 1);
    Builder builder(header_);
    write_stages(builder);
  }
  Builder builder(header_);
  write_stages(builder);
  return std::move(builder).build();
}

void TreeWriter::write_stages(Builder& builder) {
  arrivals_.assign(stage_count_ + 1, {});
  entered_.clear();
  for (uint32_t i = 0; i < raw_slots_; ++i) builder.scratch(1, Form::user);
  for (uint32_t i = 0; i < partial_slots_ + sum_slots_; ++i) builder.scratch(1, Form::partial);
  if (!up_) {
    for (uint32_t tree = 0; tree < trees_.roots.size(); ++tree) {
      const Rank root = trees_.roots[tree];
      const Slice source = buffer(root, BufferId::input, tree);
      builder.copy(root, 0, parts_of(tree), buffer(root, BufferId::output, tree), source);
    }
  }
  for (uint32_t stage = 0; stage <= stage_count_; ++stage) write_stage(builder, stage);
}

void TreeWriter::write_stage(Builder& builder, uint32_t stage) {
  // At the end of the way up the roots fold, whether or not they send.
  std::vector<std::vector<Leg>> roots(static_cast<size_t>(trees_.rank_count));
  if (up_ && stage == trees_.depth_max) {
    for (uint32_t tree = 0; tree < trees_.roots.size(); ++tree) {
      const Rank root = trees_.roots[tree];
      roots[static_cast<size_t>(root)].push_back({root, root, tree});
    }
  }
  auto begin = legs_[stage].cbegin();
  for (Rank rank = 0; rank < trees_.rank_count; ++rank) {
    const auto end =
        std::find_if(begin, legs_[stage].cend(), [&](const Leg& leg) { return leg.from != rank; });
    const auto& own = roots[static_cast<size_t>(rank)];
    fold(builder, stage, rank, own.begin(), own.end());
    write_rank(builder, stage, rank, begin, end);
    begin = end;
  }
  if (stage > 0) await_rest(builder, stage);
}

void TreeWriter::await(Builder& builder, uint32_t stage, Rank rank, Rank from) {
  Received& arrival = arrivals_[stage - 1].at({rank, from});
  if (arrival.is_awaited) return;
  builder.wait(rank, lane(stage), arrival.mark);
  arrival.is_awaited = true;
}

// A rank ends no tile before everything has arrived that it was sent.
void TreeWriter::await_rest(Builder& builder, uint32_t stage) {
  for (auto& [ends, arrival] : arrivals_[stage - 1]) {
    if (!arrival.is_awaited) builder.wait(ends.first, lane(stage), arrival.mark);
    arrival.is_awaited = true;
  }
}

// Sums of what has arrived from children, into scratch, or at the root into output.
void TreeWriter::fold(Builder& builder, uint32_t stage, Rank rank,
                      std::vector<Leg>::const_iterator begin,
                      std::vector<Leg>::const_iterator end) {
  std::set<Rank> served;
  for (auto leg = begin; leg != end; ++leg) {
    const size_t at = trees_.at(leg->tree, rank);
    for (const Rank child : children_[at]) served.insert(child);
  }
  for (const Rank child : served) await(builder, stage, rank, child);
  for (auto leg = begin; leg != end; ++leg) {
    const size_t at = trees_.at(leg->tree, rank);
    const bool is_root = trees_.parent[at] == kNoRank;
    if (children_[at].empty() && !is_root) continue;
    std::vector<Slice> sources = {buffer(rank, BufferId::input, leg->tree)};
    for (const Rank child : children_[at]) sources.push_back(arrived(leg->tree, child));
    const Slice sum = is_root ? buffer(rank, BufferId::output, leg->tree)
                              : scratch(rank, raw_slots_ + partial_slots_ + sum_of_[at], leg->tree);
    builder.reduce(rank, lane(stage), parts_of(leg->tree), sum, sources);
  }
  for (const Rank child : served) {
    taken_[stage - 1][{child, rank}] = builder.signal(rank, lane(stage), child);
  }
}

void TreeWriter::write_rank(Builder& builder, uint32_t stage, Rank rank,
                            std::vector<Leg>::const_iterator begin,
                            std::vector<Leg>::const_iterator end) {
  if (begin == end) return;
  if (is_up(stage)) {
    fold(builder, stage, rank, begin, end);
  } else {
    for (auto leg = begin; leg != end; ++leg) {
      const Rank parent = trees_.parent[trees_.at(leg->tree, rank)];
      if (parent != kNoRank) await(builder, stage, rank, parent);
    }
  }
  for (auto leg = begin; leg != end; ++leg) {
    put(builder, stage, *leg);
    const auto next = leg + 1;
    if (next != end && next->to == leg->to) continue;
    arrivals_[stage][{leg->to, rank}] = {builder.signal(rank, lane(stage), leg->to), false};
  }
}

void TreeWriter::put(Builder& builder, uint32_t stage, const Leg& leg) {
  if (is_up(stage)) {
    const size_t at = trees_.at(leg.tree, leg.from);
    const auto taken = taken_[stage].find({leg.from, leg.to});
    const bool is_new = arrivals_[stage].try_emplace({leg.to, leg.from}).second;
    // The scratch of this stage is free again.
    if (is_new && taken != taken_[stage].end()) {
      builder.wait(leg.from, lane(stage), taken->second, header_.stages);
    }
    const Slice source =
        children_[at].empty()
            ? buffer(leg.from, BufferId::input, leg.tree)
            : scratch(leg.from, raw_slots_ + partial_slots_ + sum_of_[at], leg.tree);
    builder.copy(leg.from, lane(stage), parts_of(leg.tree), arrived(leg.tree, leg.from), source);
    return;
  }
  auto& entered = entered_[{leg.from, lane(stage)}];
  entered.resize(static_cast<size_t>(trees_.rank_count), false);
  if (!entered[static_cast<size_t>(leg.to)]) {
    builder.wait_record(leg.from, lane(stage), leg.to);
    entered[static_cast<size_t>(leg.to)] = true;
  }
  builder.copy(leg.from, lane(stage), parts_of(leg.tree),
               buffer(leg.to, BufferId::output, leg.tree),
               buffer(leg.from, BufferId::output, leg.tree));
}

}  // namespace unirack
