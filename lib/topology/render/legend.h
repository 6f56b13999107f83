// What the legend of a picture lists, with counts: kinds of nodes, rails, classes of links, faults.
// Pure.
#pragma once

#include <string>
#include <vector>

#include "lib/topology/render/svg.h"

namespace unirack {

struct LegendItem {
  enum class Sample : uint8_t { cell, line, badge, pen } sample = Sample::cell;
  std::string classes;  // of the sample, as in picture.css
  double width = 1;     // of a line
  std::string text;
  size_t count = 0;
  std::string nodes;  // selector of the cells meant; empty: none
  std::string lines;  // selector of the lines meant; empty: none
  bool is_fault = false;
};

std::vector<LegendItem> legend_of(const Graph& graph, const Picture& picture,
                                  const Summary& summary, const PictureOptions& options);

// A sample of 26 x 14 pixels, without <svg> around it.
std::string sample_svg(const LegendItem& item);

}  // namespace unirack
