// Recursive halving along the sum tree: at every node each chunk has an owner on either side; one
// sends its partial sum to the other, who becomes the owner at the node. Any rank count: a small
// side serves several owners of the large one, a large side spreads its chunks over all members.
// Doubling is the way back. A root has them run the other way on the path from it to the tree's
// root: what it deals out to all owners, or collects from them.
#include <algorithm>
#include <map>
#include <set>
#include <tuple>

#include "collectives/algorithms/algorithms.h"
#include "collectives/algorithms/draft.h"

namespace unirack {

namespace {

using Owners = std::vector<std::vector<Rank>>;  // [node][chunk]; kNoRank outside

// Owners of the side that does not hold the chunk above: partners by position.
class Partners {
 public:
  Partners(size_t holders, const std::vector<Rank>& others) : others_(others), turn_(holders, 0) {}

  Rank next(size_t holder) {
    if (holder >= others_.size()) return others_[holder % others_.size()];
    const size_t choices = (others_.size() - holder + turn_.size() - 1) / turn_.size();
    return others_[holder + turn_.size() * (turn_[holder]++ % choices)];
  }

 private:
  const std::vector<Rank>& others_;
  std::vector<size_t> turn_;
};

Owners find_owners(const SumTree& tree, const std::vector<Rank>& final_owners) {
  Owners owners(tree.nodes().size());
  owners.back() = final_owners;
  for (int index = tree.root(); index >= 0; --index) {
    const SumNode& node = tree.node(index);
    if (node.is_leaf()) continue;
    const auto& left = tree.node(node.left).ranks;
    const auto& right = tree.node(node.right).ranks;
    Partners from_left(left.size(), right);
    Partners from_right(right.size(), left);
    for (const Rank owner : owners[static_cast<size_t>(index)]) {
      const bool is_left = tree.holds(node.left, owner);
      const Rank other = is_left ? from_left.next(tree.place_in(node.left, owner))
                                 : from_right.next(tree.place_in(node.right, owner));
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
  TreeScatter(Draft& draft, SumTree tree, const std::vector<Rank>& final_owners)
      : draft_(draft),
        tree_(std::move(tree)),
        owners_(find_owners(tree_, final_owners)),
        held_(tree_.nodes().size()),
        moved_(tree_.nodes().size()) {
    for (size_t i = 0; i < tree_.nodes().size(); ++i) find_runs(i);
  }

  // Owners end with the finished sums of their chunks, or `unfinished` ones in scratch.
  void reduce(bool unfinished = false) {
    if (tree_.root() == 0) {
      const Rank rank = tree_.node(0).ranks[0];
      const Slice source = input(rank, 0);
      draft_.reduce(rank, draft_.whole(), draft_.output(rank), std::span(&source, 1));
    }
    for (int index = 0; index <= tree_.root(); ++index) {
      if (!tree_.node(index).is_leaf()) reduce_at(index, unfinished);
    }
  }

  // The way back: who gave up a chunk gets it finished.
  void gather() {
    for (int index = tree_.root(); index >= 0; --index) {
      Pairs pairs;
      for (const Run& run : moved_[static_cast<size_t>(index)]) {
        draft_.copy(run.owner, run.parts, draft_.output(run.other), draft_.output(run.owner));
        pairs.insert({run.owner, run.other});
      }
      signal_and_wait(pairs);
    }
  }

  // Unfinished sums of all chunks wander to `root`, which finishes them.
  void collect(Rank root) {
    std::vector<Slice> places;  // by chunk: where its sum lies
    for (const Run& run : held_.back()) {
      for (uint32_t i = run.parts.begin; i < run.parts.end; ++i) {
        places.push_back(value(tree_.root(), run.owner, run.parts));
      }
    }
    for (int index = tree_.root(); !tree_.node(index).is_leaf();) {
      const int side = child_with(index, root);
      Pairs pairs;
      for (const Run& run : moved_[static_cast<size_t>(index)]) {
        if (!tree_.holds(side, run.other)) continue;
        const Slice target = place(index, run.other, run.parts, Form::partial);
        for (uint32_t i = run.parts.begin; i < run.parts.end; ++i) {
          draft_.copy(run.owner, Draft::chunk(i), target, places[i]);
          places[i] = target;
        }
        pairs.insert({run.owner, run.other});
      }
      signal_and_wait(pairs);
      index = side;
    }
    for (uint32_t i = 0; i < places.size(); ++i) {
      draft_.reduce(root, Draft::chunk(i), draft_.output(root), std::span(&places[i], 1));
    }
  }

  // What lies in the root's input goes to all owners' outputs, and from there to everyone.
  void deal_and_gather(Rank root) {
    const auto source = [&](Rank rank) {
      return rank == root ? draft_.input(rank) : draft_.output(rank);
    };
    const auto put = [&](Rank from, Rank to, Parts parts, Pairs& pairs) {
      if (pairs.insert({from, to}).second) draft_.wait_record(from, to);
      draft_.copy(from, parts, draft_.output(to), source(from));
    };
    std::vector<int> path;
    for (int index = tree_.root(); !tree_.node(index).is_leaf(); index = child_with(index, root)) {
      path.push_back(index);
    }
    for (auto index = path.rbegin(); index != path.rend(); ++index) {
      Pairs pairs;
      for (const Run& run : moved_[static_cast<size_t>(*index)]) {
        if (is_on_side_of(root, *index, run.other)) put(run.other, run.owner, run.parts, pairs);
      }
      signal_and_wait(pairs);
    }
    for (int index = tree_.root(); index >= 0; --index) {
      const bool is_on_path = tree_.holds(index, root);
      Pairs pairs;
      for (const Run& run : moved_[static_cast<size_t>(index)]) {
        // Who dealt a chunk has it.
        if (is_on_path && is_on_side_of(root, index, run.other)) continue;
        put(run.owner, run.other, run.parts, pairs);
      }
      signal_and_wait(pairs);
    }
  }

 private:
  using Pairs = std::set<std::pair<Rank, Rank>>;  // (sender, receiver)

  void signal_and_wait(const Pairs& pairs) {
    std::vector<std::pair<Rank, Mark>> waits;
    for (const auto& [from, to] : pairs) waits.emplace_back(to, draft_.signal(from, to));
    for (const auto& [rank, mark] : waits) draft_.wait(rank, mark);
  }

  int child_with(int index, Rank rank) const {
    const SumNode& node = tree_.node(index);
    return tree_.holds(node.left, rank) ? node.left : node.right;
  }

  // Whether both are under the same child.
  bool is_on_side_of(Rank root, int index, Rank rank) const {
    return tree_.holds(child_with(index, root), rank);
  }

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

  void reduce_at(int index, bool unfinished) {
    const SumNode& node = tree_.node(index);
    std::map<std::pair<Rank, Rank>, Mark> marks;
    std::vector<Slice> received;
    const auto& runs = moved_[static_cast<size_t>(index)];
    for (const Run& run : runs) {
      const int side = child_with(index, run.other);
      const Form form = tree_.node(side).is_leaf() ? Form::user : Form::partial;
      received.push_back(place(index, run.owner, run.parts, form));
      draft_.copy(run.other, run.parts, received.back(), value(side, run.other, run.parts));
      marks[{run.other, run.owner}] = {};
    }
    for (auto& [pair, mark] : marks) mark = draft_.signal(pair.first, pair.second);
    for (const auto& [pair, mark] : marks) draft_.wait(pair.second, mark);
    for (size_t i = 0; i < runs.size(); ++i) {
      const Run& run = runs[i];
      const bool owner_left = tree_.holds(node.left, run.owner);
      const Slice own = value(owner_left ? node.left : node.right, run.owner, run.parts);
      const std::vector<Slice> sources =
          owner_left ? std::vector{own, received[i]} : std::vector{received[i], own};
      const bool is_last = index == tree_.root() && !unfinished;
      const Slice target = is_last ? draft_.output(run.owner) : value(index, run.owner, run.parts);
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
  const SumTree tree(topology.sum_groups());
  TreeScatter scatter(draft, tree, contiguous_owners(tree));
  scatter.reduce();
  scatter.gather();
  return std::move(draft).finish(lanes);
}

// Steps 2 log2 n, written 2 B (n - 1) / n, all but the first half of it as partial sums.
Result<Schedule> reduce_halving_doubling(const Topology& topology, const Request& request,
                                         int lanes) {
  Draft draft(topology, request, "halving_doubling", static_cast<uint32_t>(topology.rank_count()));
  draft.header().stages = 2;
  const SumTree tree(topology.sum_groups());
  TreeScatter scatter(draft, tree, contiguous_owners(tree));
  scatter.reduce(draft.ranks() > 1);
  if (draft.ranks() > 1) scatter.collect(request.root);
  return std::move(draft).finish(lanes);
}

// Steps 2 log2 n - 1, written up to 2 B (n - 1) / n.
Result<Schedule> broadcast_halving_doubling(const Topology& topology, const Request& request,
                                            int lanes) {
  Draft draft(topology, request, "halving_doubling", static_cast<uint32_t>(topology.rank_count()));
  const SumTree tree(topology.domains());
  TreeScatter(draft, tree, contiguous_owners(tree)).deal_and_gather(request.root);
  draft.copy(request.root, draft.whole(), draft.output(request.root), draft.input(request.root));
  return std::move(draft).finish(lanes);
}

// Steps log2 n, written (n - 1) B.
Result<Schedule> reduce_scatter_halving(const Topology& topology, const Request& request,
                                        int lanes) {
  Draft draft(topology, request, "halving", 1);
  draft.header().stages = 2;
  std::vector<Rank> owners;
  for (Rank rank = 0; rank < topology.rank_count(); ++rank) owners.push_back(rank);
  TreeScatter(draft, SumTree(topology.sum_groups()), owners).reduce();
  return std::move(draft).finish(lanes);
}

}  // namespace unirack
