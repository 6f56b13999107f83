#include "lib/control/vote.h"

#include <algorithm>

#include "lib/control/rank_list.h"

namespace unirack {
namespace {

constexpr size_t kGroupsNamed = 4;

}  // namespace

std::vector<VoteGroup> count_votes(std::span<const Ballot> ballots) {
  std::vector<VoteGroup> groups;
  for (const Ballot& ballot : ballots) {
    const auto same = std::find_if(groups.begin(), groups.end(), [&](const VoteGroup& group) {
      return group.request == ballot.request && group.count == ballot.count;
    });
    VoteGroup& group = same != groups.end() ? *same : groups.emplace_back();
    group.request = ballot.request;
    group.count = ballot.count;
    group.ranks.push_back(ballot.rank);
  }
  for (VoteGroup& group : groups) std::sort(group.ranks.begin(), group.ranks.end());
  std::sort(groups.begin(), groups.end(), [](const VoteGroup& a, const VoteGroup& b) {
    if (a.ranks.size() != b.ranks.size()) return a.ranks.size() > b.ranks.size();
    return a.ranks.front() < b.ranks.front();
  });
  return groups;
}

bool is_decided(std::span<const VoteGroup> groups, size_t undecided_count) {
  if (groups.size() < 2) return false;
  return undecided_count == 0 || groups[1].ranks.size() + undecided_count < groups[0].ranks.size();
}

Rank minority_culprit(std::span<const VoteGroup> groups) {
  Rank culprit = kNoRank;
  for (size_t i = 1; i < groups.size(); ++i) {
    const Rank lowest = groups[i].ranks.front();
    if (culprit == kNoRank || lowest < culprit) culprit = lowest;
  }
  return culprit;
}

std::string vote_text(
    std::span<const VoteGroup> groups,
    const std::function<std::string(uint64_t request, uint64_t count)>& describe) {
  std::string text;
  const size_t named = std::min(groups.size(), kGroupsNamed);
  for (size_t i = 0; i < named; ++i) {
    const VoteGroup& group = groups[i + 1 < named ? i + 1 : 0];  // the majority last
    if (i > 0) text += ", ";
    text += rank_list(group.ranks) + " called " + describe(group.request, group.count);
  }
  if (named < groups.size()) text += ", and others called something else again";
  return text;
}

}  // namespace unirack
