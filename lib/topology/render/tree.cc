#include "lib/topology/render/tree.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <map>
#include <set>

#include "lib/topology/natural_order.h"
#include "lib/topology/render/summary.h"
#include "lib/topology/render/text.h"

namespace unirack {

namespace {

constexpr size_t kDepthMax = 64;  // what hangs deeper stands by itself

// A line of the tree before it is printed. Folding compares all but the name.
struct Branch {
  std::string name;
  std::string detail;
  bool faulty = false;
  std::vector<Branch> children;
};

bool same_shape(const Branch& a, const Branch& b) {
  return a.detail == b.detail && a.faulty == b.faulty &&
         std::equal(
             a.children.begin(), a.children.end(), b.children.begin(), b.children.end(),
             [](const Branch& x, const Branch& y) { return x.name == y.name && same_shape(x, y); });
}

// Runs of equals become one line; from the leaves up, so that folded children compare equal.
void fold(std::vector<Branch>& branches) {
  for (Branch& branch : branches) fold(branch.children);
  std::vector<Branch> folded;
  for (size_t i = 0; i < branches.size();) {
    std::vector<std::string> names{branches[i].name};
    std::string text = branches[i].name;
    size_t end = i + 1;
    for (; end < branches.size() && same_shape(branches[i], branches[end]); ++end) {
      names.push_back(branches[end].name);
      std::string longer = fold_names(names);
      if (longer.empty()) break;
      text = std::move(longer);
    }
    Branch one = std::move(branches[i]);
    one.name = text;
    if (end - i > 1)
      one.detail = one.detail.empty() ? fmt::format("({})", end - i)
                                      : fmt::format("({}) {}", end - i, one.detail);
    folded.push_back(std::move(one));
    i = end;
  }
  branches = std::move(folded);
}

class Printer {
 public:
  explicit Printer(const TextStyle& style) : style_(style) {}

  void print(const std::vector<Branch>& branches, const std::string& indent) {
    for (size_t i = 0; i < branches.size(); ++i) {
      const bool last = i + 1 == branches.size();
      const Branch& branch = branches[i];
      text_ += indent;
      text_ += style_.ascii ? (last ? "`-- " : "|-- ") : (last ? "└─ " : "├─ ");
      text_ += branch.faulty ? paint(branch.name, "31;1") : paint(branch.name, "1");
      if (!branch.detail.empty()) {
        text_ += "  " + (branch.faulty ? paint(branch.detail, "31") : paint(branch.detail, "2"));
      }
      text_ += '\n';
      print(branch.children,
            indent + (last ? (style_.ascii ? "    " : "   ") : (style_.ascii ? "|   " : "│  ")));
    }
  }
  std::string take() { return std::move(text_); }

 private:
  std::string paint(const std::string& text, const char* code) const {
    return style_.colour ? fmt::format("\x1b[{}m{}\x1b[0m", code, text) : text;
  }

  const TextStyle& style_;
  std::string text_;
};

class TreeBuilder {
 public:
  explicit TreeBuilder(const Graph& graph)
      : graph_(graph),
        edges_(edges_of(graph)),
        neighbours_(graph, edges_),
        tiers_(switch_tiers(graph)),
        placed_(graph.nodes().size(), false) {}

  std::vector<Branch> build() {
    // Racks, then machines without one, then the domains' switches, then the network.
    std::map<std::string, std::map<std::string, std::vector<NodeIndex>, Natural>, Natural> racks;
    for (NodeIndex i = 0; i < graph_.nodes().size(); ++i) {
      const Node& node = graph_.node(i);
      if (!node.host.empty()) racks[rack_of(node.host, i)][node.host].push_back(i);
    }
    std::vector<Branch> all;
    for (const auto& [rack, machines] : racks) {
      std::vector<Branch> branches;
      for (const auto& [host, nodes] : machines) branches.push_back(machine(host, nodes));
      if (rack.empty()) {
        std::move(branches.begin(), branches.end(), std::back_inserter(all));
        continue;
      }
      add_rack_switches(rack, branches);
      all.push_back({rack.starts_with("rack") ? rack : "rack " + rack, rack_detail(machines), false,
                     std::move(branches)});
    }
    add_domains(all);
    add_network(all);
    add_rest(all);
    return all;
  }

 private:
  struct Natural {
    using is_transparent = void;
    bool operator()(std::string_view a, std::string_view b) const { return natural_less(a, b); }
  };

  // A machine is in the rack that any of its nodes names.
  const std::string& rack_of(const std::string& host, NodeIndex hint) {
    if (rack_of_host_.empty()) {
      for (const Node& node : graph_.nodes()) {
        auto& rack = rack_of_host_[node.host];
        if (rack.empty()) rack = node.rack;
      }
    }
    const auto found = rack_of_host_.find(host);
    return found != rack_of_host_.end() ? found->second : graph_.node(hint).rack;
  }

