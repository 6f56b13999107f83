// Trees with one leader a node: the leaders of its children send to, or receive from, the one of
// them that leads the node too. The root leads every node that it is under. Binomial trees have two
// children a node; k-nomial ones skip levels of the sum tree, so that a node has up to k.
#include <map>
#include <string>
#include <tuple>

#include "collectives/algorithms/algorithms.h"
#include "collectives/algorithms/draft.h"

namespace unirack {

namespace {

struct LeaderNode {
  std::vector<Rank> ranks;    // of its leaves, in order of the sum
  std::vector<int> children;  // in order of the sum; none for a leaf
  Rank leader = kNoRank;
  int depth = 0;

  bool is_leaf() const { return children.empty(); }
};

class LeaderTree {
 public:
  // `radix`: a power of two. Levels are skipped within groups and among groups, never across their
  // border, so a message still crosses to a group once.
  LeaderTree(const RankGroups& groups, Rank root, int radix)
      : tree_(groups), group_sizes_(tree_.nodes().back().ranks.size(), 0) {
    for (const auto& group : groups) group_sizes_[static_cast<size_t>(group[0])] = group.size();
    while (1 << levels_ < radix) ++levels_;
    build(tree_.root(), root, 0);
  }

  // Children come before their parents; the root is last.
  const std::vector<LeaderNode>& nodes() const { return nodes_; }
  const LeaderNode& node(int index) const { return nodes_[static_cast<size_t>(index)]; }
  int root() const { return static_cast<int>(nodes_.size()) - 1; }
  Rank leader(int index) const { return node(index).leader; }
  // The children whose leader is not the node's.
  std::vector<int> far_children(int index) const {
    std::vector<int> far;
    for (const int child : node(index).children) {
      if (leader(child) != leader(index)) far.push_back(child);
    }
    return far;
  }

 private:
  int build(int source, Rank root, int depth) {
    const SumNode& from = tree_.node(source);
    LeaderNode made{.ranks = from.ranks, .leader = from.ranks[0], .depth = depth};
    std::vector<int> below;
    if (!from.is_leaf()) {
      expand(from.left, levels_ - 1, below);
      expand(from.right, levels_ - 1, below);
    }
    for (const int child : below) {
      made.children.push_back(build(child, root, depth + 1));
      if (leader(made.children.back()) == root) made.leader = root;
    }
    nodes_.push_back(std::move(made));
    return this->root();
  }

  // The sum of the listed nodes in the tree S is the sum of the subtree: its left sides are
  // complete.
  void expand(int source, int levels, std::vector<int>& nodes) const {
    const SumNode& node = tree_.node(source);
    const bool is_group = group_sizes_[static_cast<size_t>(node.ranks[0])] == node.ranks.size();
    if (node.is_leaf() || is_group || levels == 0) return nodes.push_back(source);
    expand(node.left, levels - 1, nodes);
    expand(node.right, levels - 1, nodes);
  }

