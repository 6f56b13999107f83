// One machine: NUMA nodes on top, the PCIe tree below them, GPUs and NICs in one row, NVLink
// beneath: a bar for switches, arcs for direct links.
#include <algorithm>
#include <cmath>

#include "lib/topology/natural_order.h"
#include "lib/topology/render/picture.h"
#include "lib/topology/render/text.h"

namespace unirack {

namespace {

constexpr double kMargin = 28;
constexpr double kDeviceWidth = 78;
constexpr double kDeviceWidthMany = 60;  // of more devices than these
constexpr size_t kManyDevices = 12;
constexpr double kDeviceHeight = 38;
constexpr double kGap = 10;
constexpr double kBridgeHeight = 20;
constexpr double kRootHeight = 34;
constexpr double kLevel = 44;  // from one row of bridges to the next, at least
constexpr double kWidthScale = 1.5;
constexpr size_t kDepthMax = 32;  // a deeper tree continues as another root

bool is_device(NodeKind kind) {
  return kind == NodeKind::gpu || kind == NodeKind::nic || kind == NodeKind::rank;
}

// Without the PCI domain that all have on most machines.
std::string_view bridge_name(std::string_view name) {
  return name.starts_with("0000:") ? name.substr(5) : name;
}

class MachineLayout {
 public:
  MachineLayout(const Graph& graph, std::vector<Edge> edges)
      : graph_(graph),
        neighbours_(graph, edges),
        place_(graph.nodes().size()),
        seen_(graph.nodes().size(), false) {
    picture_.edges = std::move(edges);
    const auto devices =
        static_cast<size_t>(std::count_if(graph.nodes().begin(), graph.nodes().end(),
                                          [](const Node& node) { return is_device(node.kind); }));
    if (devices > kManyDevices) device_width_ = kDeviceWidthMany;
    // A wide machine is drawn higher, or it would be a strip.
    level_ = std::clamp(static_cast<double>(devices) * 3.4, kLevel, 84.0);
  }

  Picture draw() {
    place_trees();
    place_devices();
    place_bars();
    add_cells();
    add_lines();
    picture_.width = std::max(right_ + kMargin, 420.0);
    picture_.height = bottom_ + kMargin;
    Rect frame{kMargin / 2, kMargin / 2, picture_.width - kMargin, picture_.height - kMargin};
    picture_.frames.push_back({FrameKind::machine, frame, host(), {}});
    return std::move(picture_);
  }

 private:
  std::string host() const {
    for (const Node& node : graph_.nodes()) {
      if (!node.host.empty()) return node.host;
    }
    return {};
  }

  std::vector<NodeIndex> sorted(std::vector<NodeIndex> nodes) const {
    std::sort(nodes.begin(), nodes.end(), [&](NodeIndex a, NodeIndex b) {
      return natural_less(graph_.node(a).name, graph_.node(b).name);
    });
    return nodes;
  }
  std::vector<NodeIndex> of_kind(NodeKind kind) const {
    std::vector<NodeIndex> nodes;
    for (NodeIndex i = 0; i < graph_.nodes().size(); ++i) {
      if (graph_.node(i).kind == kind) nodes.push_back(i);
    }
    return sorted(std::move(nodes));
  }

  void place_trees() {
    const auto cpus = of_kind(NodeKind::cpu);
    for (const NodeIndex cpu : cpus) seen_[cpu] = true;
    for (const NodeIndex cpu : cpus) place_root(cpu);
    for (const NodeKind kind : {NodeKind::pcie, NodeKind::gpu, NodeKind::rank, NodeKind::nic}) {
      for (const NodeIndex node : of_kind(kind)) {
        if (!seen_[node]) place_root(node);
      }
    }
  }

  void place_root(NodeIndex node) {
    seen_[node] = true;
    place_tree(node, 0);
    // Beside a device without a tree stands what it is paired with.
    if (is_device(graph_.node(node).kind)) {
      for (const auto& [next, edge] : neighbours_.of(node)) {
        if (seen_[next] || !is_device(graph_.node(next).kind)) continue;
        if (picture_.edges[edge].kind != LinkKind::pcie) continue;
        seen_[next] = true;
        place_tree(next, 0);
      }
    } else {
      right_ += kGap;
    }
  }