  std::string rack_detail(
      const std::map<std::string, std::vector<NodeIndex>, Natural>& machines) const {
    size_t gpus = 0;
    for (const auto& [host, nodes] : machines) {
      gpus += static_cast<size_t>(std::count_if(nodes.begin(), nodes.end(), [&](NodeIndex i) {
        return graph_.node(i).kind == NodeKind::gpu;
      }));
    }
    std::string text = count_text(machines.size(), "machine", "machines");
    if (gpus > 0) text += ", " + count_text(gpus, "GPU", "GPUs");
    return text;
  }

  // What hangs below a node on PCIe (or C2C), and has not been placed.
  Branch subtree(NodeIndex index, const std::string& host, size_t depth = 0) {
    placed_[index] = true;
    Branch branch = leaf_of(index);
    if (depth == kDepthMax) return branch;
    for (const auto& [next, edge] : sorted_neighbours(index)) {
      const Node& child = graph_.node(next);
      const LinkKind kind = edges_[edge].kind;
      if (placed_[next] || child.host != host) continue;
      if (kind != LinkKind::pcie && kind != LinkKind::c2c && kind != LinkKind::shared_memory) {
        continue;
      }
      if (child.kind == NodeKind::cpu) continue;
      if (is_device(graph_.node(index).kind) && is_device(child.kind)) continue;
      Branch below = subtree(next, host, depth + 1);
      if (edges_[edge].bandwidth > 0 || edges_[edge].health == Health::down) {
        append(below.detail, edge_text(edges_[edge]));
        below.faulty |= edges_[edge].is_faulty();
      }
      branch.children.push_back(std::move(below));
    }
    return branch;
  }

  Branch machine(const std::string& host, const std::vector<NodeIndex>& nodes) {
    Branch branch;
    branch.name = host;
    // Trees begin at NUMA nodes, then at bridges that nothing is above, then at single devices.
    const auto sorted = by_name(nodes);
    for (const auto wanted : {NodeKind::cpu, NodeKind::pcie, NodeKind::gpu, NodeKind::rank,
                              NodeKind::nic, NodeKind::nvswitch}) {
      if (wanted == NodeKind::cpu) {
        for (const NodeIndex i : sorted) {
          if (graph_.node(i).kind == wanted) placed_[i] = true;
        }
      }
      for (const NodeIndex i : sorted) {
        if (graph_.node(i).kind != wanted) continue;
        if (wanted != NodeKind::cpu && placed_[i]) continue;
        branch.children.push_back(subtree(i, host));
      }
    }
    for (const NodeIndex i : sorted) {
      if (!placed_[i]) branch.children.push_back(subtree(i, host));
    }
    return branch;
  }

  static bool is_device(NodeKind kind) {
    return kind == NodeKind::gpu || kind == NodeKind::nic || kind == NodeKind::rank;
  }
  static void append(std::string& text, std::string_view more) {
    if (!more.empty()) text += (text.empty() ? "" : ", ") + std::string(more);
  }

  std::string edge_text(const Edge& edge) const {
    const Link& link = graph_.link(edge.links.front());
    std::string text = fmt::format("{} {}", display_name(edge.kind), link_text(link));
    if (edge.below_capability) text += fmt::format(" of {} possible", speed_text(link.capable));
    if (edge.health != Health::ok) text += fmt::format(" {}", to_text(edge.health));
    return text;
  }

  // The node's own line: what it is, what it is plugged into beside PCIe.
  Branch leaf_of(NodeIndex index) const {
    const Node& node = graph_.node(index);
    Branch branch{std::string(short_name(node.name)), {}, node.health != Health::ok, {}};
    if (node.kind == NodeKind::nvswitch || is_switch(node.kind)) branch.name = node.name;
    append(branch.detail, node.attribute("model"));
    if (node.rank >= 0 && node.kind == NodeKind::gpu) {
      append(branch.detail, fmt::format("rank {}", node.rank));
    }
    if (node.rail >= 0) append(branch.detail, fmt::format("rail {}", node.rail));
    std::map<std::string, size_t> outside;
    for (const auto& [next, edge] : neighbours_.of(index)) {
      if (edges_[edge].kind == LinkKind::pcie || edges_[edge].kind == LinkKind::c2c) continue;
      if (node.kind == NodeKind::nvswitch) continue;
      if (node.kind == NodeKind::cpu && graph_.node(next).kind != NodeKind::cpu) continue;
      ++outside[edge_text(edges_[edge])];
      branch.faulty |= edges_[edge].is_faulty();
    }
    for (const auto& [text, count] : outside) {
      append(branch.detail, count == 1 ? text : fmt::format("{} to each of {}", text, count));
    }
    if (node.kind == NodeKind::nvswitch) append(branch.detail, ports_text(index));
    if (node.health != Health::ok) append(branch.detail, to_text(node.health));
    return branch;
  }