  SumTree tree_;
  std::vector<size_t> group_sizes_;  // by first rank of a group; 0 for the others
  int levels_ = 0;
  std::vector<LeaderNode> nodes_;
};

std::string name_of(int radix) {
  return radix == 2 ? "binomial" : "knomial_" + std::to_string(radix);
}

// Every leader ends with the sum of its node; the root's is in its output.
void reduce_to_leaders(Draft& draft, const LeaderTree& leaders, bool acknowledge) {
  const Parts whole = draft.whole();
  std::map<std::tuple<int, size_t, Form>, uint32_t> blocks;  // (depth, 0 or turn of arrival, form)
  const auto place = [&](Rank rank, int depth, size_t turn, Form form) {
    const auto [at, is_new] = blocks.try_emplace({depth, turn, form}, 0);
    if (is_new) at->second = draft.scratch(1, form);
    return Draft::at(rank, at->second, whole);
  };
  const auto value = [&](int index) {
    const LeaderNode& node = leaders.node(index);
    if (node.is_leaf()) return draft.input(node.leader);
    return place(node.leader, node.depth, 0, Form::partial);
  };
  for (int index = 0; index <= leaders.root(); ++index) {
    const LeaderNode& node = leaders.node(index);
    if (node.is_leaf()) continue;
    std::vector<Slice> sources;
    std::vector<Mark> marks;
    for (const int child : node.children) {
      const Rank sender = leaders.leader(child);
      if (sender == node.leader) {
        sources.push_back(value(child));
        continue;
      }
      const Form form = leaders.node(child).is_leaf() ? Form::user : Form::partial;
      sources.push_back(place(node.leader, node.depth, marks.size() + 1, form));
      draft.copy(sender, whole, sources.back(), value(child));
      marks.push_back(draft.signal(sender, node.leader));
    }
    for (const Mark& mark : marks) draft.wait(node.leader, mark);
    draft.reduce(node.leader, whole,
                 index == leaders.root() ? draft.output(node.leader) : value(index), sources);
    for (const Mark& mark : marks) {
      if (acknowledge) draft.wait(mark.writer, draft.signal(node.leader, mark.writer), 1);
    }
  }
  if (draft.ranks() == 1) {
    const Slice own = draft.input(0);
    draft.reduce(0, whole, draft.output(0), std::span(&own, 1));
  }
}

void broadcast_from_root(Draft& draft, const LeaderTree& leaders, bool records) {
  for (int index = leaders.root(); index >= 0; --index) {
    const Rank leader = leaders.leader(index);
    const bool from_input =
        draft.header().collective == Collective::broadcast && leader == draft.header().root;
    for (const int child : leaders.far_children(index)) {
      const Rank far = leaders.leader(child);
      if (records) draft.wait_record(leader, far);
      draft.copy(leader, draft.whole(), draft.output(far),
                 from_input ? draft.input(leader) : draft.output(leader));
      draft.wait(far, draft.signal(leader, far));
    }
  }
}

// The data blocks of a subtree on their way through a leader: in scratch by level and position.
class Parcel {
 public:
  explicit Parcel(Draft& draft) : draft_(draft) {}

  Slice place(Rank holder, int depth, size_t position, Rank data) {
    const auto [at, is_new] = blocks_.try_emplace({depth, position}, 0);
    if (is_new) at->second = draft_.scratch(1);
    return Draft::at(holder, at->second, draft_.whole(static_cast<uint32_t>(data)));
  }

