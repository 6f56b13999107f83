#include "lib/topology/render/fabric_lines.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <tuple>

namespace unirack {

namespace {

constexpr double kMemberGutter = 7;  // beside a GPU, for its bus
constexpr double kNicGutter = 9;
constexpr double kTurn = 5;  // between the levels on which the buses of a rack turn

class FabricLines {
 public:
  FabricLines(const Graph& graph, const FabricGroups& groups, const std::vector<Rect>& place,
              const Buses& buses, Picture& picture)
      : graph_(graph), groups_(groups), place_(place), buses_(buses), picture_(picture) {}

  void add() {
    for (size_t i = 0; i < picture_.edges.size(); ++i) add_edge(i);
    for (auto& [key, bus] : buses_by_column_) add_bus(bus);
  }

 private:
  // What devices of one column have with one switch.
  struct Bus {
    NodeIndex hub;
    std::vector<std::pair<NodeIndex, size_t>> devices;  // and their edges
  };

  bool is_device(NodeIndex node) const {
    const NodeKind kind = graph_.node(node).kind;
    return kind == NodeKind::gpu || kind == NodeKind::rank || kind == NodeKind::nic;
  }
  uint32_t rack_of(NodeIndex node) const { return groups_.rack_of[node]; }

  void add_edge(size_t index) {
    const Edge& edge = picture_.edges[index];
    NodeIndex device = edge.a, hub = edge.b;
    if (!is_device(device)) std::swap(device, hub);
    const NodeKind kind = graph_.node(hub).kind;
    if (is_device(device) && is_switch(kind) && groups_.racks[rack_of(device)].is_outside) {
      const Rect& at = place_[device];
      // Strays are of interest one by one.
      return add_line(LineRole::detail,
                      curve({at.centre_x(), at.y}, {place_[hub].centre_x(), place_[hub].bottom()}),
                      {index});
    }
    if (is_device(device) && rack_of(device) != FabricGroups::kNoRack &&
        (is_switch(kind) || kind == NodeKind::nvswitch)) {
      const Rect& at = place_[device];
      if (kind == NodeKind::nvswitch && is_beside(at, place_[hub])) {
        // A machine's own switch lies just below.
        const double x = at.centre_x();
        return add_line(LineRole::own, polyline({{x, at.bottom()}, {x, place_[hub].y}}), {index});
      }
      const auto column = static_cast<int64_t>(std::lround(at.x * 10));
      auto& bus = buses_by_column_[{rack_of(device), column, hub}];
      bus.hub = hub;
      bus.devices.emplace_back(device, index);
      return;
    }
    const Rect& a = place_[edge.a];
    const Rect& b = place_[edge.b];
    if (is_switch(graph_.node(edge.a).kind) && is_switch(graph_.node(edge.b).kind)) {
      const bool below = a.y > b.y;
      const Rect& lower = below ? a : b;
      const Rect& upper = below ? b : a;
      Line line{LineRole::own, true, {}, {index}, line_width(edge.bandwidth)};
      line.path = lower.y == upper.y
                      ? arc({a.centre_x(), a.y}, {b.centre_x(), b.y}, -16)
                      : curve({lower.centre_x(), lower.y}, {upper.centre_x(), upper.bottom()});
      picture_.lines.push_back(std::move(line));
      return;
    }
    // Inside machines: pairs of GPU and NIC, direct links, PCIe.
    const double distance = std::abs(a.centre_x() - b.centre_x());
    std::string path = distance < 1
                           ? polyline({{a.centre_x(), a.centre_y()}, {b.centre_x(), b.centre_y()}})
                           : arc({a.centre_x(), a.bottom()}, {b.centre_x(), b.bottom()},
                                 std::min(3 + 0.06 * distance, 14.0));
    add_line(LineRole::detail, std::move(path), {index});
  }

  static bool is_beside(const Rect& device, const Rect& strip) {
    return strip.y >= device.bottom() && strip.y - device.bottom() < 6;
  }

