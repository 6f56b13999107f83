#include "collectives/algorithms/sum_tree.h"

#include <algorithm>
#include <set>

namespace unirack {

SumTree::SumTree(const RankGroups& groups) {
  build(groups, 0, groups.size());
  set_depths();
  set_places();
}

// S over groups [begin, end); over the members of a group when it is alone.
int SumTree::build(const RankGroups& groups, size_t begin, size_t end) {
  if (end - begin == 1 && groups[begin].size() == 1) {
    nodes_.push_back({.ranks = groups[begin]});
    return root();
  }
  if (end - begin == 1) {
    RankGroups members;
    for (const Rank rank : groups[begin]) members.push_back({rank});
    return build(members, 0, members.size());
  }
  size_t left_count = 1;
  while (left_count * 2 < end - begin) left_count *= 2;
  SumNode node;
  node.left = build(groups, begin, begin + left_count);
  node.right = build(groups, begin + left_count, end);
  node.ranks = this->node(node.left).ranks;
  const auto& right = this->node(node.right).ranks;
  node.ranks.insert(node.ranks.end(), right.begin(), right.end());
  nodes_.push_back(std::move(node));
  return root();
}

void SumTree::set_depths() {
  for (auto node = nodes_.rbegin(); node != nodes_.rend(); ++node) {
    if (node->is_leaf()) continue;
    nodes_[static_cast<size_t>(node->left)].depth = node->depth + 1;
    nodes_[static_cast<size_t>(node->right)].depth = node->depth + 1;
  }
}

void SumTree::set_places() {
  const auto& ranks = nodes_.back().ranks;
  places_.resize(static_cast<size_t>(*std::max_element(ranks.begin(), ranks.end())) + 1);
  for (size_t i = 0; i < ranks.size(); ++i) places_[static_cast<size_t>(ranks[i])] = i;
}

bool same_sum(const RankGroups& a, const RankGroups& b) {
  // A tree is known by the sets of leaves under its nodes: a sum of two has no order.
  const auto leaf_sets = [](const RankGroups& groups) {
    std::set<std::vector<Rank>> sets;
    const SumTree tree(groups);
    for (const SumNode& node : tree.nodes()) {
      auto ranks = node.ranks;
      std::sort(ranks.begin(), ranks.end());
      sets.insert(std::move(ranks));
    }
    return sets;
  };
  return leaf_sets(a) == leaf_sets(b);
}

std::vector<Rank> joined(const RankGroups& groups) {
  std::vector<Rank> all;
  for (const auto& group : groups) all.insert(all.end(), group.begin(), group.end());
  return all;
}

}  // namespace unirack