 private:
  Draft& draft_;
  std::map<std::pair<int, size_t>, uint32_t> blocks_;
};

// The last (receiver, sender) first; waited for one tile later, before scratch is written again.
void acknowledge(Draft& draft, const std::vector<std::pair<Rank, Rank>>& messages) {
  for (auto each = messages.rbegin(); each != messages.rend(); ++each) {
    draft.wait(each->second, draft.signal(each->first, each->second), 1);
  }
}

}  // namespace

// Steps log_k n, written B (as a partial sum above the leaves).
Result<Schedule> reduce_knomial(const Topology& topology, const Request& request, int lanes,
                                int radix) {
  Draft draft(topology, request, name_of(radix), 1);
  draft.header().stages = 2;
  reduce_to_leaders(draft, LeaderTree(topology.sum_groups(), request.root, radix), true);
  return std::move(draft).finish(lanes);
}

// Steps 2 log_k n, written B (k - 1) log_k n by rank 0. The result comes back after everything was
// read.
Result<Schedule> all_reduce_knomial(const Topology& topology, const Request& request, int lanes,
                                    int radix) {
  Draft draft(topology, request, name_of(radix), 1);
  const LeaderTree leaders(topology.sum_groups(), 0, radix);
  reduce_to_leaders(draft, leaders, false);
  broadcast_from_root(draft, leaders, false);
  return std::move(draft).finish(lanes);
}

// Steps log_k n, written B (k - 1) log_k n by the root; each message crosses to another domain
// once.
Result<Schedule> broadcast_knomial(const Topology& topology, const Request& request, int lanes,
                                   int radix) {
  Draft draft(topology, request, name_of(radix), 1);
  broadcast_from_root(draft, LeaderTree(topology.domains(), request.root, radix), true);
  draft.copy(request.root, draft.whole(), draft.output(request.root), draft.input(request.root));
  return std::move(draft).finish(lanes);
}

// Steps log_k n; a leader writes all blocks of its subtree. Three stages: an acknowledgement speaks
// of the tile before, and is waited for one tile later.
Result<Schedule> gather_knomial(const Topology& topology, const Request& request, int lanes,
                                int radix) {
  Draft draft(topology, request, name_of(radix), 1);
  draft.header().stages = 3;
  const Rank root = request.root;
  const LeaderTree leaders(topology.domains(), root, radix);
  Parcel parcel(draft);
  std::map<std::pair<Rank, Rank>, Slice> held;  // (holder, data)
  for (Rank rank = 0; rank < draft.ranks(); ++rank) held[{rank, rank}] = draft.input(rank);
  std::vector<std::pair<Rank, Rank>> acknowledgements;
  for (int index = 0; index <= leaders.root(); ++index) {
    const LeaderNode& node = leaders.node(index);
    const Rank leader = node.leader;
    size_t position = 0;
    std::vector<Mark> marks;
    for (const int child : leaders.far_children(index)) {
      const Rank far = leaders.leader(child);
      if (leader == root) draft.wait_record(far, root);
      for (const Rank rank : leaders.node(child).ranks) {
        const auto data = static_cast<uint32_t>(rank);
        const Slice target = leader == root ? draft.output(root, data)
                                            : parcel.place(leader, node.depth, position++, rank);
        draft.copy(far, draft.whole(data), target, held[{far, rank}]);
        held[{leader, rank}] = target;
      }
      marks.push_back(draft.signal(far, leader));
      acknowledgements.emplace_back(leader, far);
    }
    for (const Mark& mark : marks) draft.wait(leader, mark);
  }
  acknowledge(draft, acknowledgements);
  const auto own = static_cast<uint32_t>(root);
  draft.copy(root, draft.whole(own), draft.output(root, own), draft.input(root));
  return std::move(draft).finish(lanes);
}

// Steps log_k n; a leader passes on the blocks of its subtree, its own goes straight to its output.
Result<Schedule> scatter_knomial(const Topology& topology, const Request& request, int lanes,
                                 int radix) {
  Draft draft(topology, request, name_of(radix), 1);
  draft.header().stages = 3;
  const Rank root = request.root;
  const LeaderTree leaders(topology.domains(), root, radix);
  Parcel parcel(draft);
  std::map<std::pair<Rank, Rank>, Slice> held;  // (holder, data)
  for (Rank rank = 0; rank < draft.ranks(); ++rank) {
    held[{root, rank}] = draft.input(root, static_cast<uint32_t>(rank));
  }
  std::vector<std::pair<Rank, Rank>> acknowledgements;
  for (int index = leaders.root(); index >= 0; --index) {
    const LeaderNode& node = leaders.node(index);
    const Rank leader = node.leader;
    for (const int child : leaders.far_children(index)) {
      const Rank far = leaders.leader(child);
      draft.wait_record(leader, far);
      const auto& ranks = leaders.node(child).ranks;
      for (size_t i = 0; i < ranks.size(); ++i) {
        const Slice target =
            ranks[i] == far ? draft.output(far) : parcel.place(far, node.depth, i, ranks[i]);
        draft.copy(leader, draft.whole(static_cast<uint32_t>(ranks[i])), target,
                   held[{leader, ranks[i]}]);
        held[{far, ranks[i]}] = target;
      }
      draft.wait(far, draft.signal(leader, far));
      acknowledgements.emplace_back(far, leader);
    }
  }
  acknowledge(draft, acknowledgements);
  const auto own = static_cast<uint32_t>(root);
  draft.copy(root, draft.whole(own), draft.output(root), draft.input(root, own));
  return std::move(draft).finish(lanes);
}

}  // namespace unirack
