// A graph as one self-contained HTML page: the drawing, and a script for details on hover, pinning,
// search, zoom and pan. The page loads nothing and its content policy forbids it to. Pure.
#pragma once

#include <string>

#include "lib/topology/render/svg.h"

namespace unirack {

std::string render_html(const Graph& graph, const PictureOptions& options = {});

}  // namespace unirack