  // Devices take the next free column; what is above them spans them.
  void place_tree(NodeIndex node, size_t depth) {
    const double begin = right_;
    std::vector<NodeIndex> children;
    for (const auto& [next, edge] : neighbours_.of(node)) {
      const LinkKind kind = picture_.edges[edge].kind;
      const bool is_below =
          kind == LinkKind::pcie || kind == LinkKind::c2c || kind == LinkKind::shared_memory;
      const NodeKind child = graph_.node(next).kind;
      if (seen_[next] || !is_below || is_device(graph_.node(node).kind)) continue;
      if (!is_device(child) && child != NodeKind::pcie) continue;
      if (depth >= kDepthMax) continue;
      seen_[next] = true;
      children.push_back(next);
    }
    for (const NodeIndex child : sorted(std::move(children))) place_tree(child, depth + 1);
    const bool is_leaf = right_ == begin;
    if (is_leaf) right_ += device_width_ + kGap;
    Rect& rect = place_[node];
    rect.x = begin;
    rect.width = right_ - kGap - begin;
    if (is_device(graph_.node(node).kind)) {
      devices_.push_back(node);
      return;
    }
    deepest_ = std::max(deepest_, depth);
    const bool is_root = graph_.node(node).kind == NodeKind::cpu;
    rect.height = is_root ? kRootHeight : kBridgeHeight;
    rect.y = top() + static_cast<double>(depth) * level_ + (is_root ? 0 : kRootHeight - 20);
    if (!is_root && rect.width > device_width_ * 1.5 + kGap) {
      // A bridge is no wider than its name; its lines spread below it.
      const double width = device_width_ * 1.5;
      rect.x += (rect.width - width) / 2;
      rect.width = width;
    }
  }

  // Arcs between NUMA nodes that are not neighbours need room above.
  double top() const { return kMargin + 22 + (of_kind(NodeKind::cpu).size() > 2 ? 46 : 0); }

  void place_devices() {
    const bool has_tree = devices_.size() < graph_.nodes().size() &&
                          (!of_kind(NodeKind::cpu).empty() || !of_kind(NodeKind::pcie).empty());
    const double y =
        has_tree ? top() + static_cast<double>(deepest_) * level_ + kRootHeight + 34 : top() + 8;
    for (const NodeIndex device : devices_) {
      place_[device].y = y;
      place_[device].height = kDeviceHeight;
      place_[device].width = device_width_;
    }
    bottom_ = devices_.empty() ? top() + static_cast<double>(deepest_) * level_ + kRootHeight
                               : y + kDeviceHeight;
  }

  // NVSwitches and network switches below the devices.
  void place_bars() {
    double first = right_, last = kMargin;
    for (const auto& edge : picture_.edges) {
      if (edge.kind != LinkKind::nvlink && edge.kind != LinkKind::xgmi) continue;
      for (const NodeIndex end : {edge.a, edge.b}) {
        if (!is_device(graph_.node(end).kind)) continue;
        first = std::min(first, place_[end].x);
        last = std::max(last, place_[end].right());
      }
    }
    bool has_arcs = false;
    for (const auto& edge : picture_.edges) {
      has_arcs |= is_device(graph_.node(edge.a).kind) && is_device(graph_.node(edge.b).kind) &&
                  edge.kind != LinkKind::pcie;
    }
    device_bottom_ = bottom_;
    if (has_arcs) bottom_ += arc_room();
    for (const NodeIndex node : of_kind(NodeKind::nvswitch)) {
      bottom_ += level_ - 4;
      place_[node] = {first, bottom_, std::max(last - first, 120.0), 24};
      bottom_ += 24;
    }
    double x = kMargin;
    bool is_first = true;
    for (const NodeKind kind : {NodeKind::leaf, NodeKind::network_switch, NodeKind::spine}) {
      for (const NodeIndex node : of_kind(kind)) {
        if (is_first) bottom_ += 44;
        is_first = false;
        place_[node] = {x, bottom_, 110, 26};
        x += 120;
      }
    }
    if (!is_first) bottom_ += 26;
    right_ = std::max(right_ - kGap, x - kGap);
  }

  double arc_room() const {
    double widest = 0;
    for (const auto& edge : picture_.edges) {
      if (!is_arc(edge)) continue;
      widest = std::max(widest, std::abs(place_[edge.a].x - place_[edge.b].x));
    }
    return 20 + arc_height(widest);
  }
  static double arc_height(double distance) { return 14 + 0.16 * distance; }
  bool is_arc(const Edge& edge) const {
    return is_device(graph_.node(edge.a).kind) && is_device(graph_.node(edge.b).kind) &&
           edge.kind != LinkKind::pcie;
  }

