#include "lib/topology/render/matrix.h"

#include <fmt/format.h>

#include <algorithm>
#include <deque>
#include <map>
#include <set>

#include "lib/topology/natural_order.h"
#include "lib/topology/render/edges.h"
#include "lib/topology/render/text.h"

namespace unirack {

namespace {

struct Natural {
  bool operator()(std::string_view a, std::string_view b) const { return natural_less(a, b); }
};

constexpr std::string_view kLegend =
    "X     itself\n"
    "NV#   # NVLinks, through a switch or directly\n"
    "XGMI  xGMI, through a switch or directly\n"
    "PIX   at most one PCIe bridge or switch\n"
    "PXB   several PCIe bridges, but not the host bridge\n"
    "PHB   the host bridge of one NUMA node\n"
    "NODE  two host bridges of one NUMA node\n"
    "SYS   from one NUMA node to another\n"
    "-     no path inside the machine is known\n";

class Classifier {
 public:
  explicit Classifier(const Graph& graph)
      : graph_(graph), edges_(edges_of(graph)), neighbours_(graph, edges_) {}

  std::string classify(NodeIndex a, NodeIndex b) {
    if (a == b) return "X";
    if (std::string direct = by_nvlink(a, b); !direct.empty()) return direct;
    return by_pcie(a, b);
  }

  // The nearest NUMA node's number.
  std::string numa_of(NodeIndex device) {
    const Path& path = paths_from(device);
    const NodeIndex cpu = path.cpu;
    if (cpu == kNone) return std::string(graph_.node(device).attribute("numa"));
    const std::string_view name = graph_.node(cpu).name;
    const size_t digits = name.find_last_not_of("0123456789");
    return std::string(name.substr(digits == std::string_view::npos ? 0 : digits + 1));
  }

 private:
  static constexpr NodeIndex kNone = UINT32_MAX;
  // Hops over PCIe from one device, not through NUMA nodes; and the first NUMA node met.
  struct Path {
    std::map<NodeIndex, int> bridges;  // by node reached: bridges between
    NodeIndex cpu = kNone;
    NodeIndex root = kNone;  // the last bridge before the NUMA node
  };

  std::string by_nvlink(NodeIndex a, NodeIndex b) const {
    std::string best;
    for (const auto& [next, edge] : neighbours_.of(a)) {
      const LinkKind kind = edges_[edge].kind;
      if (kind != LinkKind::nvlink && kind != LinkKind::xgmi) continue;
      uint32_t count = cables(edge, a);
      if (next != b) {
        const auto& far = neighbours_.of(next);
        const auto other =
            std::find_if(far.begin(), far.end(), [&](const auto& one) { return one.node == b; });
        if (graph_.node(next).kind != NodeKind::nvswitch || other == far.end()) continue;
        count = std::min(count, cables(other->edge, b));
      }
      best = kind == LinkKind::nvlink ? fmt::format("NV{}", count) : "XGMI";
      if (next == b) return best;
    }
    return best;
  }

  uint32_t cables(size_t edge, NodeIndex from) const {
    uint32_t count = 0;
    for (const LinkIndex link : edges_[edge].links) {
      if (graph_.link(link).from == from) count += graph_.link(link).count;
    }
    return count;
  }

  std::string by_pcie(NodeIndex a, NodeIndex b) {
    const Path& from = paths_from(a);
    if (const auto met = from.bridges.find(b); met != from.bridges.end()) {
      return met->second <= 1 ? "PIX" : "PXB";
    }
    const Path& to = paths_from(b);
    if (from.cpu == kNone || to.cpu == kNone) return "-";
    if (from.cpu != to.cpu) return "SYS";
    const auto bridge = [&](const Path& path) {
      return path.root == kNone ? std::string_view()
                                : graph_.node(path.root).attribute("host_bridge");
    };
    return bridge(from) == bridge(to) ? "PHB" : "NODE";
  }

  const Path& paths_from(NodeIndex device) {
    const auto [found, is_new] = paths_.try_emplace(device);
    Path& path = found->second;
    if (!is_new) return path;
    std::deque<std::pair<NodeIndex, int>> queue{{device, 0}};
    std::map<NodeIndex, NodeIndex> above;
    std::set<NodeIndex> seen{device};
    while (!queue.empty()) {
      const auto [at, bridges] = queue.front();
      queue.pop_front();
      for (const auto& [next, edge] : neighbours_.of(at)) {
        const LinkKind kind = edges_[edge].kind;
        if (kind != LinkKind::pcie && kind != LinkKind::c2c) continue;
        if (!seen.insert(next).second) continue;
        const NodeKind what = graph_.node(next).kind;
        if (what == NodeKind::cpu) {
          if (path.cpu == kNone) path.cpu = next, path.root = at == device ? kNone : at;
        } else if (what == NodeKind::pcie) {
          queue.emplace_back(next, bridges + 1);
        } else {
          path.bridges.emplace(next, bridges);
        }
      }
    }
    return path;
  }

