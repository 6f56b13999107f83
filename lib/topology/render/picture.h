// What is drawn where: frames (racks, machines, domains), a cell for every node, lines that stand
// for every edge, labels. Three layouts choose the places; svg.h writes the result. Units are CSS
// pixels. Pure; every node has exactly one cell and every edge exactly one line of its own, beside
// which bundles may stand for several.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "lib/topology/graph.h"
#include "lib/topology/render/edges.h"

namespace unirack {

struct Rect {
  double x = 0;
  double y = 0;
  double width = 0;
  double height = 0;

  double right() const { return x + width; }
  double bottom() const { return y + height; }
  double centre_x() const { return x + width / 2; }
  double centre_y() const { return y + height / 2; }
};

struct PictureCell {
  NodeIndex node = 0;
  Rect at;
  std::string label;   // fits
  std::string detail;  // a second line; empty: none
  double font = 8;
  // The switches of a domain as a bar along its members.
  bool is_bar = false;
};

enum class FrameKind : uint8_t {
  rack,
  machine,
  domain,
  absent,  // a device that others like it have
};

struct PictureFrame {
  FrameKind kind = FrameKind::rack;
  Rect at;
  std::string label;  // at the top left; empty: none
  std::string note;   // at the top right
};

enum class LineRole : uint8_t {
  own,     // of one edge, always seen
  detail,  // of one edge, seen from near or when one of its ends is pointed at
  bundle,  // of several edges whose own lines are detail
};

struct Line {
  LineRole role = LineRole::own;
  bool behind = false;        // below the frames: between switches
  std::string path;           // SVG path data
  std::vector<size_t> edges;  // indices into Picture::edges
  double width = 1;
};

struct Label {
  double x = 0;
  double y = 0;
  std::string text;
  double font = 8;
  bool at_end = false;  // of the text, not at its beginning
};

struct Picture {
  double width = 0;
  double height = 0;
  std::vector<Edge> edges;
  std::vector<PictureFrame> frames;
  std::vector<PictureCell> cells;
  std::vector<Line> lines;
  std::vector<Label> labels;
};

// Chooses: one machine by its PCIe tree, GPUs that are joined directly as a grid, all else as racks
// below leaves and spines.
Picture draw(const Graph& graph);

Picture draw_machine(const Graph& graph, std::vector<Edge> edges);
Picture draw_grid(const Graph& graph, std::vector<Edge> edges);
Picture draw_fabric(const Graph& graph, std::vector<Edge> edges);

// ---- Shared by the layouts ----------------------------------------------------------------------

// By the square root of the speed, so that 900 GB/s beside 12.5 GB/s keeps both visible.
double line_width(uint64_t bandwidth);

// Path data. An S-curve between two levels; straight segments through the points.
struct Point {
  double x = 0;
  double y = 0;
};
std::string curve(Point from, Point to);
std::string polyline(const std::vector<Point>& points);
std::string arc(Point from, Point to, double height);

// `text` cut to what fits into `width` at `font`.
std::string fitted(std::string_view text, double width, double font);
double text_width(std::string_view text, double font);

// "rack1/nvswitch: 72 GPUs at 18 × 50 GB/s", or what of it fits.
std::string bar_label(const Graph& graph, const Neighbours& neighbours,
                      const std::vector<Edge>& edges, NodeIndex bar, double width, double font);
// With a real multiplication sign.
std::string typeset(std::string text);

}  // namespace unirack