  void add_cells() {
    for (NodeIndex i = 0; i < graph_.nodes().size(); ++i) {
      const Node& node = graph_.node(i);
      PictureCell cell;
      cell.node = i;
      cell.at = place_[i];
      cell.is_bar = node.kind == NodeKind::nvswitch;
      cell.font = is_device(node.kind) || node.kind == NodeKind::cpu ? 11 : 9;
      const double room = cell.at.width - 8;
      cell.label =
          fitted(cell.is_bar ? bar_label(graph_, neighbours_, picture_.edges, i, room, cell.font)
                             : std::string(bridge_name(short_name(node.name))),
                 room, cell.font);
      cell.detail = fitted(detail_of(i), room, 8.5);
      if (!is_device(node.kind) && node.kind != NodeKind::cpu) cell.detail.clear();
      picture_.cells.push_back(std::move(cell));
    }
  }

  std::string detail_of(NodeIndex index) const {
    const Node& node = graph_.node(index);
    if (const auto model = node.attribute("model"); !model.empty()) return std::string(model);
    // Of the links to other GPUs or machines; of PCIe where there are none.
    uint64_t speed = 0, pcie = 0;
    for (const auto& [next, edge] : neighbours_.of(index)) {
      const bool is_pcie = picture_.edges[edge].kind == LinkKind::pcie;
      (is_pcie ? pcie : speed) += picture_.edges[edge].bandwidth;
    }
    if (speed == 0) speed = pcie;
    if (node.kind == NodeKind::cpu) return std::string(node.attribute("cpus"));
    return speed > 0 ? speed_text(speed) : std::string();
  }

  void add_lines() {
    for (size_t i = 0; i < picture_.edges.size(); ++i) {
      Line line;
      line.edges = {i};
      line.width = line_width(picture_.edges[i].bandwidth) * kWidthScale;
      line.path = path_of(i);
      picture_.lines.push_back(std::move(line));
    }
  }

  std::string path_of(size_t index) const {
    const Edge& edge = picture_.edges[index];
    const Rect* a = &place_[edge.a];
    const Rect* b = &place_[edge.b];
    const NodeKind kind_a = graph_.node(edge.a).kind, kind_b = graph_.node(edge.b).kind;
    if (is_arc(edge)) {
      return arc({a->centre_x(), device_bottom_}, {b->centre_x(), device_bottom_},
                 arc_height(std::abs(a->centre_x() - b->centre_x())));
    }
    if (a->x > b->x) std::swap(a, b);
    const double gap = b->x - a->right();
    if (std::abs(a->y - b->y) < 1) {  // side by side
      if (gap >= 0 && gap < 60)
        return polyline({{a->right(), a->centre_y()}, {b->x, b->centre_y()}});
      return arc({a->centre_x(), a->y}, {b->centre_x(), b->y}, -12 - 0.03 * (b->x - a->x));
    }
    if (a->y > b->y) std::swap(a, b);  // a is above
    if (is_bar(kind_a) || is_bar(kind_b)) {
      const double x = std::clamp(a->centre_x(), b->x, b->right());
      return polyline({{x, a->bottom()}, {x, b->y}});
    }
    if (is_switch(kind_a) || is_switch(kind_b)) {
      return curve({a->centre_x(), a->bottom()}, {b->centre_x(), b->y});
    }
    // Straight down where the upper one is above, else along its lower edge.
    const double x = b->centre_x();
    if (x >= a->x + 4 && x <= a->right() - 4) return polyline({{x, a->bottom()}, {x, b->y}});
    const double from = x < a->centre_x() ? a->x + 8 : a->right() - 8;
    const double turn = a->bottom() + 9;
    return polyline({{from, a->bottom()}, {from, turn}, {x, turn}, {x, b->y}});
  }
  static bool is_bar(NodeKind kind) { return kind == NodeKind::nvswitch; }

  const Graph& graph_;
  Neighbours neighbours_;
  Picture picture_;
  std::vector<Rect> place_;
  std::vector<bool> seen_;
  std::vector<NodeIndex> devices_;
  double device_width_ = kDeviceWidth;
  double level_ = kLevel;
  size_t deepest_ = 0;
  double right_ = kMargin;
  double bottom_ = 0;
  double device_bottom_ = 0;
};

}  // namespace

Picture draw_machine(const Graph& graph, std::vector<Edge> edges) {
  return MachineLayout(graph, std::move(edges)).draw();
}

}  // namespace unirack