  const Graph& graph_;
  std::vector<Edge> edges_;
  Neighbours neighbours_;
  std::map<NodeIndex, Path> paths_;
};

Matrix matrix_of(const Graph& graph, Classifier& classifier, std::vector<NodeIndex> devices) {
  std::sort(devices.begin(), devices.end(), [&](NodeIndex a, NodeIndex b) {
    const NodeKind kind_a = graph.node(a).kind, kind_b = graph.node(b).kind;
    if (kind_a != kind_b) return kind_a < kind_b;
    return natural_less(graph.node(a).name, graph.node(b).name);
  });
  Matrix matrix;
  for (const NodeIndex a : devices) {
    const Node& node = graph.node(a);
    matrix.devices.emplace_back(short_name(node.name));
    auto& row = matrix.cells.emplace_back();
    for (const NodeIndex b : devices) row.push_back(classifier.classify(a, b));
    matrix.numa.push_back(classifier.numa_of(a));
    matrix.rails.push_back(node.rail < 0 ? std::string() : std::to_string(node.rail));
    matrix.domains.push_back(node.domain);
  }
  return matrix;
}

// Names of domains may differ, but not which devices share one.
bool same_domains(const std::vector<std::string>& a, const std::vector<std::string>& b) {
  for (size_t i = 0; i < a.size(); ++i) {
    if (a[i].empty() != b[i].empty()) return false;
    for (size_t j = 0; j < i; ++j) {
      if ((a[i] == a[j]) != (b[i] == b[j])) return false;
    }
  }
  return true;
}

bool alike(const Matrix& a, const Matrix& b) {
  return a.devices == b.devices && a.cells == b.cells && a.numa == b.numa && a.rails == b.rails &&
         same_domains(a.domains, b.domains);
}

// Of machines that are alike but for the names of their domains: "rack0-7".
void join_domains(Matrix& into, const Matrix& from) {
  for (size_t i = 0; i < into.domains.size(); ++i) {
    auto& names = into.all_domains[i];
    if (std::find(names.begin(), names.end(), from.domains[i]) == names.end()) {
      names.push_back(from.domains[i]);
    }
  }
}

std::string table_of(const Matrix& matrix) {
  std::vector<std::vector<std::string>> rows{{""}};
  rows[0].insert(rows[0].end(), matrix.devices.begin(), matrix.devices.end());
  for (size_t i = 0; i < matrix.devices.size(); ++i) {
    auto& row = rows.emplace_back(std::vector<std::string>{matrix.devices[i]});
    row.insert(row.end(), matrix.cells[i].begin(), matrix.cells[i].end());
  }
  const auto add_column = [&](const char* head, const std::vector<std::string>& values) {
    if (std::all_of(values.begin(), values.end(), [](const auto& v) { return v.empty(); })) return;
    rows[0].push_back(head);
    for (size_t i = 0; i < values.size(); ++i) {
      rows[i + 1].push_back(values[i].empty() ? "-" : values[i]);
    }
  };
  add_column("NUMA", matrix.numa);
  add_column("rail", matrix.rails);
  add_column("domain", matrix.domains);
  std::string text;
  for (const auto& row : rows) {
    std::string line;
    for (size_t column = 0; column < row.size(); ++column) {
      size_t width = 0;
      for (const auto& other : rows) width = std::max(width, character_count(other[column]));
      line += row[column];
      line.append(width - character_count(row[column]) + 2, ' ');
    }
    line.erase(line.find_last_not_of(' ') + 1);
    text += line + "\n";
  }
  return text;
}

}  // namespace

std::vector<Matrix> matrices_of(const Graph& graph) {
  std::map<std::string_view, std::vector<NodeIndex>, Natural> machines;
  for (NodeIndex i = 0; i < graph.nodes().size(); ++i) {
    const Node& node = graph.node(i);
    if (node.kind == NodeKind::gpu || node.kind == NodeKind::nic || node.kind == NodeKind::rank) {
      machines[node.host].push_back(i);
    }
  }
  // Devices of no machine have nothing in common to compare.
  if (machines.size() > 1) machines.erase("");
  Classifier classifier(graph);
  std::vector<Matrix> all;
  for (const auto& [host, devices] : machines) {
    Matrix matrix = matrix_of(graph, classifier, devices);
    auto same = std::find_if(all.begin(), all.end(),
                             [&](const Matrix& other) { return alike(matrix, other); });
    if (same == all.end()) {
      matrix.all_domains.resize(matrix.devices.size());
      same = all.insert(all.end(), matrix);
    }
    same->hosts.emplace_back(host);
    join_domains(*same, matrix);
  }
  for (Matrix& matrix : all) {
    for (size_t i = 0; i < matrix.devices.size(); ++i) {
      const auto& names = matrix.all_domains[i];
      const std::string folded = fold_names(names);
      matrix.domains[i] =
          folded.empty() && names.size() > 1 ? std::to_string(names.size()) + " domains" : folded;
    }
  }
  return all;
}

std::string render_matrix(const Graph& graph) {
  std::string text;
  const std::vector<Matrix> all = matrices_of(graph);
  for (const Matrix& matrix : all) {
    std::string hosts = fold_names(matrix.hosts);
    if (hosts.empty()) {
      hosts = matrix.hosts.size() > 1
                  ? fmt::format("{} and {} more", matrix.hosts[0], matrix.hosts.size() - 1)
                  : matrix.hosts[0];
    }
    if (matrix.hosts.size() > 1) hosts += fmt::format("  ({} machines)", matrix.hosts.size());
    if (!hosts.empty()) text += hosts + "\n";
    text += table_of(matrix) + "\n";
  }
  if (all.empty()) return "no GPU and no NIC\n";
  return text + std::string(kLegend);
}

}  // namespace unirack
