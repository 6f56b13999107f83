// Recursive halving along the sum tree: at every node each chunk has an owner on either side; one
// sends its partial sum to the other, who becomes the owner at the node. Any rank count: a small
// side serves several owners of the large one, a large side spreads its chunks over all members.
#include <algorithm>
#include <map>
#include <tuple>

#include "collectives/algorithms/algorithms.h"
#include "collectives/algorithms/draft.h"

namespace unirack {

namespace {

using Owners = std::vector<std::vector<Rank>>;  // [node][chunk]; kNoRank outside

// Owners of the side that does not hold the chunk above: partners by position.
class Partners {
 public:
  Partners(const std::vector<Rank>& holders, const std::vector<Rank>& others)
      : holders_(holders), others_(others), turn_(holders.size(), 0) {}

  Rank next(Rank holder) {
    const auto index =
        static_cast<size_t>(std::find(holders_.begin(), holders_.end(), holder) - holders_.begin());
    if (index >= others_.size()) return others_[index % others_.size()];
    const size_t choices = (others_.size() - index + holders_.size() - 1) / holders_.size();
    return others_[index + holders_.size() * (turn_[index]++ % choices)];
  }

 private:
  const std::vector<Rank>& holders_;
  const std::vector<Rank>& others_;
  std::vector<size_t> turn_;
};

bool contains(const std::vector<Rank>& ranks, Rank rank) {
  return std::find(ranks.begin(), ranks.end(), rank) != ranks.end();
}

Owners find_owners(const SumTree& tree, const std::vector<Rank>& final_owners) {
  Owners owners(tree.nodes().size());
  owners.back() = final_owners;
  for (int index = tree.root(); index >= 0; --index) {
    const SumNode& node = tree.node(index);
    if (node.is_leaf()) continue;
    const auto& left = tree.node(node.left).ranks;
    const auto& right = tree.node(node.right).ranks;
    Partners from_left(left, right);
    Partners from_right(right, left);
    for (const Rank owner : owners[static_cast<size_t>(index)]) {
      const bool is_left = contains(left, owner);
      const Rank other = is_left ? from_left.next(owner) : from_right.next(owner);
      owners[static_cast<size_t>(node.left)].push_back(is_left ? owner : other);
      owners[static_cast<size_t>(node.right)].push_back(is_left ? other : owner);
    }
  }
  return owners;
}

// Which rank finishes which chunk of an all-reduce: such that what a rank sends lies together.
std::vector<Rank> contiguous_owners(const SumTree& tree) {
  const auto& ranks = tree.nodes().back().ranks;
  const Owners owners = find_owners(tree, ranks);
  std::vector<size_t> nodes(tree.nodes().size());
  for (size_t i = 0; i < nodes.size(); ++i) nodes[i] = i;
  std::stable_sort(nodes.begin(), nodes.end(), [&](size_t a, size_t b) {
    return tree.nodes()[a].depth > tree.nodes()[b].depth;
  });
  std::vector<size_t> chunks(ranks.size());
  for (size_t i = 0; i < chunks.size(); ++i) chunks[i] = i;
  std::stable_sort(chunks.begin(), chunks.end(), [&](size_t a, size_t b) {
    for (const size_t node : nodes) {
      if (owners[node][a] != owners[node][b]) return owners[node][a] < owners[node][b];
    }
    return false;
  });
  std::vector<Rank> final_owners;
  for (const size_t chunk : chunks) final_owners.push_back(ranks[chunk]);
  return final_owners;
}

// Neighbouring chunks that one rank holds at a node, or that one rank sends to another.
struct Run {
  Parts parts;
  Rank owner = kNoRank;  // at the node
  Rank other = kNoRank;  // on the side that gives up the chunk; kNoRank for a held run
};

class TreeScatter {
 public:
  TreeScatter(Draft& draft, const std::vector<Rank>& final_owners)
      : draft_(draft),
        tree_(draft.header().sum_groups),
        owners_(find_owners(tree_, final_owners)),
        held_(tree_.nodes().size()),
        moved_(tree_.nodes().size()) {
    for (size_t i = 0; i < tree_.nodes().size(); ++i) find_runs(i);
  }

  void reduce() {
    if (tree_.root() == 0) {
      const Rank rank = tree_.node(0).ranks[0];
      const Slice source = input(rank, 0);
      draft_.reduce(rank, draft_.whole(), draft_.output(rank), std::span(&source, 1));
    }
    for (int index = 0; index <= tree_.root(); ++index) {
      if (!tree_.node(index).is_leaf()) reduce_at(index);
    }
  }

  // The way back: who gave up a chunk gets it finished.
  void gather() {
    for (int index = tree_.root(); index >= 0; --index) {
      std::map<std::pair<Rank, Rank>, bool> pairs;
      for (const Run& run : moved_[static_cast<size_t>(index)]) {
        draft_.copy(run.owner, run.parts, draft_.output(run.other), draft_.output(run.owner));
        pairs[{run.owner, run.other}] = true;
      }
      std::vector<std::pair<Rank, Mark>> waits;
      for (const auto& [pair, unused] : pairs) {
        waits.emplace_back(pair.second, draft_.signal(pair.first, pair.second));
      }
      for (const auto& [rank, mark] : waits) draft_.wait(rank, mark);
    }
  }

