// GPUs that are joined directly: meshes, tori, hypercubes. Rows of equal length in the order of
// their names; links to the next row or column are straight, others bend.
#include <algorithm>
#include <cmath>
#include <numeric>

#include "lib/topology/natural_order.h"
#include "lib/topology/render/picture.h"
#include "lib/topology/render/text.h"

namespace unirack {

namespace {

constexpr double kMargin = 48;
constexpr double kPitch = 84;
constexpr double kCellWidth = 40;
constexpr double kCellHeight = 26;

}  // namespace

Picture draw_grid(const Graph& graph, std::vector<Edge> edges) {
  const size_t count = graph.nodes().size();
  const auto columns = static_cast<size_t>(std::ceil(std::sqrt(static_cast<double>(count))));
  const size_t rows = (count + columns - 1) / columns;
  Picture picture;
  picture.width = 2 * kMargin + kPitch * static_cast<double>(columns - 1) + kCellWidth;
  picture.height = 2 * kMargin + kPitch * static_cast<double>(rows - 1) + kCellHeight;

  std::vector<NodeIndex> order(count);
  std::iota(order.begin(), order.end(), NodeIndex{0});
  std::sort(order.begin(), order.end(), [&](NodeIndex a, NodeIndex b) {
    return natural_less(graph.node(a).name, graph.node(b).name);
  });
  std::vector<Rect> place(count);
  for (size_t i = 0; i < count; ++i) {
    const size_t row = i / columns;
    const Rect rect{kMargin + kPitch * static_cast<double>(i % columns),
                    kMargin + kPitch * static_cast<double>(row), kCellWidth, kCellHeight};
    place[order[i]] = rect;
    picture.cells.push_back({order[i],
                             rect,
                             fitted(short_name(graph.node(order[i]).name), kCellWidth - 4, 10),
                             {},
                             10,
                             false});
  }
  for (size_t i = 0; i < edges.size(); ++i) {
    const Rect& a = place[edges[i].a];
    const Rect& b = place[edges[i].b];
    const Point from{a.centre_x(), a.centre_y()}, to{b.centre_x(), b.centre_y()};
    const double dx = to.x - from.x, dy = to.y - from.y, length = std::hypot(dx, dy);
    // Bent to the side, and the more the further they reach, so that no line hides another.
    const double bend = length <= kPitch * 1.5 ? 0 : length * 0.12 + 8;
    const double px = -dy / length * bend, py = dx / length * bend;
    Line line;
    line.path = bend == 0
                    ? polyline({from, to})
                    : "M" + polyline({from}).substr(1) + "Q" +
                          polyline({{(from.x + to.x) / 2 + 2 * px, (from.y + to.y) / 2 + 2 * py}})
                              .substr(1) +
                          " " + polyline({to}).substr(1);
    line.edges = {i};
    line.width = line_width(edges[i].bandwidth);
    picture.lines.push_back(std::move(line));
  }
  picture.edges = std::move(edges);
  return picture;
}

}  // namespace unirack
