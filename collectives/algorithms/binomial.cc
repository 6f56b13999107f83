// Trees with one leader a node: the leader of one side sends to, or receives from, the leader of
// the other. The root leads every node that it is under.
#include <map>
#include <tuple>

#include "collectives/algorithms/algorithms.h"
#include "collectives/algorithms/draft.h"

namespace unirack {

namespace {

class LeaderTree {
 public:
  LeaderTree(const RankGroups& groups, Rank root) : tree_(groups) {
    for (const SumNode& node : tree_.nodes()) {
      Rank leader = node.ranks[0];
      if (!node.is_leaf()) {
        const Rank right = leaders_[static_cast<size_t>(node.right)];
        leader = right == root ? right : leaders_[static_cast<size_t>(node.left)];
      }
      leaders_.push_back(leader);
    }
  }

  const SumTree& tree() const { return tree_; }
  Rank leader(int node) const { return leaders_[static_cast<size_t>(node)]; }
  // The child whose leader is not the node's.
  int far_child(int index) const {
    const SumNode& node = tree_.node(index);
    return leader(node.left) == leader(index) ? node.right : node.left;
  }

 private:
  SumTree tree_;
  std::vector<Rank> leaders_;
};

// Every leader ends with the sum of its node; the root's is in its output.
void reduce_to_leaders(Draft& draft, const LeaderTree& leaders, bool acknowledge) {
  const SumTree& tree = leaders.tree();
  const Parts whole = draft.whole();
  std::map<std::tuple<int, bool, Form>, uint32_t> blocks;  // (depth, received, form)
  const auto place = [&](Rank rank, int depth, bool received, Form form) {
    const auto [at, is_new] = blocks.try_emplace({depth, received, form}, 0);
    if (is_new) at->second = draft.scratch(1, form);
    return Draft::at(rank, at->second, whole);
  };
  const auto value = [&](int index) {
    const Rank rank = leaders.leader(index);
    if (tree.node(index).is_leaf()) return draft.input(rank);
    return place(rank, tree.node(index).depth, false, Form::partial);
  };
  for (int index = 0; index <= tree.root(); ++index) {
    const SumNode& node = tree.node(index);
    if (node.is_leaf()) continue;
    const Rank leader = leaders.leader(index);
    const int far = leaders.far_child(index);
    const Form form = tree.node(far).is_leaf() ? Form::user : Form::partial;
    const Slice received = place(leader, node.depth, true, form);
    draft.copy(leaders.leader(far), whole, received, value(far));
    draft.wait(leader, draft.signal(leaders.leader(far), leader));
    const std::vector<Slice> sources = far == node.right ? std::vector{value(node.left), received}
                                                         : std::vector{received, value(node.right)};
    draft.reduce(leader, whole, index == tree.root() ? draft.output(leader) : value(index),
                 sources);
    if (acknowledge) {
      draft.wait(leaders.leader(far), draft.signal(leader, leaders.leader(far)), 1);
    }
  }
  if (draft.ranks() == 1) {
    const Slice own = draft.input(0);
    draft.reduce(0, whole, draft.output(0), std::span(&own, 1));
  }
}

void broadcast_from_root(Draft& draft, const LeaderTree& leaders, bool records) {
  const SumTree& tree = leaders.tree();
  for (int index = tree.root(); index >= 0; --index) {
    if (tree.node(index).is_leaf()) continue;
    const Rank leader = leaders.leader(index);
    const Rank far = leaders.leader(leaders.far_child(index));
    const bool from_input =
        draft.header().collective == Collective::broadcast && leader == draft.header().root;
    if (records) draft.wait_record(leader, far);
    draft.copy(leader, draft.whole(), draft.output(far),
               from_input ? draft.input(leader) : draft.output(leader));
    draft.wait(far, draft.signal(leader, far));
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

}  // namespace

// Steps log2 n, written B (as a partial sum above the leaves).
Result<Schedule> reduce_binomial(const Topology& topology, const Request& request, int lanes) {
  Draft draft(topology, request, "binomial", 1);
  draft.header().stages = 2;
  reduce_to_leaders(draft, LeaderTree(topology.sum_groups(), request.root), true);
  return std::move(draft).finish(lanes);
}

// Steps 2 log2 n, written B log2 n by rank 0. The result comes back after everything was read.
Result<Schedule> all_reduce_binomial(const Topology& topology, const Request& request, int lanes) {
  Draft draft(topology, request, "binomial", 1);
  const LeaderTree leaders(topology.sum_groups(), 0);
  reduce_to_leaders(draft, leaders, false);
  broadcast_from_root(draft, leaders, false);
  return std::move(draft).finish(lanes);
}

// Steps log2 n, written B log2 n by the root; each message crosses to another domain once.
Result<Schedule> broadcast_binomial(const Topology& topology, const Request& request, int lanes) {
  Draft draft(topology, request, "binomial", 1);
  broadcast_from_root(draft, LeaderTree(topology.domains(), request.root), true);
  draft.copy(request.root, draft.whole(), draft.output(request.root), draft.input(request.root));
  return std::move(draft).finish(lanes);
}

// Steps log2 n; a leader writes all blocks of its subtree. Three stages: an acknowledgement speaks
// of the tile before, and is waited for one tile later.
Result<Schedule> gather_binomial(const Topology& topology, const Request& request, int lanes) {
  Draft draft(topology, request, "binomial", 1);
  draft.header().stages = 3;
  const Rank root = request.root;
  const LeaderTree leaders(topology.domains(), root);
  Parcel parcel(draft);
  std::map<std::pair<Rank, Rank>, Slice> held;  // (holder, data)
  for (Rank rank = 0; rank < draft.ranks(); ++rank) held[{rank, rank}] = draft.input(rank);
  std::vector<std::pair<Rank, Rank>> acknowledgements;
  for (int index = 0; index <= leaders.tree().root(); ++index) {
    const SumNode& node = leaders.tree().node(index);
    if (node.is_leaf()) continue;
    const Rank leader = leaders.leader(index);
    const int far_child = leaders.far_child(index);
    const Rank far = leaders.leader(far_child);
    if (leader == root) draft.wait_record(far, root);
    const auto& ranks = leaders.tree().node(far_child).ranks;
    for (size_t i = 0; i < ranks.size(); ++i) {
      const auto data = static_cast<uint32_t>(ranks[i]);
      const Slice target =
          leader == root ? draft.output(root, data) : parcel.place(leader, node.depth, i, ranks[i]);
      draft.copy(far, draft.whole(data), target, held[{far, ranks[i]}]);
      held[{leader, ranks[i]}] = target;
    }
    draft.wait(leader, draft.signal(far, leader));
    acknowledgements.emplace_back(leader, far);
  }
  for (auto each = acknowledgements.rbegin(); each != acknowledgements.rend(); ++each) {
    draft.wait(each->second, draft.signal(each->first, each->second), 1);
  }
  const auto own = static_cast<uint32_t>(root);
  draft.copy(root, draft.whole(own), draft.output(root, own), draft.input(root));
  return std::move(draft).finish(lanes);
}

// Steps log2 n; a leader passes on the blocks of its subtree, its own goes straight to its output.
Result<Schedule> scatter_binomial(const Topology& topology, const Request& request, int lanes) {
  Draft draft(topology, request, "binomial", 1);
  draft.header().stages = 3;
  const Rank root = request.root;
  const LeaderTree leaders(topology.domains(), root);
  Parcel parcel(draft);
  std::map<std::pair<Rank, Rank>, Slice> held;  // (holder, data)
  for (Rank rank = 0; rank < draft.ranks(); ++rank) {
    held[{root, rank}] = draft.input(root, static_cast<uint32_t>(rank));
  }
  std::vector<std::pair<Rank, Rank>> acknowledgements;
  for (int index = leaders.tree().root(); index >= 0; --index) {
    const SumNode& node = leaders.tree().node(index);
    if (node.is_leaf()) continue;
    const Rank leader = leaders.leader(index);
    const int far_child = leaders.far_child(index);
    const Rank far = leaders.leader(far_child);
    draft.wait_record(leader, far);
    const auto& ranks = leaders.tree().node(far_child).ranks;
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
  for (auto each = acknowledgements.rbegin(); each != acknowledgements.rend(); ++each) {
    draft.wait(each->second, draft.signal(each->first, each->second), 1);
  }
  const auto own = static_cast<uint32_t>(root);
  draft.copy(root, draft.whole(own), draft.output(root), draft.input(root, own));
  return std::move(draft).finish(lanes);
}

}  // namespace unirack
