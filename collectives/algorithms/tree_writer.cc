#include "collectives/algorithms/tree_writer.h"

#include <algorithm>
#include <numeric>

namespace unirack {

namespace {

// A root may be ahead by this part of the depth of the trees, in tiles, and by so many at least.
// Found by simulation: with less, links run dry; with more, what is passed on falls behind.
constexpr uint32_t kWindowNumerator = 2;
constexpr uint32_t kWindowDenominator = 3;
constexpr uint32_t kWindowMin = 3;

}  // namespace

TreeWriter::TreeWriter(const RankTrees& trees, ScheduleHeader header, bool up, bool down)
    : trees_(trees),
      header_(std::move(header)),
      layout_(header_.collective, header_.rank_count, header_.root),
      up_(up),
      down_(down) {
  stage_count_ = trees.depth_max * ((up ? 1 : 0) + (down ? 1 : 0));
  // On the way up scratch holds everybody back.
  if (!up_) {
    window_ = std::max(kWindowMin, (trees.depth_max * kWindowNumerator + kWindowDenominator - 1) /
                                       kWindowDenominator);
  }
  find_legs();
  share_lanes();
  if (up_) find_slots();
}

// Where there are too few lanes, stages that follow each other share one; a tile then takes a lane
// as long as it takes them all, so that busy stages are to be alone.
void TreeWriter::share_lanes() {
  lane_count_ = stage_count_ + 1;
  lane_of_.resize(lane_count_);
  std::iota(lane_of_.begin(), lane_of_.end(), 0);
  if (lane_count_ <= kLanesMax) return;
  size_t total = 0;
  for (const auto& legs : legs_) total += legs.size();
  // However little a stage sends, it takes a while.
  const size_t least = total / (2 * stage_count_) + 1;
  const auto share = [&](size_t most) {
    uint32_t lane = 0;
    size_t used = 0;
    for (uint32_t stage = 0; stage < stage_count_; ++stage) {
      const size_t cost = legs_[stage].size() + least;
      if (used > 0 && used + cost > most) {
        ++lane;
        used = 0;
      }
      used += cost;
      lane_of_[stage] = static_cast<int>(lane);
    }
    return lane + 2;  // the last sends nothing
  };
  size_t too_little = 0;
  size_t enough = total + least * stage_count_;
  while (too_little + 1 < enough) {
    const size_t middle = too_little + (enough - too_little) / 2;
    (share(middle) <= kLanesMax ? enough : too_little) = middle;
  }
  lane_count_ = share(enough);
  lane_of_[stage_count_] = static_cast<int>(lane_count_) - 1;
}

// A link is shared equally by those who use it at a time. Where everything that a tree sends from
// one rank to another has a lane of its own, all trees get alike, however many a pair of ranks has.
void TreeWriter::widen_stages() {
  if (up_) return;
  // All that a root sends of a tree it sends from one lane, the one that writes its own output.
  std::vector<uint32_t> rooted(static_cast<size_t>(trees_.rank_count), 0);
  std::vector<uint32_t> root_lanes;
  for (const Rank root : trees_.roots) root_lanes.push_back(rooted[static_cast<size_t>(root)]++);
  std::vector<std::vector<Leg>> wide = legs_;
  std::vector<int> first;
  uint32_t count = 0;
  for (auto& legs : wide) {
    uint32_t width = 1;
    for (size_t i = 0; i < legs.size(); ++i) {
      const bool is_again =
          i > 0 && legs[i].from == legs[i - 1].from && legs[i].to == legs[i - 1].to;
      const uint32_t next = is_again ? legs[i - 1].lane + 1 : 0;
      legs[i].lane = first.empty() ? root_lanes[legs[i].tree] : next;
      width = std::max(width, legs[i].lane + 1);
    }
    std::stable_sort(legs.begin(), legs.end(), [](const Leg& a, const Leg& b) {
      return std::pair(a.from, a.lane) < std::pair(b.from, b.lane);
    });
    first.push_back(static_cast<int>(count));
    count += width;
  }
  if (count > kLanesMax) return;
  legs_ = std::move(wide);
  root_lanes_ = std::move(root_lanes);
  lane_of_ = std::move(first);
  lane_count_ = count;
}

template <class Write>
void TreeWriter::each_run(std::span<const Leg> legs, Write write) const {
  for (size_t begin = 0; begin < legs.size();) {
    size_t end = begin + 1;
    while (end < legs.size() && legs[end].from == legs[begin].from &&
           legs[end].lane == legs[begin].lane) {
      ++end;
    }
    write(legs.subspan(begin, end - begin));
    begin = end;
  }
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
  for (auto& legs : legs_) sort_legs(legs);
}

// By sender; each begins with the ranks after its own.
void TreeWriter::sort_legs(std::vector<Leg>& legs) const {
  const int ranks = trees_.rank_count;
  std::vector<size_t> first(static_cast<size_t>(ranks) + 1, 0);
  for (const Leg& leg : legs) ++first[static_cast<size_t>(leg.from) + 1];
  std::partial_sum(first.begin(), first.end(), first.begin());
  std::vector<Leg> sorted(legs.size());
  std::vector<size_t> next(first.begin(), first.end() - 1);
  for (const Leg& leg : legs) sorted[next[static_cast<size_t>(leg.from)]++] = leg;
  legs = std::move(sorted);
  const auto key = [&](const Leg& leg) {
    return std::pair((leg.to - leg.from + ranks) % ranks, leg.tree);
  };
  each_run(legs, [&](std::span<const Leg> run) {
    const auto begin = legs.begin() + (run.data() - legs.data());
    std::sort(begin, begin + static_cast<std::ptrdiff_t>(run.size()),
              [&](const Leg& a, const Leg& b) { return key(a) < key(b); });
  });
}

// Everything that arrives at a rank has a place of its own.
void TreeWriter::find_slots() {
  const size_t count = trees_.parent.size();
  const auto tree_count = static_cast<uint32_t>(trees_.roots.size());
  const auto each_child = [&](auto&& visit) {
    for (uint32_t tree = 0; tree < tree_count; ++tree) {
      for (Rank rank = 0; rank < trees_.rank_count; ++rank) {
        const Rank parent = trees_.parent[trees_.at(tree, rank)];
        if (parent != kNoRank) visit(tree, rank, parent);
      }
    }
  };
  first_child_.assign(count + 1, 0);
  each_child(
      [&](uint32_t tree, Rank, Rank parent) { ++first_child_[trees_.at(tree, parent) + 1]; });
  std::partial_sum(first_child_.begin(), first_child_.end(), first_child_.begin());
  children_.resize(first_child_.back());
  std::vector<uint32_t> next(first_child_.begin(), first_child_.end() - 1);
  each_child([&](uint32_t tree, Rank rank, Rank parent) {
    children_[next[trees_.at(tree, parent)]++] = rank;
  });
  slot_of_.resize(count, 0);
  sum_of_.resize(count, 0);
  const auto ranks = static_cast<size_t>(trees_.rank_count);
  std::vector<uint32_t> raw(ranks, 0);
  std::vector<uint32_t> partial(ranks, 0);
  std::vector<uint32_t> sums(ranks, 0);
  each_child([&](uint32_t tree, Rank rank, Rank parent) {
    const size_t at = trees_.at(tree, rank);
    const bool is_leaf = children(tree, rank).empty();
    slot_of_[at] = (is_leaf ? raw : partial)[static_cast<size_t>(parent)]++;
    if (!is_leaf) sum_of_[at] = sums[static_cast<size_t>(rank)]++;
  });
  raw_slots_ = *std::max_element(raw.begin(), raw.end());
  partial_slots_ = *std::max_element(partial.begin(), partial.end());
  sum_slots_ = *std::max_element(sums.begin(), sums.end());
}

Slice TreeWriter::buffer(Rank rank, BufferId buffer, uint32_t tree) const {
  const uint32_t data = trees_.parts[tree] / header_.chunks;
  const uint32_t block = layout_.blocks(rank, buffer) > 1 ? data : 0;
  return {rank, buffer, block, data * header_.chunks};
}

Slice TreeWriter::sum(uint32_t tree, Rank rank) const {
  return scratch(rank, raw_slots_ + partial_slots_ + sum_of_[trees_.at(tree, rank)], tree);
}

Slice TreeWriter::arrived(uint32_t tree, Rank child) const {
  const size_t at = trees_.at(tree, child);
  const uint32_t first = children(tree, child).empty() ? 0 : raw_slots_;
  return scratch(trees_.parent[at], first + slot_of_[at], tree);
}

Schedule TreeWriter::write() && {
  // What a rank says when it has folded is waited for before it is said: the first pass finds out
  // its value, which waits do not change.
  if (up_) {
    taken_.resize(trees_.parent.size());
    Builder builder(header_);
    write_stages(builder);
  }
  Builder builder(header_);
  write_stages(builder);
  return std::move(builder).build();
}

void TreeWriter::write_stages(Builder& builder) {
  messages_.clear();
  message_of_.assign(trees_.parent.size(), 0);
  first_of_stage_before_ = 0;
  entered_.assign(static_cast<size_t>(trees_.rank_count) * lane_count_, {});
  for (uint32_t i = 0; i < raw_slots_; ++i) builder.scratch(1, Form::user);
  for (uint32_t i = 0; i < partial_slots_ + sum_slots_; ++i) builder.scratch(1, Form::partial);
  if (!up_) {
    for (uint32_t tree = 0; tree < trees_.roots.size(); ++tree) {
      const Rank root = trees_.roots[tree];
      const Slice source = buffer(root, BufferId::input, tree);
      const int at_lane = root_lanes_.empty() ? 0 : static_cast<int>(root_lanes_[tree]);
      builder.copy(root, at_lane, parts_of(tree), buffer(root, BufferId::output, tree), source);
    }
  }
  for (uint32_t stage = 0; stage <= stage_count_; ++stage) write_stage(builder, stage);
  if (window_ > 0) hold_back(builder);
}

// Before a rank sends tile t + 1 of its own it has received the others' tile t - window.
void TreeWriter::hold_back(Builder& builder) {
  std::vector<bool> is_root(static_cast<size_t>(trees_.rank_count), false);
  for (const Rank root : trees_.roots) is_root[static_cast<size_t>(root)] = true;
  for (const Message& message : messages_) {
    if (!message.is_last || !is_root[static_cast<size_t>(message.to)]) continue;
    builder.wait(message.to, 0, message.mark, window_);
  }
}

void TreeWriter::write_stage(Builder& builder, uint32_t stage) {
  const size_t first_of_stage = messages_.size();
  // At the end of the way up the roots fold, whether or not they send.
  if (up_ && stage == trees_.depth_max) {
    std::vector<Leg> roots;
    for (uint32_t tree = 0; tree < trees_.roots.size(); ++tree) {
      roots.push_back({trees_.roots[tree], trees_.roots[tree], tree});
    }
    sort_legs(roots);
    each_run(roots, [&](std::span<const Leg> run) { fold(builder, stage, run); });
  }
  each_run(legs_[stage], [&](std::span<const Leg> run) { write_run(builder, stage, run); });
  for (size_t i = first_of_stage_before_; i < first_of_stage; ++i)
    await_rest(builder, messages_[i]);
  first_of_stage_before_ = first_of_stage;
}

void TreeWriter::await(Builder& builder, int at_lane, uint32_t index) {
  static_assert(kLanesMax <= 64);
  Message& message = messages_[index];
  const uint64_t flag = uint64_t{1} << at_lane;
  if ((message.awaited_in & flag) == 0) builder.wait(message.to, at_lane, message.mark);
  message.awaited_in |= flag;
}

// A rank ends no tile before everything has arrived that it was sent.
void TreeWriter::await_rest(Builder& builder, Message& message) {
  if (message.awaited_in != 0) return;
  await(builder, static_cast<int>(lane_count_) - 1,
        static_cast<uint32_t>(&message - messages_.data()));
  message.is_last = true;
}

// Sums of what has arrived from children, into scratch, or at the root into output.
void TreeWriter::fold(Builder& builder, uint32_t stage, std::span<const Leg> run) {
  const Rank rank = run.front().from;
  std::vector<Rank> served;
  for (const Leg& leg : run) {
    for (const Rank child : children(leg.tree, rank)) {
      await(builder, lane(stage), message_of_[trees_.at(leg.tree, child)]);
      served.push_back(child);
    }
  }
  std::sort(served.begin(), served.end());
  served.erase(std::unique(served.begin(), served.end()), served.end());
  for (const Leg& leg : run) {
    const bool is_root = trees_.parent[trees_.at(leg.tree, rank)] == kNoRank;
    const std::span<const Rank> below = children(leg.tree, rank);
    if (below.empty() && !is_root) continue;
    std::vector<Slice> sources = {buffer(rank, BufferId::input, leg.tree)};
    for (const Rank child : below) sources.push_back(arrived(leg.tree, child));
    const Slice target = is_root ? buffer(rank, BufferId::output, leg.tree) : sum(leg.tree, rank);
    builder.reduce(rank, lane(stage), parts_of(leg.tree), target, sources);
  }
  std::vector<Mark> said;
  for (const Rank child : served) said.push_back(builder.signal(rank, lane(stage), child));
  for (const Leg& leg : run) {
    for (const Rank child : children(leg.tree, rank)) {
      const auto at = std::lower_bound(served.begin(), served.end(), child) - served.begin();
      taken_[trees_.at(leg.tree, child)] = said[static_cast<size_t>(at)];
    }
  }
}

void TreeWriter::write_run(Builder& builder, uint32_t stage, std::span<const Leg> run) {
  const Rank rank = run.front().from;
  const int at_lane = lane(stage) + static_cast<int>(run.front().lane);
  if (is_up(stage)) {
    fold(builder, stage, run);
  } else {
    for (const Leg& leg : run) {
      const size_t at = trees_.at(leg.tree, rank);
      if (trees_.parent[at] != kNoRank) await(builder, at_lane, message_of_[at]);
    }
  }
  for (size_t i = 0; i < run.size(); ++i) {
    const Leg& leg = run[i];
    const size_t child = trees_.at(leg.tree, is_up(stage) ? leg.from : leg.to);
    if (is_up(stage)) {
      // The scratch of this stage is free again: all that goes to one rank is folded at once.
      const bool is_first = i == 0 || run[i - 1].to != leg.to;
      if (is_first && taken_[child].v > 0) {
        builder.wait(rank, at_lane, taken_[child], header_.stages);
      }
      put_up(builder, at_lane, leg);
    } else {
      put_down(builder, at_lane, leg);
    }
    message_of_[child] = static_cast<uint32_t>(messages_.size());
    const bool is_last = i + 1 == run.size() || run[i + 1].to != leg.to;
    if (is_last) messages_.push_back({builder.signal(rank, at_lane, leg.to), leg.to});
  }
}

void TreeWriter::put_up(Builder& builder, int at_lane, const Leg& leg) {
  const Slice source = children(leg.tree, leg.from).empty()
                           ? buffer(leg.from, BufferId::input, leg.tree)
                           : sum(leg.tree, leg.from);
  builder.copy(leg.from, at_lane, parts_of(leg.tree), arrived(leg.tree, leg.from), source);
}

void TreeWriter::put_down(Builder& builder, int at_lane, const Leg& leg) {
  auto& entered =
      entered_[static_cast<size_t>(leg.from) * lane_count_ + static_cast<size_t>(at_lane)];
  entered.resize(static_cast<size_t>(trees_.rank_count), false);
  if (!entered[static_cast<size_t>(leg.to)]) {
    builder.wait_record(leg.from, at_lane, leg.to);
    entered[static_cast<size_t>(leg.to)] = true;
  }
  builder.copy(leg.from, at_lane, parts_of(leg.tree), buffer(leg.to, BufferId::output, leg.tree),
               buffer(leg.from, BufferId::output, leg.tree));
}

}  // namespace unirack
