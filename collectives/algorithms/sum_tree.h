// The sum shape as a binary tree over ranks: S within each group, then S over the groups
// (DESIGN.md, "One sum"). Every generator that keeps the one sum adds along the edges of this tree.
// A plain value without promises about threads.
#pragma once

#include <cstddef>
#include <vector>

#include "lib/base/result.h"

namespace unirack {

using RankGroups = std::vector<std::vector<Rank>>;

struct SumNode {
  std::vector<Rank> ranks;  // of its leaves, in order of the sum
  int left = -1;            // children; -1 for a leaf
  int right = -1;
  int depth = 0;  // edges to the root

  bool is_leaf() const { return left < 0; }
};

class SumTree {
 public:
  explicit SumTree(const RankGroups& groups);

  // Children come before their parents; the root is last.
  const std::vector<SumNode>& nodes() const { return nodes_; }
  const SumNode& node(int index) const { return nodes_[static_cast<size_t>(index)]; }
  int root() const { return static_cast<int>(nodes_.size()) - 1; }

  // Which of the ranks of node `index` it is; no less than their number if it is none of them.
  size_t place_in(int index, Rank rank) const {
    return places_[static_cast<size_t>(rank)] -
           places_[static_cast<size_t>(node(index).ranks.front())];
  }
  bool holds(int index, Rank rank) const {
    return place_in(index, rank) < node(index).ranks.size();
  }

 private:
  int build(const RankGroups& groups, size_t begin, size_t end);
  void set_depths();
  void set_places();

  std::vector<SumNode> nodes_;
  std::vector<size_t> places_;  // by rank: which leaf of the root it is
};

// Whether both shapes add in the same tree: {{0, 1}, {2, 3}} does as {{0, 1, 2, 3}}.
bool same_sum(const RankGroups& a, const RankGroups& b);

// All ranks of the groups in one, in order of the sum.
std::vector<Rank> joined(const RankGroups& groups);

}  // namespace unirack