 private:
  void find_runs(size_t index) {
    const SumNode& node = tree_.nodes()[index];
    const auto& owners = owners_[index];
    for (uint32_t i = 0; i < owners.size(); ++i) {
      extend(held_[index], {Draft::chunk(i), owners[i], kNoRank});
      if (node.is_leaf()) continue;
      const Rank left = owners_[static_cast<size_t>(node.left)][i];
      const Rank right = owners_[static_cast<size_t>(node.right)][i];
      extend(moved_[index], {Draft::chunk(i), owners[i], owners[i] == left ? right : left});
    }
  }

  void extend(std::vector<Run>& runs, const Run& next) const {
    const uint32_t chunks = draft_.header().chunks;
    if (!runs.empty() && runs.back().owner == next.owner && runs.back().other == next.other &&
        runs.back().parts.begin / chunks == next.parts.begin / chunks) {
      runs.back().parts.end = next.parts.end;
    } else {
      runs.push_back(next);
    }
  }

  void reduce_at(int index) {
    const SumNode& node = tree_.node(index);
    std::map<std::pair<Rank, Rank>, Mark> marks;
    std::vector<Slice> received;
    const auto& runs = moved_[static_cast<size_t>(index)];
    for (const Run& run : runs) {
      const int side = contains(tree_.node(node.left).ranks, run.other) ? node.left : node.right;
      const Form form = tree_.node(side).is_leaf() ? Form::user : Form::partial;
      received.push_back(place(index, run.owner, run.parts, form));
      draft_.copy(run.other, run.parts, received.back(), value(side, run.other, run.parts));
      marks[{run.other, run.owner}] = {};
    }
    for (auto& [pair, mark] : marks) mark = draft_.signal(pair.first, pair.second);
    for (const auto& [pair, mark] : marks) draft_.wait(pair.second, mark);
    for (size_t i = 0; i < runs.size(); ++i) {
      const Run& run = runs[i];
      const bool owner_left = contains(tree_.node(node.left).ranks, run.owner);
      const Slice own = value(owner_left ? node.left : node.right, run.owner, run.parts);
      const std::vector<Slice> sources =
          owner_left ? std::vector{own, received[i]} : std::vector{received[i], own};
      const Slice target =
          index == tree_.root() ? draft_.output(run.owner) : value(index, run.owner, run.parts);
      draft_.reduce(run.owner, run.parts, target, sources);
    }
  }

  // A scratch block for these parts, shared by ranks and levels that need the same shape at the
  // same turn.
  Slice place(int index, Rank rank, Parts parts, Form form) {
    const uint32_t length = parts.end - parts.begin;
    const auto shape = std::tuple(tree_.node(index).depth, length, form);
    const uint32_t turn = turns_[{rank, shape}]++;
    const auto [at, is_new] = blocks_.try_emplace({shape, turn}, 0);
    if (is_new) at->second = draft_.scratch(length, form);
    return Draft::at(rank, at->second, parts);
  }

  // The sum of node `index` at `rank`: its input at a leaf, else scratch for the held run.
  Slice value(int index, Rank rank, Parts parts) {
    if (tree_.node(index).is_leaf()) return input(rank, parts.begin);
    for (const Run& run : held_[static_cast<size_t>(index)]) {
      if (parts.begin < run.parts.begin || parts.end > run.parts.end) continue;
      const auto [at, is_new] = sums_.try_emplace({index, run.parts.begin}, Slice{});
      if (is_new) at->second = place(index, rank, run.parts, Form::partial);
      return at->second;
    }
    return {};
  }

  Slice input(Rank rank, uint32_t part) const {
    return draft_.input(rank, part / draft_.header().chunks);
  }

  using Shape = std::tuple<int, uint32_t, Form>;

  Draft& draft_;
  const SumTree tree_;
  const Owners owners_;
  std::vector<std::vector<Run>> held_;   // by node
  std::vector<std::vector<Run>> moved_;  // by node
  std::map<std::pair<Rank, Shape>, uint32_t> turns_;
  std::map<std::pair<Shape, uint32_t>, uint32_t> blocks_;
  std::map<std::pair<int, uint32_t>, Slice> sums_;  // (node, first part) -> where
};

}  // namespace

// Steps 2 log2 n, written 2 B (n - 1) / n (twice the first half where partial sums are wider).
// One stage: a finished chunk comes back only after everything under it was read.
Result<Schedule> all_reduce_halving_doubling(const Topology& topology, const Request& request,
                                             int lanes) {
  Draft draft(topology, request, "halving_doubling", static_cast<uint32_t>(topology.rank_count()));
  TreeScatter scatter(draft, contiguous_owners(SumTree(topology.sum_groups())));
  scatter.reduce();
  scatter.gather();
  return std::move(draft).finish(lanes);
}

// Steps log2 n, written (n - 1) B.
Result<Schedule> reduce_scatter_halving(const Topology& topology, const Request& request,
                                        int lanes) {
  Draft draft(topology, request, "halving", 1);
  draft.header().stages = 2;
  std::vector<Rank> owners;
  for (Rank rank = 0; rank < topology.rank_count(); ++rank) owners.push_back(rank);
  TreeScatter(draft, owners).reduce();
  return std::move(draft).finish(lanes);
}

}  // namespace unirack