  void add_bus(Bus& bus) {
    std::sort(bus.devices.begin(), bus.devices.end(),
              [&](const auto& a, const auto& b) { return place_[a.first].y < place_[b.first].y; });
    const bool is_up = place_[bus.hub].y < place_[bus.devices[0].first].y;
    const bool is_nic = graph_.node(bus.devices[0].first).kind == NodeKind::nic;
    const double gutter = is_nic ? kNicGutter : kMemberGutter;
    const size_t count = bus.devices.size();
    std::vector<size_t> edges;
    for (size_t i = 0; i < count; ++i) {
      const auto& [device, edge] = bus.devices[i];
      const Rect& at = place_[device];
      // Side by side in the gutter: who leaves first lies outermost, so that no two cross.
      const size_t rank = is_up ? i : count - 1 - i;
      const double x =
          at.right() + 1 +
          (gutter - 2) * (static_cast<double>(rank) + 0.5) / static_cast<double>(count);
      const LineRole role = count == 1 ? LineRole::own : LineRole::detail;
      add_line(role, path_to(bus.hub, device, {at.right(), at.centre_y()}, x, is_up), {edge});
      edges.push_back(edge);
    }
    if (count == 1) return;
    const auto& far = is_up ? bus.devices.back() : bus.devices.front();
    const Rect& at = place_[far.first];
    const double x = at.right() + gutter / 2;
    // Stubs show who is on the bus.
    std::string path = path_to(bus.hub, far.first, {at.right(), at.centre_y()}, x, is_up);
    for (const auto& [device, edge] : bus.devices) {
      if (device == far.first) continue;
      const Rect& stub = place_[device];
      path += polyline({{stub.right(), stub.centre_y()}, {x, stub.centre_y()}});
    }
    add_line(LineRole::bundle, std::move(path), std::move(edges));
  }

  std::string path_to(NodeIndex hub, NodeIndex device, Point from, double x, bool is_up) const {
    const Rect& target = place_[hub];
    const Rect& frame = buses_.rack_frames[rack_of(device)];
    if (!is_up) {
      const double end = std::clamp(x, target.x, std::max(target.x, target.right()));
      if (end == x) return polyline({from, {x, from.y}, {x, target.y}});
      return polyline({from, {x, from.y}, {x, target.y - 8}, {end, target.y - 8}, {end, target.y}});
    }
    if (rack_of(hub) == rack_of(device)) {
      // Straight where the leaf is above, else by a turn on a level of its own.
      if (x > target.x + 3 && x < target.right() - 3) {
        return polyline({from, {x, from.y}, {x, target.bottom()}});
      }
      const double end = target.centre_x() + (x - from.x - kNicGutter / 2) * 0.8;
      const double turn = frame.y - 5 - kTurn * static_cast<double>(level_of(hub, x));
      return polyline({from, {x, from.y}, {x, turn}, {end, turn}, {end, target.bottom()}});
    }
    return polyline({from, {x, from.y}, {x, frame.y}}) +
           curve({x, frame.y}, {target.centre_x(), target.bottom()});
  }

  // Lines that go left turn the lower the further left they begin, those that go right the other
  // way round: then none crosses another.
  size_t level_of(NodeIndex hub, double x) const {
    const auto& leaves = groups_.racks[rack_of(hub)].leaves;
    const size_t levels = std::min<size_t>(leaves.size(), 6);
    const auto index =
        static_cast<size_t>(std::find(leaves.begin(), leaves.end(), hub) - leaves.begin());
    const bool goes_left = place_[hub].centre_x() < x;
    const size_t level = goes_left ? index : leaves.size() - 1 - index;
    return level % std::max<size_t>(levels, 1);
  }

  void add_line(LineRole role, std::string path, std::vector<size_t> edges) {
    double width = line_width(picture_.edges[edges[0]].bandwidth);
    // Single lines of a bus lie side by side where the bus lies.
    if (role == LineRole::detail) width = std::min(width, 0.5);
    if (role != LineRole::bundle && picture_.edges[edges[0]].is_faulty()) {
      width = std::max(width, 1.2);
    }
    picture_.lines.push_back({role, false, std::move(path), std::move(edges), width});
  }

  const Graph& graph_;
  const FabricGroups& groups_;
  const std::vector<Rect>& place_;
  const Buses& buses_;
  Picture& picture_;
  std::map<std::tuple<uint32_t, int64_t, NodeIndex>, Bus> buses_by_column_;
};

}  // namespace

void add_fabric_lines(const Graph& graph, const FabricGroups& groups,
                      const std::vector<Rect>& place, const Buses& buses, Picture& picture) {
  FabricLines(graph, groups, place, buses, picture).add();
}

}  // namespace unirack
