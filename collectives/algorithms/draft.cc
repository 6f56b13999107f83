#include "collectives/algorithms/draft.h"

#include <algorithm>

namespace unirack {

namespace {

bool is_rooted(Collective collective) {
  return collective == Collective::reduce || collective == Collective::broadcast ||
         collective == Collective::gather || collective == Collective::scatter;
}

ScheduleHeader header_for(const Topology& topology, const Request& request, std::string_view name,
                          uint32_t chunks) {
  ScheduleHeader header;
  header.collective = request.collective;
  header.rank_count = request.collective == Collective::send_recv ? 2 : topology.rank_count();
  header.root = is_rooted(request.collective) ? request.root : 0;
  header.algorithm = name;
  if (is_reduction(request.collective)) header.sum_groups = topology.sum_groups();
  header.chunks = chunks;
  return header;
}

}  // namespace

Draft::Draft(const Topology& topology, const Request& request, std::string_view name,
             uint32_t chunks)
    : Draft(header_for(topology, request, name, chunks)) {}

Draft::Draft(ScheduleHeader header)
    : builder_(std::move(header)),
      layout_(this->header().collective, this->header().rank_count, this->header().root) {
  const RankGroups& groups = this->header().sum_groups;
  if (!groups.empty()) is_flat_ = same_sum(groups, {joined(groups)});
}

std::vector<Rank> Draft::peers(Rank rank) const {
  std::vector<Rank> others;
  for (Rank i = 1; i < ranks(); ++i) others.push_back((rank + i) % ranks());
  return others;
}

Slice Draft::place(Rank rank, BufferId buffer, uint32_t block) const {
  return {rank, buffer, block, layout_.data_block(rank, buffer, block) * header().chunks};
}

uint32_t Draft::scratches(size_t count, uint32_t parts, Form form) {
  uint32_t first = 0;
  for (size_t i = 0; i < count; ++i) {
    const uint32_t block = scratch(parts, form);
    if (i == 0) first = block;
  }
  return first;
}

void Draft::fold(Rank rank, Parts parts, Slice target, std::span<const Slice> by_rank) {
  if (parts.begin == parts.end) return;
  const auto pick = [&](const std::vector<Rank>& ranks) {
    std::vector<Slice> slices;
    for (const Rank each : ranks) slices.push_back(by_rank[static_cast<size_t>(each)]);
    return slices;
  };
  const RankGroups& groups = header().sum_groups;
  if (is_flat_) return reduce(rank, parts, target, pick(joined(groups)));
  // One scratch block has one origin, so each fold of a rank has blocks of its own.
  const uint32_t turn = folds_[rank]++;
  const auto [at, is_new] = fold_blocks_.try_emplace({turn, parts.end - parts.begin}, 0);
  if (is_new) at->second = scratches(groups.size(), parts.end - parts.begin, Form::partial);
  std::vector<Slice> sums;
  for (size_t i = 0; i < groups.size(); ++i) {
    if (groups[i].size() == 1) {
      sums.push_back(by_rank[static_cast<size_t>(groups[i][0])]);
      continue;
    }
    sums.push_back(Draft::at(rank, at->second + static_cast<uint32_t>(i), parts));
    reduce(rank, parts, sums.back(), pick(groups[i]));
  }
  reduce(rank, parts, target, sums);
}

void Draft::wait_each(Rank rank, std::vector<Mark> marks) {
  const auto turn = [&](const Mark& mark) { return (mark.writer - rank + ranks()) % ranks(); };
  std::stable_sort(marks.begin(), marks.end(),
                   [&](const Mark& a, const Mark& b) { return turn(a) < turn(b); });
  for (const Mark& mark : marks) wait(rank, mark);
}

Schedule Draft::finish(int lanes) && { return stripe(std::move(builder_).build(), lanes); }

}  // namespace unirack
