#include "lib/topology/symmetry.h"

#include <algorithm>
#include <deque>
#include <numeric>
#include <tuple>

#include "lib/base/hash.h"

namespace unirack {

namespace {

auto label_of(const Link& link) {
  return std::tuple(link.kind, link.bandwidth, link.latency_ns, link.health);
}
using Label = decltype(label_of(Link()));

auto colour_of(const Node& node) { return std::tuple(node.kind, node.health, node.reduces); }

// Partition refinement after Hopcroft: a cell is split by its links to a splitter, and of the
// fragments all but the largest become splitters. Everything that is done in some order is done in
// an order that names and indices do not decide (cells by position, fragments by link count), so
// that the final positions of the cells are canonical.
class Refiner {
 public:
  explicit Refiner(const Graph& graph) : graph_(graph) {
    label_links();
    make_first_cells();
  }

  Symmetry run() {
    while (!queue_.empty()) {
      const uint32_t splitter = queue_.front();
      queue_.pop_front();
      is_queued_[splitter] = false;
      split_by(splitter);
    }
    return result();
  }

 private:
  // A kind of link, with its direction as the node sees it, to another node.
  struct Arc {
    uint64_t key;  // label, direction, the other node
    uint64_t count;
  };
  static uint64_t label_and_direction(const Arc& arc) { return arc.key >> 32; }
  static NodeIndex other(const Arc& arc) { return static_cast<NodeIndex>(arc.key); }

  void label_links() {
    for (const Link& link : graph_.links()) labels_.push_back(label_of(link));
    std::sort(labels_.begin(), labels_.end());
    labels_.erase(std::unique(labels_.begin(), labels_.end()), labels_.end());
    link_labels_.reserve(graph_.links().size());
    for (const Link& link : graph_.links()) {
      const auto at = std::lower_bound(labels_.begin(), labels_.end(), label_of(link));
      link_labels_.push_back(static_cast<uint32_t>(at - labels_.begin()));
    }
  }

  void make_first_cells() {
    const auto count = static_cast<uint32_t>(graph_.nodes().size());
    elements_.resize(count);
    std::iota(elements_.begin(), elements_.end(), NodeIndex{0});
    std::sort(elements_.begin(), elements_.end(), [&](NodeIndex a, NodeIndex b) {
      return colour_of(graph_.node(a)) < colour_of(graph_.node(b));
    });
    position_.resize(count);
    cell_of_.resize(count);
    end_.resize(count);
    touched_.resize(count);
    sum_.resize(count);
    is_queued_.resize(count);
    for (uint32_t begin = 0; begin < count;) {
      uint32_t end = begin;
      while (end < count &&
             colour_of(graph_.node(elements_[end])) == colour_of(graph_.node(elements_[begin]))) {
        place(end++, begin);
      }
      end_[begin] = end;
      enqueue(begin);
      begin = end;
    }
  }

  void place(uint32_t position, uint32_t cell) {
    position_[elements_[position]] = position;
    cell_of_[elements_[position]] = cell;
  }

  void enqueue(uint32_t cell) {
    is_queued_[cell] = true;
    queue_.push_back(cell);
  }

  void append_arcs(NodeIndex node, std::vector<Arc>& arcs) const {
    for (const LinkIndex i : graph_.links_from(node)) {
      arcs.push_back({uint64_t{link_labels_[i]} << 33 | graph_.link(i).to, graph_.link(i).count});
    }
    for (const LinkIndex i : graph_.links_to(node)) {
      arcs.push_back({uint64_t{link_labels_[i]} << 33 | uint64_t{1} << 32 | graph_.link(i).from,
                      graph_.link(i).count});
    }
  }

  // The links are taken first: the splitter may itself fall apart.
  void split_by(uint32_t splitter) {
    arcs_.clear();
    for (uint32_t i = splitter; i < end_[splitter]; ++i) append_arcs(elements_[i], arcs_);
    std::sort(arcs_.begin(), arcs_.end(), [](const Arc& a, const Arc& b) { return a.key < b.key; });
    for (size_t begin = 0; begin < arcs_.size();) {
      size_t end = begin;
      while (end < arcs_.size() &&
             label_and_direction(arcs_[end]) == label_and_direction(arcs_[begin])) {
        touch(other(arcs_[end]), arcs_[end].count);
        ++end;
      }
      std::sort(touched_cells_.begin(), touched_cells_.end());
      for (const uint32_t cell : touched_cells_) split(cell);
      touched_cells_.clear();
      begin = end;
    }
  }

