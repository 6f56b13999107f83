// Both sides of every tree node exchange all they have: log2 n steps of growing or full size.
// Member i of one side is served by member i mod size of the other, so any rank count works.
#include <map>
#include <tuple>

#include "collectives/algorithms/algorithms.h"
#include "collectives/algorithms/draft.h"

namespace unirack {

namespace {

struct Transfer {
  Rank from = kNoRank;
  Rank to = kNoRank;
  bool leftwards = false;  // from the right side to the left one
};

std::vector<Transfer> exchanges(const SumTree& tree, const SumNode& node) {
  const auto& left = tree.node(node.left).ranks;
  const auto& right = tree.node(node.right).ranks;
  std::vector<Transfer> all;
  for (size_t i = 0; i < left.size(); ++i) all.push_back({right[i % right.size()], left[i], true});
  for (size_t i = 0; i < right.size(); ++i) all.push_back({left[i % left.size()], right[i], false});
  return all;
}

}  // namespace

// Steps log2 n, written B log2 n. Two stages: to end a tile a rank needs everyone's start of it.
Result<Schedule> all_reduce_recursive_doubling(const Topology& topology, const Request& request,
                                               int lanes) {
  Draft draft(topology, request, "recursive_doubling", 1);
  draft.header().stages = 2;
  const Parts whole = draft.whole();
  const SumTree tree(topology.sum_groups());
  std::map<std::tuple<int, bool, Form>, uint32_t> blocks;  // (depth, received, form)
  const auto block = [&](int depth, bool received, Form form) {
    const auto [at, is_new] = blocks.try_emplace({depth, received, form}, 0);
    if (is_new) at->second = draft.scratch(1, form);
    return at->second;
  };
  const auto value = [&](const SumNode& node, Rank rank) {
    if (node.is_leaf()) return draft.input(rank);
    return Draft::at(rank, block(node.depth, false, Form::partial), whole);
  };
  for (const SumNode& node : tree.nodes()) {
    if (node.is_leaf()) continue;
    std::vector<Mark> marks;
    std::vector<Slice> received;
    const auto transfers = exchanges(tree, node);
    for (const Transfer& each : transfers) {
      const SumNode& side = tree.node(each.leftwards ? node.right : node.left);
      const Form form = side.is_leaf() ? Form::user : Form::partial;
      received.push_back(Draft::at(each.to, block(node.depth, true, form), whole));
      draft.copy(each.from, whole, received.back(), value(side, each.from));
      marks.push_back(draft.signal(each.from, each.to));
    }
    for (size_t i = 0; i < transfers.size(); ++i) {
      const Transfer& each = transfers[i];
      draft.wait(each.to, marks[i]);
      const SumNode& side = tree.node(each.leftwards ? node.left : node.right);
      const Slice own = value(side, each.to);
      const std::vector<Slice> sources =
          each.leftwards ? std::vector{own, received[i]} : std::vector{received[i], own};
      draft.reduce(each.to, whole, node.depth == 0 ? draft.output(each.to) : value(node, each.to),
                   sources);
    }
  }
  if (draft.ranks() == 1) {
    const Slice own = draft.input(0);
    draft.reduce(0, whole, draft.output(0), std::span(&own, 1));
  }
  return std::move(draft).finish(lanes);
}

// Steps log2 n, written (n - 1) B; at each step a rank hands on all blocks of its side.
Result<Schedule> all_gather_recursive_doubling(const Topology& topology, const Request& request,
                                               int lanes) {
  Draft draft(topology, request, "recursive_doubling", 1);
  for (Rank rank = 0; rank < draft.ranks(); ++rank) {
    const auto own = static_cast<uint32_t>(rank);
    draft.copy(rank, draft.whole(own), draft.output(rank, own), draft.input(rank));
  }
  const SumTree tree(topology.domains());
  for (const SumNode& node : tree.nodes()) {
    if (node.is_leaf()) continue;
    std::vector<std::pair<Rank, Mark>> waits;
    for (const Transfer& each : exchanges(tree, node)) {
      draft.wait_record(each.from, each.to);
      for (const Rank rank : tree.node(each.leftwards ? node.right : node.left).ranks) {
        const auto data = static_cast<uint32_t>(rank);
        draft.copy(each.from, draft.whole(data), draft.output(each.to, data),
                   draft.output(each.from, data));
      }
      waits.emplace_back(each.to, draft.signal(each.from, each.to));
    }
    for (const auto& [rank, mark] : waits) draft.wait(rank, mark);
  }
  return std::move(draft).finish(lanes);
}

}  // namespace unirack