  // "72 GPUs at 18 x 50 GB/s"
  std::string ports_text(NodeIndex index) const {
    std::map<std::string, size_t> ports;
    for (const auto& [next, edge] : neighbours_.of(index)) {
      const Link& link = graph_.link(edges_[edge].links.front());
      ++ports[fmt::format("{} at {}", display_name(graph_.node(next).kind, 2), link_text(link))];
    }
    std::string text;
    for (const auto& [port, count] : ports) append(text, fmt::format("{} {}", count, port));
    return text;
  }

  void add_rack_switches(const std::string& rack, std::vector<Branch>& branches) {
    for (const NodeIndex i : by_name(all_nodes())) {
      const Node& node = graph_.node(i);
      if (placed_[i] || node.rack != rack || is_switch(node.kind)) continue;
      placed_[i] = true;
      branches.push_back(leaf_of(i));
    }
  }

  void add_domains(std::vector<Branch>& all) {
    for (const NodeIndex i : by_name(all_nodes())) {
      if (placed_[i] || graph_.node(i).kind != NodeKind::nvswitch) continue;
      placed_[i] = true;
      all.push_back(leaf_of(i));
    }
  }

  // Leaves by rail, then the tiers above.
  void add_network(std::vector<Branch>& all) {
    std::map<std::pair<int, int32_t>, std::vector<NodeIndex>> levels;
    for (const NodeIndex i : by_name(all_nodes())) {
      if (tiers_[i] == 0) continue;
      placed_[i] = true;
      levels[{tiers_[i], tiers_[i] == 1 ? graph_.node(i).rail : -1}].push_back(i);
    }
    if (levels.empty()) return;
    Branch network{"network", {}, false, {}};
    for (const auto& [key, switches] : levels) {
      const auto& [tier, rail] = key;
      Branch level;
      level.name = tier == 1   ? (rail >= 0 ? fmt::format("rail {}", rail) : "leaves")
                   : tier == 2 ? "spines"
                               : fmt::format("tier {}", tier);
      level.detail = count_text(switches.size(), "switch", "switches");
      for (const NodeIndex i : switches) level.children.push_back(switch_branch(i));
      network.children.push_back(std::move(level));
    }
    all.push_back(std::move(network));
  }

  Branch switch_branch(NodeIndex index) const {
    const Node& node = graph_.node(index);
    Branch branch{node.name, {}, node.health != Health::ok, {}};
    std::map<std::string, std::pair<size_t, uint64_t>> groups;  // cables and their bandwidth
    size_t failed = 0;
    for (const auto& [next, edge] : neighbours_.of(index)) {
      auto& [cables, bandwidth] = groups[tiers_[next] > tiers_[index] ? "uplinks" : "downlinks"];
      for (const LinkIndex at : edges_[edge].links) {
        const Link& link = graph_.link(at);
        if (link.from != index) continue;
        (link.health == Health::down ? failed : cables) += link.count;
        bandwidth += link.total_bandwidth();
      }
      branch.faulty |= edges_[edge].is_faulty();
    }
    for (const auto& [where, group] : groups) {
      append(branch.detail,
             fmt::format("{} {} ({})", group.first, where, speed_text(group.second)));
    }
    if (failed > 0) append(branch.detail, fmt::format("{} failed", failed));
    if (node.health != Health::ok) append(branch.detail, to_text(node.health));
    return branch;
  }

  void add_rest(std::vector<Branch>& all) {
    for (const NodeIndex i : by_name(all_nodes())) {
      if (!placed_[i]) all.push_back(subtree(i, graph_.node(i).host));
    }
  }

  std::vector<NodeIndex> all_nodes() const {
    std::vector<NodeIndex> all(graph_.nodes().size());
    for (NodeIndex i = 0; i < all.size(); ++i) all[i] = i;
    return all;
  }
  std::vector<NodeIndex> by_name(std::vector<NodeIndex> nodes) const {
    std::sort(nodes.begin(), nodes.end(), [&](NodeIndex a, NodeIndex b) {
      return natural_less(graph_.node(a).name, graph_.node(b).name);
    });
    return nodes;
  }
  std::vector<Neighbours::One> sorted_neighbours(NodeIndex index) const {
    auto sorted = neighbours_.of(index);
    std::sort(sorted.begin(), sorted.end(), [&](const auto& a, const auto& b) {
      return natural_less(graph_.node(a.node).name, graph_.node(b.node).name);
    });
    return sorted;
  }

  const Graph& graph_;
  std::vector<Edge> edges_;
  Neighbours neighbours_;
  std::vector<int> tiers_;
  std::vector<bool> placed_;
  std::map<std::string, std::string, std::less<>> rack_of_host_;
};

}  // namespace

std::string render_tree(const Graph& graph, const TextStyle& style) {
  std::vector<Branch> branches = TreeBuilder(graph).build();
  if (style.fold) fold(branches);
  Printer printer(style);
  printer.print(branches, "");
  return summary_text(summarize(graph, edges_of(graph))) +
         (graph.origin().empty() ? "" : "  (" + graph.origin() + ")") + "\n" + printer.take();
}

}  // namespace unirack
