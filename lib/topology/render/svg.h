// A picture as SVG: a file of its own with title and legend, or the drawing alone for a page. All
// names come from outside and are escaped. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "lib/topology/render/picture.h"
#include "lib/topology/render/summary.h"

namespace unirack {

// A cut to show: what it confines and what leaves it.
struct Highlight {
  std::string name;      // "all-gather"
  std::string sentence;  // "at most 901.9 GB/s: ..."
  std::vector<NodeIndex> nodes;
  std::vector<LinkIndex> links;
};

// Something to say about a node, shown as a badge.
struct Note {
  NodeIndex node = 0;
  std::string text;
};

// How much of a link's capacity is used, from 0 to 100.
struct LinkLoad {
  LinkIndex link = 0;
  uint32_t percent = 0;
};

struct PictureOptions {
  std::string title;                  // empty: the graph's origin
  std::vector<Highlight> highlights;  // a file shows the first, a page offers all
  std::vector<Note> notes;
  std::vector<LinkLoad> loads;  // lines are coloured by these; what has none stands back
};

// The colour of a line that is used so much.
std::string load_colour(uint32_t percent);

std::string render_svg(const Graph& graph, const PictureOptions& options = {});

// ---- Shared with html.h -------------------------------------------------------------------------

// The <svg> element of the drawing. `is_static`: with the first highlight drawn.
std::string drawing_svg(const Graph& graph, const Picture& picture, const Summary& summary,
                        const PictureOptions& options, bool is_static);

std::string title_of(const Graph& graph, const PictureOptions& options);

// Edges of these links.
std::vector<size_t> edges_with(const Picture& picture, const std::vector<LinkIndex>& links);

}  // namespace unirack
