#include "collectives/forest/tree_packing.h"

#include <algorithm>
#include <optional>

#include "lib/topology/bound/local_flow.h"

namespace unirack {

namespace {

// A batch of equal trees that grows.
struct GrowingTree {
  PackedTree tree;
  std::vector<uint8_t> has;       // by terminal
  std::vector<uint32_t> reached;  // in order
};

class TreePacker {
 public:
  TreePacker(const SwitchedGraph& graph, size_t batches_max) : batches_max_(batches_max) {
    for (uint32_t node = 0; node < graph.node_count; ++node) {
      if (graph.is_terminal[node] != 0) nodes_.push_back(node);
    }
    count_ = static_cast<uint32_t>(nodes_.size());
    capacity_.resize(size_t{count_} * count_, 0);
    for (uint32_t from = 0; from < count_; ++from) {
      for (uint32_t to = 0; to < count_; ++to) {
        capacity_[at(from, to)] = graph.capacity[graph.at(nodes_[from], nodes_[to])];
      }
      waiting_.push_back(graph.trees[nodes_[from]]);
    }
  }

  Result<std::vector<PackedTree>> pack() {
    for (uint32_t root = 0; root < count_; ++root) {
      if (waiting_[root] == 0) continue;
      GrowingTree first;
      first.tree.root = root;
      first.tree.copies = waiting_[root];
      first.has.resize(count_, 0);
      first.has[root] = 1;
      first.reached = {root};
      waiting_[root] = 0;
      rebuild();
      UNIRACK_TRY(grow(std::move(first)));
      while (!split_off_.empty()) {
        GrowingTree next = std::move(split_off_.back());
        split_off_.pop_back();
        rebuild();
        UNIRACK_TRY(grow(std::move(next)));
      }
    }
    return std::move(packed_);
  }

 private:
  struct Candidate {
    uint32_t from = 0;
    uint32_t to = 0;
    uint32_t copies = 0;  // that it can take at most
  };

  size_t at(uint32_t from, uint32_t to) const { return size_t{from} * count_ + to; }

  // Trees that have not begun supply at their root; those that were split off, wherever they have
  // got to.
  void rebuild() {
    CutNetwork network;
    network.place_count = count_ + static_cast<uint32_t>(split_off_.size());
    network.members_in = waiting_;
    others_ = 0;
    for (const uint32_t copies : waiting_) others_ += copies;
    for (const GrowingTree& each : split_off_) {
      network.members_in.push_back(each.tree.copies);
      others_ += each.tree.copies;
    }
    for (uint32_t a = 0; a < count_; ++a) {
      for (uint32_t b = a + 1; b < count_; ++b) {
        const int64_t there = capacity_[at(a, b)];
        const int64_t back = capacity_[at(b, a)];
        if (there > 0 || back > 0) network.pipes.push_back({a, b, there, back});
      }
      for (uint32_t i = 0; i < split_off_.size(); ++i) {
        if (split_off_[i].has[a] != 0) network.pipes.push_back({a, count_ + i, 0, kFree});
      }
    }
    flow_.emplace(network, false);
    flow_->set_share(1);
  }

  // How many copies may take the edge so that all other trees can still be completed.
  uint32_t room(const GrowingTree& growing, uint32_t from, uint32_t to) {
    const int64_t most = std::min<int64_t>(growing.tree.copies, capacity_[at(from, to)]);
    if (most <= 0) return 0;
    flow_->settle(from);
    const int64_t arrived = flow_->flow_into({&to, 1}, others_ + most);
    flow_->undo();
    flow_->set_members(from, waiting_[from]);
    return static_cast<uint32_t>(std::clamp<int64_t>(arrived - others_, 0, most));
  }

  void take(GrowingTree& growing, uint32_t from, uint32_t to, uint32_t copies) {
    if (copies < growing.tree.copies) {
      split_off_.push_back(growing);
      split_off_.back().tree.copies -= copies;
      growing.tree.copies = copies;
      capacity_[at(from, to)] -= copies;
      rebuild();
    } else {
      capacity_[at(from, to)] -= copies;
      flow_->take(from, to, copies);
    }
    growing.tree.edges.push_back({from, to});
    growing.has[to] = 1;
    growing.reached.push_back(to);
  }

  // An edge that has no room for a batch never gets any, so each is looked at once; those with room
  // for some copies are taken only when the batch has to be split.
  Status grow(GrowingTree growing) {
    if (packed_.size() + split_off_.size() >= batches_max_) {
      return make_error(Code::resource_exhausted, "trees are packed in too many batches");
    }
    std::vector<Candidate> narrow;
    for (size_t head = 0; growing.reached.size() < count_;) {
      if (head < growing.reached.size()) {
        sweep(growing, growing.reached[head++], narrow);
      } else {
        UNIRACK_TRY(take_narrow(growing, narrow));
      }
    }
    for (auto& edge : growing.tree.edges) edge = {nodes_[edge.from], nodes_[edge.to]};
    growing.tree.root = nodes_[growing.tree.root];
    packed_.push_back(std::move(growing.tree));
    return ok_status();
  }

  void sweep(GrowingTree& growing, uint32_t from, std::vector<Candidate>& narrow) {
    for (uint32_t i = 1; i < count_ && growing.reached.size() < count_; ++i) {
      const uint32_t to = (from + i) % count_;
      if (growing.has[to] != 0 || capacity_[at(from, to)] == 0) continue;
      const uint32_t copies = room(growing, from, to);
      if (copies == growing.tree.copies) {
        take(growing, from, to, copies);
      } else if (copies > 0) {
        narrow.push_back({from, to, copies});
      }
    }
  }

  Status take_narrow(GrowingTree& growing, std::vector<Candidate>& narrow) {
    Candidate best;
    for (Candidate& each : narrow) {
      if (growing.has[each.to] != 0 || each.copies <= best.copies) continue;
      each.copies = room(growing, each.from, each.to);
      if (each.copies > best.copies) best = each;
      if (best.copies == growing.tree.copies) break;
    }
    if (best.copies == 0) return make_error(Code::internal, "trees cannot be completed");
    take(growing, best.from, best.to, best.copies);
    return ok_status();
  }

  size_t batches_max_;
  uint32_t count_ = 0;
  std::vector<uint32_t> nodes_;    // terminals
  std::vector<int64_t> capacity_;  // between terminals
  std::vector<uint32_t> waiting_;  // trees that have not begun, by root
  std::vector<GrowingTree> split_off_;
  std::vector<PackedTree> packed_;
  std::optional<LocalFlow<int64_t>> flow_;
  int64_t others_ = 0;  // copies of all trees but those that grow
};

}  // namespace

Result<std::vector<PackedTree>> pack_trees(const SwitchedGraph& graph, size_t batches_max) {
  return TreePacker(graph, batches_max).pack();
}

}  // namespace unirack