  // Moves the node to the end of its cell, among those that have been touched.
  void touch(NodeIndex node, uint64_t count) {
    const uint32_t cell = cell_of_[node];
    if (end_[cell] - cell == 1) return;
    if (sum_[node] == 0) {
      if (touched_[cell] == 0) touched_cells_.push_back(cell);
      const uint32_t from = position_[node];
      const uint32_t to = end_[cell] - ++touched_[cell];
      std::swap(elements_[from], elements_[to]);
      position_[elements_[from]] = from;
      position_[node] = to;
    }
    sum_[node] += count;
  }

  // Untouched nodes keep the front of the cell; the others follow by their sums.
  void split(uint32_t cell) {
    const uint32_t end = end_[cell];
    const uint32_t first_touched = end - touched_[cell];
    touched_[cell] = 0;
    const auto sum_at = [&](uint32_t position) { return sum_[elements_[position]]; };
    std::sort(elements_.begin() + first_touched, elements_.begin() + end,
              [&](NodeIndex a, NodeIndex b) { return sum_[a] < sum_[b]; });
    fragments_.assign(1, cell);
    for (uint32_t i = first_touched; i < end; ++i) {
      const bool is_first = i == first_touched ? first_touched > cell : sum_at(i) != sum_at(i - 1);
      if (is_first) fragments_.push_back(i);
      place(i, fragments_.back());
    }
    for (uint32_t i = first_touched; i < end; ++i) sum_[elements_[i]] = 0;
    if (fragments_.size() == 1) return;
    for (size_t i = 0; i < fragments_.size(); ++i) {
      end_[fragments_[i]] = i + 1 < fragments_.size() ? fragments_[i + 1] : end;
    }
    const auto size = [&](uint32_t fragment) { return end_[fragment] - fragment; };
    // The links to the whole are known, so those to one part follow from the rest.
    const uint32_t spared =
        is_queued_[cell]
            ? cell
            : *std::max_element(fragments_.begin(), fragments_.end(),
                                [&](uint32_t a, uint32_t b) { return size(a) < size(b); });
    for (const uint32_t fragment : fragments_) {
      if (fragment != spared) enqueue(fragment);
    }
  }

  Symmetry result() {
    Symmetry symmetry;
    symmetry.class_of.resize(elements_.size());
    for (uint32_t begin = 0; begin < elements_.size(); begin = end_[begin]) {
      for (uint32_t i = begin; i < end_[begin]; ++i) {
        symmetry.class_of[elements_[i]] = symmetry.class_count;
      }
      ++symmetry.class_count;
    }
    symmetry.hash = hash_of(symmetry);
    return symmetry;
  }

  // Of the classes and of the links between them, which any node of a class tells.
  uint64_t hash_of(const Symmetry& symmetry) {
    Hash64 hash;
    for (const auto& [kind, bandwidth, latency_ns, health] : labels_) {
      hash.add(static_cast<uint64_t>(kind)).add(bandwidth).add(uint64_t{latency_ns});
      hash.add(static_cast<uint64_t>(health));
    }
    for (uint32_t begin = 0; begin < elements_.size(); begin = end_[begin]) {
      const Node& node = graph_.node(elements_[begin]);
      hash.add(uint64_t{end_[begin] - begin}).add(static_cast<uint64_t>(node.kind));
      hash.add(static_cast<uint64_t>(node.health)).add(uint64_t{node.reduces});
      arcs_.clear();
      append_arcs(elements_[begin], arcs_);
      for (Arc& arc : arcs_) {
        arc.key = label_and_direction(arc) << 32 | symmetry.class_of[other(arc)];
      }
      std::sort(arcs_.begin(), arcs_.end(),
                [](const Arc& a, const Arc& b) { return a.key < b.key; });
      for (size_t i = 0; i < arcs_.size();) {
        const uint64_t key = arcs_[i].key;
        uint64_t count = 0;
        while (i < arcs_.size() && arcs_[i].key == key) count += arcs_[i++].count;
        hash.add(key).add(count);
      }
    }
    return hash.value();
  }

  const Graph& graph_;
  std::vector<Label> labels_;          // ascending
  std::vector<uint32_t> link_labels_;  // by link
  std::vector<NodeIndex> elements_;    // cell by cell
  std::vector<uint32_t> position_;     // by node
  std::vector<uint32_t> cell_of_;      // by node: the position its cell begins at
  std::vector<uint32_t> end_;          // by cell
  std::vector<uint32_t> touched_;      // by cell: how many nodes at its end
  std::vector<uint64_t> sum_;          // by node: links to the splitter
  std::vector<bool> is_queued_;        // by cell
  std::deque<uint32_t> queue_;
  std::vector<Arc> arcs_;
  std::vector<uint32_t> touched_cells_;
  std::vector<uint32_t> fragments_;
};

}  // namespace

Symmetry symmetry_of(const Graph& graph) { return Refiner(graph).run(); }

}  // namespace unirack
